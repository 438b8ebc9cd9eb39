"""A feature's log in the browser: three zooms, the seal, and what one takes along as proof."""

import json
import os
import re
import shlex
import subprocess

import psycopg
import pytest
from playwright.sync_api import Page, expect

from infrastructure.embedded.postgres import Postgres
from tests.e2e.browser import PHONE, chromium, person
from tests.e2e.made_up_log import examples, one_of_each, revised_again_and_again, serve
from tests.e2e.service import up
from tests.e2e.web_walk import GATES, approve, at_gate, sign_up, with_own_brief
from tests.prepared import run

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

ZOOMS = {"Story": "story", "Timeline": "timeline", "Events": "raw"}
NOT_WORDS = re.compile(r"undefined|null|NaN|\[object|_")


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "data"


@pytest.fixture(scope="module")
def service(data):
    with up(data) as url:
        yield url


@pytest.fixture(scope="module")
def finished(browser, service, tmp_path_factory):
    """Somebody's session, and the id of a finished feature."""
    kept = tmp_path_factory.mktemp("log") / "state.json"
    with person(browser, service) as who:
        page = sign_up(who, "log")
        feature = with_own_brief(page, service)
        for gate in GATES:
            approve(page, gate)
        expect(page.get_by_test_id("done")).to_be_visible()
        who.context.storage_state(path=kept)
    return kept, feature


@pytest.fixture
def page(browser, service, finished):
    """The finished feature's log, as a story."""
    kept, feature = finished
    with person(browser, service, storage_state=kept, accept_downloads=True) as who:
        page = who.go(f"/app/features/{feature}?show=log")
        expect(page.get_by_test_id("story").get_by_role("listitem").first).to_be_visible()
        yield page
        who.context.storage_state(path=kept)


def zoom(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="How close to look").get_by_role("link", name=name).click()
    page.wait_for_url(re.compile(f"zoom={ZOOMS[name]}"))


def downloaded(page: Page, button: str, folder):
    with page.expect_download() as downloading:
        page.get_by_role("button", name=button).click()
    file = folder / downloading.value.suggested_filename
    downloading.value.save_as(file)
    return file


def test_the_log_is_told_drawn_and_listed(page):
    story = page.get_by_test_id("story")
    expect(
        story.get_by_text("You approved the plan as it stood, as the reviewer advised.")
    ).to_be_visible()
    wrote = story.get_by_role("listitem").filter(has_text=re.compile("wrote the specification"))
    expect(wrote).to_have_attribute("data-versions", "3 4")
    expect(story.get_by_role("heading", name="Review")).to_be_visible()

    zoom(page, "Timeline")
    timeline = page.get_by_test_id("timeline")
    wrote = timeline.get_by_role("link", name=re.compile("^Specification writer, "))
    expect(wrote).to_have_count(1)
    timeline.locator("a[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(wrote).to_be_focused()
    expect(page.get_by_test_id("picked")).to_contain_text("wrote the specification")
    page.get_by_text("The same as a table").click()
    rows = page.get_by_test_id("timeline-table").get_by_role("row")
    expect(rows).to_have_count(timeline.get_by_role("link").count() + 1)
    wrote.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("zoom=raw&event=4"))
    meant = page.locator("[data-testid=log] > li[data-version='4']")
    expect(meant.locator("summary")).to_be_focused()
    expect(meant.get_by_text("spec_generated", exact=True)).to_be_visible()
    page.set_viewport_size(PHONE)
    zoom(page, "Timeline")
    expect(timeline).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_cause_leads_to_the_causing_event_and_to_the_requests_that_followed(page):
    zoom(page, "Events")
    events = page.locator("[data-testid=log] > li")
    events.nth(3).locator("summary").click()
    events.nth(3).get_by_test_id("cause").click()
    page.wait_for_url(re.compile("event=3"))
    expect(events.nth(2).locator("summary")).to_be_focused()
    events.nth(2).get_by_role("button", name="What led to what").click()
    tree = events.nth(2).get_by_test_id("causation")
    expect(tree.get_by_text("confirmed the brief")).to_be_visible()
    expect(tree.get_by_text("this event")).to_have_count(1)
    expect(tree.get_by_test_id("model-call").first).to_contain_text("demo-model")
    page.go_back()
    expect(events.nth(2).locator("summary")).not_to_be_focused()


def test_what_is_taken_along_can_be_checked_without_the_service(page, tmp_path):
    seal = page.get_by_test_id("seal")
    expect(seal).to_have_text(re.compile(r"Log verified, \d+ events"))
    lines = downloaded(page, "Download the log", tmp_path)
    ran = run(["log", "verify", str(lines)], env={"PATH": os.defpath})
    assert ran.returncode == 0, ran.stderr
    count = len(lines.read_text().splitlines())
    expect(seal).to_have_text(f"Log verified, {count} events")

    page.get_by_role("button", name="Check what is shown").click()
    expect(page.get_by_test_id("certificate")).to_contain_text(
        f"What is shown is what happened: {count} events give the same."
    )
    certificate = json.loads(downloaded(page, "Download the certificate", tmp_path).read_text())
    assert certificate["equal"]
    assert certificate["head"] == json.loads(lines.read_text().splitlines()[-1])["hash"]

    bundle = downloaded(page, "With its history, for git", tmp_path)
    command = page.get_by_test_id("done").locator("code").inner_text()
    assert command == f'git clone "{bundle.name}"'
    ran = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / bundle.stem / "package.json").exists()


