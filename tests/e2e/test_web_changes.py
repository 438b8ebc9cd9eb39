"""What a person changes on the way, in the browser: comments, edits, stops, mended code."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import (
    BRIEF,
    GATES,
    answered,
    approve,
    at_gate,
    sign_up,
    with_own_brief,
)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

SAID = "Only members may borrow."
MINE = "the tool is listed under its maker."


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("changes") / "data", BP_DEMO_PACE_SECONDS="0.004") as url:
        yield url


def test_at_a_gate_one_comments_edits_and_is_asked_about_what_is_proposed(browser, service):
    with person(browser, service) as ana:
        page = sign_up(ana)
        feature = with_own_brief(page, service)
        at_gate(page, "specification")
        document = page.get_by_test_id("document")
        expect(document).not_to_contain_text(SAID)

        page.get_by_role("button", name="Comment on parts").click()
        comments = page.get_by_test_id("comments")
        comments.get_by_role("button", name="Add a comment").click()
        comments.get_by_label("What it is about").select_option("FR-1")
        comments.get_by_label("Your comment").fill(SAID)
        comments.get_by_role("button", name="Write it anew with 1 comment").click()
        expect(document).to_contain_text(SAID)
        expect(page.get_by_text("What was done about your comments")).to_be_visible()

        at_gate(page, "specification")
        page.get_by_role("button", name="Edit it yourself").click()
        editing = page.get_by_test_id("editing")
        editing.locator("[data-requirement=FR-2]").get_by_label("Then", exact=True).fill(MINE)
        editing.get_by_role("button", name="Put my version here").click()
        expect(document).to_contain_text(MINE)
        expect(document).to_contain_text(SAID)

        at_gate(page, "specification")
        page.get_by_role("button", name="Discuss it").click()
        talk = page.get_by_test_id("discussion")
        talk.get_by_role("textbox").fill("Please also keep a list of repairs.")
        page.keyboard.press("Enter")
        answered(page, 1)
        talk.get_by_role("button", name="Close").click()
        proposal = page.get_by_test_id("proposal")
        expect(proposal.get_by_role("heading")).to_have_text("A changed brief is proposed")
        yes = page.get_by_role("button", name="Approve this specification")
        expect(yes).to_be_disabled()
        proposal.get_by_role("checkbox").check()
        yes.click()
        at_gate(page, "plan")
        assert feature in page.url


def test_work_is_stopped_and_goes_on_where_it_was(browser, service):
    with person(browser, service) as bob:
        page = sign_up(bob)
        with_own_brief(page, service)
        page.get_by_test_id("stop").click()
        stopped = page.get_by_test_id("stopped")
        expect(stopped.get_by_role("heading")).to_have_text("Stopped. Nothing is paid for.")
        page.reload()
        stopped.get_by_role("button", name="Resume").click()
        expect(stopped).to_have_count(0)
        at_gate(page, "specification")


def test_code_that_fails_its_review_is_mended_and_every_line_says_why_it_is_there(browser, service):
    with person(browser, service) as eve:
        page = sign_up(eve)
        with_own_brief(page, service, f"{BRIEF}\nThe demo model makes a mistake.\n")
        for gate in GATES:
            approve(page, gate)
        expect(page.get_by_test_id("done")).to_be_visible()
        address = page.url.partition("?")[0]
        page.goto(f"{address}?show=history")
        expect(page.get_by_text(re.compile("mend", re.IGNORECASE)).first).to_be_visible()

        page.goto(f"{address}?show=files&file=db/schema.sql")
        why = page.get_by_test_id("why")
        why.get_by_role("spinbutton").fill("2")
        why.get_by_role("button", name="Show").click()
        expect(why.get_by_role("list").first).to_contain_text("in round 1")


def test_a_tab_that_nobody_looks_at_says_that_it_is_ones_turn(browser, service):
    with person(browser, service) as joe:
        joe.context.add_init_script(
            "Object.defineProperty(document, 'hidden', {get: () => !window.__back})"
        )
        page = sign_up(joe)
        with_own_brief(page, service)
        at_gate(page, "specification")
        expect(page).to_have_title(re.compile(r"^\(1\) "))
        page.evaluate("window.__back = true; document.dispatchEvent(new Event('visibilitychange'))")
        expect(page).to_have_title(re.compile(r"^[^(]"))
        page.goto(f"{service}/app/settings")
        page.get_by_label("Single keys do something").uncheck()
        page.goto(f"{service}/app")
        page.keyboard.press("n")
        page.keyboard.press("Control+k")
        expect(page.get_by_role("combobox", name="Find or do something")).to_be_focused()
        assert page.url.endswith("/app")
