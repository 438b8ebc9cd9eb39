"""The moment of truth: what a decision costs, what exactly is approved, and how it is taken back.

The scripted model answers under a key of the person's, and so under the names and at the prices of
real models; without a key the service's own demo model does.
"""

import asyncio
import json
import re
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from infrastructure.demo_model import DemoModel
from tests.e2e.browser import PHONE, Watched, chromium, person
from tests.e2e.service import up
from tests.e2e.test_web_pages import violations
from tests.e2e.web_walk import (
    BRIEF,
    answered,
    approve,
    at_gate,
    say,
    sign_up,
    status,
    with_own_brief,
)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

KEY = "sk-ant-test-0123456789abcdefghijklmnop"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a model provider whose faults are scripted."""
    ready, ended = threading.Event(), threading.Event()
    at: list[str] = []

    async def serve() -> None:
        async with DemoModel(pace=0, control=True) as model:
            at.append(model.url)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    yield at[0]
    ended.set()
    thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory, provider):
    with up(tmp_path_factory.mktemp("gate") / "data", ANTHROPIC_BASE_URL=provider) as url:
        yield url


def script(provider: str, agent: str, *faults: str) -> None:
    body = json.dumps({"agent": agent, "faults": faults}).encode()
    urllib.request.urlopen(f"{provider}/_faults", body).close()  # noqa: S310


def with_key(who: Watched) -> Page:
    sign_up(who)
    page = who.go("/app/settings")
    page.get_by_label("Anthropic API key").fill(KEY)
    page.get_by_role("button", name="Store the key").click()
    expect(page.get_by_text(f"A key ending in {KEY[-4:]} is stored")).to_be_visible()
    return page


def events(page: Page, feature: str) -> list[dict]:
    """The feature's log, asked for as the page itself asks."""
    with page.expect_request(lambda asked: "authorization" in asked.headers) as asking:
        page.reload()
    headers = {"Authorization": asking.value.headers["authorization"]}
    answer = page.request.get(f"/api/features/{feature}/events?limit=200", headers=headers)
    return answer.json()["items"]


def revise(page: Page, service: str, feature: str, line: str) -> None:
    page.goto(f"{service}/app/features?id={feature}")
    page.get_by_role("button", name="Edit").click()
    text = page.get_by_label("Text of the brief, in Markdown")
    text.fill(f"{text.input_value()}\n{line}\n")
    page.get_by_role("button", name="Start over with this brief").click()