def test_a_log_that_was_changed_in_the_database_is_called_broken(browser, service, data):
    """A superuser changes one byte of an event of a feature that stands at its first gate."""
    with person(browser, service) as eve:
        page = sign_up(eve)
        feature = with_own_brief(page, service)
        at_gate(page, "specification")
        expect(page.get_by_test_id("seal")).to_contain_text("Log verified")
        with psycopg.connect(Postgres(data, durable=True).dsn) as superuser:
            superuser.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
            superuser.execute(
                "UPDATE es.events SET payload = payload || ' '"
                " WHERE stream_id = %s AND version = 3",
                [feature],
            )
            superuser.execute("ALTER TABLE es.events ENABLE TRIGGER append_only")
        page.reload()
        expect(page.get_by_test_id("seal")).to_have_text("The log is broken at event 3")
        expect(page.get_by_role("alert")).to_contain_text("Approve nothing")
        page.route("**/events/verify", lambda route: route.abort())
        page.reload()
        expect(page.get_by_test_id("seal")).to_have_text("The log could not be checked")


def test_every_type_of_event_has_a_sentence(page):
    """One event of each type, in place of the log: what the golden log holds of it."""
    events = one_of_each()
    serve(page, events)
    zoom(page, "Timeline")
    page.reload()
    page.get_by_text("The same as a table").click()
    told = page.get_by_test_id("timeline-table").locator("tbody td:nth-child(3)")
    # What a fork brought along is told with the fork.
    expect(told).to_have_count(len(examples()) - 1)
    sentences = told.all_inner_texts()
    assert [words for words in sentences if NOT_WORDS.search(words)] == []
    assert all(re.search(r"^\S.* .*[.!?…]$", words) for words in sentences), sentences
    zoom(page, "Events")
    rows = page.locator("[data-testid=log] > li summary")
    expect(rows).to_have_count(len(events))
    assert [words for words in rows.all_inner_texts() if NOT_WORDS.search(words)] == []


def test_a_thousand_events_fold_into_a_story_and_only_what_is_in_sight_is_drawn(page):
    events = revised_again_and_again(101)
    serve(page, events)
    page.reload()
    story = page.get_by_test_id("story").locator("li")
    for words in (
        "The specification writer wrote the specification in 41 s for $0.03, at attempt 2.",
        "You approved the specification although the reviewer advised to revise.",
        "Note: “It will do.”",
        "The planner began to write the plan, but something newer took its place.",
        "You went back to version 5",
    ):
        expect(story.filter(has_text=words).first).to_be_visible()
    page.wait_for_function(
        "count => (scrollTo(0, document.body.scrollHeight),"
        " document.querySelectorAll('[data-versions]').length === count)",
        arg=6 * 101,
    )
    expect(story.last).to_have_attribute("data-versions", str(len(events)))

    zoom(page, "Timeline")
    page.reload()
    timeline = page.get_by_test_id("timeline")
    expect(timeline.locator(".fold line")).to_have_count(100)
    drawn = timeline.get_by_role("link")
    assert drawn.count() < 300
    drawn.first.focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("picked")).to_contain_text("You went back to version")
    assert "You went back" in (page.evaluate("document.activeElement.ariaLabel") or "")
    assert drawn.count() < 300


def test_the_address_takes_a_version_or_a_time_and_the_past_only_lets_one_look(page):
    expect(page.get_by_test_id("story")).to_be_visible()
    link = page.get_by_test_id("story").get_by_role("listitem").filter(has_text="approved the plan")
    moment = link.locator("time").get_attribute("datetime")
    address = page.url
    page.goto(f"{address}&at={moment.replace('+', '%2B')}")
    past = page.get_by_test_id("past")
    expect(past).to_contain_text(re.compile(r"You are looking at version 1\d of"))
    expect(link).to_be_visible()
    expect(page.get_by_test_id("story").get_by_text("approved the tests")).to_have_count(0)
    expect(page.get_by_role("button", name="Download the code of then")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^(Approve|Rename|Delete)"))).to_have_count(0)
    page.goto(f"{address}&at=2020-01-01T00:00:00Z")
    expect(page.get_by_test_id("no-such-time")).to_be_visible()
    expect(page.get_by_test_id("done")).to_be_visible()


def test_two_versions_stand_side_by_side(page):
    page.goto(re.sub(r"\?.*", "?show=compare", page.url))
    sides = page.get_by_test_id("sides")
    for name in (
        "Brief",
        "Specification",
        "Plan",
        "Tests",
        "Files",
        "Security review",
        "Code review",
        "Tokens",
        "Cost",
    ):
        expect(sides.get_by_role("rowheader", name=name, exact=True)).to_be_visible()
    row = sides.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Security review"))
    expect(row.get_by_role("cell").last).to_contain_text("passed")
    expect(row.get_by_text("differs")).to_be_visible()
    page.get_by_test_id("difference").get_by_text("src/db.ts").click()
    code = page.get_by_test_id("side-diff")
    expect(code.locator("ins", has_text="import").first).to_be_visible()
    expect(code.locator("del", has_text=re.compile(r"\w"))).to_have_count(0)
    page.set_viewport_size(PHONE)
    expect(page.get_by_test_id("diff").locator("ins").first).to_be_visible()