def confirm_revision(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Start over with this brief").click()
    expect(dialog).to_have_count(0)


def test_a_decision_says_what_it_would_cost_and_what_that_rests_on(browser, service):
    with person(browser, service, base_url=service) as ana:
        page = sign_up(ana)
        cost = page.get_by_test_id("cost")
        with_own_brief(page, service)
        at_gate(page, "specification")
        expect(cost).to_have_text("Costs nothing, for the demo model answers.")

    with person(browser, service, base_url=service) as bob:
        page = with_key(bob)
        cost = page.get_by_test_id("cost")
        page.goto(f"{service}/app/features")
        page.get_by_role("button", name="Write the brief myself").click()
        page.get_by_label("Text of the brief, in Markdown").fill(BRIEF)
        expect(cost).to_have_text(re.compile(r"oughly \$\d.+, an estimate from list prices"))
        page.get_by_role("button", name="Confirm and start").click()
        approve(page, "specification")
        at_gate(page, "plan")
        feature = page.url.rpartition("/")[2]
        expect(cost).to_contain_text("an estimate from list prices: no earlier run yet")
        page.get_by_role("link", name="Revise the brief").click()
        expect(cost).to_have_attribute("data-basis", "runs")
        expect(cost).to_contain_text(re.compile(r"an estimate from \d+ earlier runs?\."))

        # It is waited for beside the decision, which neither waits nor moves.
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/estimate?*", hold)
        page.goto(f"{service}/app/features/{feature}")
        at_gate(page, "plan")
        expect(cost).to_have_text("Estimating what it will cost…")
        before = page.get_by_test_id("gate").bounding_box()
        expect(page.get_by_role("button", name="Approve this plan")).to_be_enabled()
        for route in held:
            route.continue_()
        page.unroute("**/estimate?*")
        expect(cost).to_have_attribute("data-basis", "prices")
        assert page.get_by_test_id("gate").bounding_box() == before
        page.route("**/estimate?*", lambda route: route.abort())
        page.reload()
        expect(cost).to_contain_text("You can decide all the same")
        approve(page, "plan")
        at_gate(page, "tests")


def test_what_changed_in_another_tab_is_said_and_not_approved_unread(browser, service):
    with person(browser, service, base_url=service) as cai:
        first = sign_up(cai)
        feature = with_own_brief(first, service)
        at_gate(first, "specification")
        second = cai.tab()
        revise(second, service, feature, "- BF-3: Print a list.")
        confirm_revision(second)
        at_gate(second, "specification")
        expect(second.get_by_test_id("changed")).to_have_count(0)

        changed = first.get_by_test_id("changed")
        expect(changed).to_contain_text("The text has changed since you opened this page")
        button = first.get_by_role("button", name="Approve this specification")
        expect(button).to_be_disabled()
        assert violations(first) == []
        first.get_by_role("button", name="What changed since the version before").click()
        expect(first.locator("ins", has_text="Print a list").first).to_be_visible()
        first.get_by_role("button", name="I have read the new text").click()
        expect(changed).to_have_count(0)
        button.click()
        at_gate(first, "plan")
        log = events(first, feature)
        approved = [e for e in log if e["type"] == "spec_approved"]
        generated = [e for e in log if e["type"] == "spec_generated"]
        assert len(generated) == 2
        sha = generated[-1]["payload"]["content_sha256"]
        assert [e["payload"]["content_sha256"] for e in approved] == [sha]


def test_a_page_that_has_not_heard_of_the_change_approves_nothing(browser, service):
    with person(browser, service, base_url=service) as dan:
        first = sign_up(dan)
        feature = with_own_brief(first, service)
        at_gate(first, "specification")
        first.route("**/api/**", lambda route: route.abort())
        first.route("**/approve", lambda route: route.continue_())
        second = dan.tab()
        revise(second, service, feature, "- BF-3: Print a list.")
        confirm_revision(second)
        at_gate(second, "specification")
        first.get_by_role("button", name="Approve this specification").click()
        expect(first.get_by_text("It has changed since you read it")).to_be_visible()
        first.unroute("**/api/**")
        expect(first.get_by_test_id("changed")).to_be_visible()
        assert status(second) == "spec_ready"
        assert "spec_approved" not in {e["type"] for e in events(second, feature)}


def test_approving_against_the_advice_is_asked_for_and_recorded_as_such(browser, service, provider):
    with person(browser, service, base_url=service) as eve:
        page = with_key(eve)
        script(provider, "alignment_review", "review_fail")
        feature = with_own_brief(page, service)
        at_gate(page, "specification")
        expect(page.get_by_role("heading", name="recommends to revise")).to_be_visible()
        expect(page.get_by_text("Why", exact=True)).to_be_visible()
        page.get_by_label("Why do you approve it all the same?").fill("We talked about it.")
        page.get_by_role("button", name="Approve this specification anyway").click()
        at_gate(page, "plan")
        (approval,) = (e for e in events(page, feature) if e["type"] == "spec_approved")
        payload = approval["payload"]
        assert (payload["override"], payload["recommendation"]) == (True, "REVISE")
        assert payload["note"] == "We talked about it."


def test_revising_shows_what_it_throws_away_and_can_be_taken_back_with_its_words(browser, service):
    with person(browser, service, base_url=service) as fay:
        page = with_key(fay)
        feature = with_own_brief(page, service)
        approve(page, "specification")
        at_gate(page, "plan")
        page.get_by_role("button", name="Discuss it").click()
        say(page, "Why is it planned like this?")
        talk, document = page.get_by_test_id("discussion"), page.get_by_test_id("document")
        expect(talk.locator("li[data-role=agent]:not([data-testid=answering])")).to_have_count(1)
        beside, text = talk.bounding_box(), document.bounding_box()
        assert text["x"] + text["width"] <= beside["x"]

        revise(page, service, feature, "- BF-3: Keep a list of members.")
        dialog = page.get_by_role("dialog")
        lost = dialog.get_by_role("listitem")
        expect(lost).to_have_text([re.compile(r"^Specification, .*\$"), re.compile(r"^Plan, .*\$")])
        expect(dialog).to_contain_text(re.compile(r"Together it has cost .*\$"))
        confirm_revision(page)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_label("Text of the brief, in Markdown")).to_have_count(0)
        kept = page.get_by_test_id("brief").get_by_role("listitem")
        expect(kept.filter(has_text="Keep a list of members.")).to_be_visible()
        page.goto(f"{service}/app/features/{feature}")
        at_gate(page, "plan")


def test_whoever_opens_the_discussion_writes_at_once_and_reads_the_last_words_first(
    browser, service
):
    with person(browser, service, base_url=service) as eve:
        page = sign_up(eve)
        with_own_brief(page, service)
        at_gate(page, "specification")
        talk = page.get_by_test_id("discussion")
        asked = talk.get_by_role("listitem").filter(has_text=re.compile("^You"))
        narrow = {"width": 1024, "height": 768}
        for size, numbers in ((narrow, (1,)), (PHONE, (2, 3, 4))):
            page.set_viewport_size(size)
            page.get_by_role("button", name="Discuss it").click()
            expect(talk.get_by_role("textbox")).to_be_focused()
            for number in numbers:
                page.keyboard.type(f"Question {number}: why like this?")
                page.keyboard.press("Enter")
                if number < 4:  # From then on the first ones are folded away.
                    answered(page, number)
            expect(asked.last).to_contain_text(f"Question {numbers[-1]}")
            expect(asked.last).to_be_in_viewport()
            page.keyboard.press("Escape")
            expect(talk).to_have_count(0)
            expect(page.get_by_role("button", name="Discuss it")).to_be_focused()

        page.get_by_role("button", name="Discuss it").click()
        covered = talk.bounding_box()
        assert (covered["x"], covered["y"]) == (0, 0)
        assert (covered["width"], covered["height"]) == (PHONE["width"], PHONE["height"])
        expect(asked.last).to_be_in_viewport()
        expect(talk.get_by_role("textbox")).to_be_in_viewport()
        talk.get_by_role("button", name="Show 2 earlier messages").click()
        expect(asked.first).to_contain_text("Question 1")


def test_what_changed_is_shown_at_each_gate_where_the_document_was_there_before(browser, service):
    with person(browser, service, base_url=service) as ida:
        page = sign_up(ida)
        feature = with_own_brief(page, service)
        approve(page, "specification")
        at_gate(page, "plan")
        page.goto(f"{service}/app/features?id={feature}")
        page.get_by_role("button", name="Edit").click()
        text = page.get_by_label("Text of the brief, in Markdown")
        text.fill(BRIEF.replace("tool", "cake").replace("Tool", "Cake"))
        page.get_by_role("button", name="Start over with this brief").click()
        confirm_revision(page)
        changes = page.get_by_role("button", name="What changed since the version before")
        for gate in ("specification", "plan"):
            at_gate(page, gate)
            changes.click()
            cakes = page.get_by_test_id("diff").locator(
                "ins", has_text=re.compile("cake", re.IGNORECASE)
            )
            expect(cakes.first).to_be_visible()
            approve(page, gate)
        at_gate(page, "tests")
        expect(page.get_by_test_id("document")).to_be_visible()
        expect(changes).to_have_count(0)


def test_an_approval_a_return_and_a_name_are_taken_back_from_their_notes(browser, service):
    with person(browser, service, base_url=service) as gus:
        page = sign_up(gus)
        feature = with_own_brief(page, service)
        title = page.get_by_role("heading", level=1)
        approve(page, "specification")
        at_gate(page, "plan")
        expect(page.get_by_text("Approved: specification")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        at_gate(page, "specification")
        expect(page.get_by_text("Undone: it stands where it stood before.")).to_be_visible()
        expect(page.get_by_test_id("changed")).to_have_count(0)
        approve(page, "specification")
        at_gate(page, "plan")

        page.goto(f"{service}/app/features/{feature}?show=history")
        places = page.get_by_test_id("checkpoints").get_by_role("listitem")
        places.filter(has_text="wrote the specification").get_by_role(
            "button", name="Go back to here"
        ).last.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_test_id("cost")).to_have_text(
            re.compile("From there on:\\s+Costs nothing")
        )
        dialog.get_by_role("button", name="Go back").click()
        at_gate(page, "specification")
        page.get_by_role("button", name="Undo").click()
        at_gate(page, "plan")

        named = title.inner_text()
        page.get_by_role("button", name=re.compile("^Rename")).click()
        page.get_by_role("textbox", name=re.compile("^Rename")).fill("Another name")
        page.get_by_role("textbox", name=re.compile("^Rename")).press("Enter")
        expect(title).to_have_text("Another name")
        page.get_by_role("button", name="Undo").last.click()
        expect(title).to_have_text(named)


@pytest.mark.campaign
def test_a_busy_provider_is_told_in_words(browser, service, provider):
    with person(browser, service, base_url=service) as hal:
        page = with_key(hal)
        script(provider, "spec", "429:900")
        with_own_brief(page, service)
        work = page.get_by_test_id("working")
        expect(work).to_contain_text(re.compile(r"tries again in \d+ min \d+ s"))
        expect(work.get_by_test_id("busy")).to_contain_text("limits how much may be asked for")
        assert violations(page) == []
        page.reload()
        expect(work.get_by_test_id("busy")).to_contain_text("limits how much may be asked for")
        expect(work).to_contain_text(re.compile(r"tries again in \d+ min \d+ s"))
