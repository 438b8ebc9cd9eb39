"""The web app in a real browser, against the real service with the demo model."""

import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import (
    FEATURE,
    GATES,
    PASSWORD,
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
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("web") / "data", BP_DEMO_PACE_SECONDS="0.004") as url:
        yield url


def test_an_idea_becomes_a_zip_with_reloads_in_the_middle_of_everything(browser, service, tmp_path):
    with person(browser, service, accept_downloads=True) as ana:
        page = ana.go("/")
        page.get_by_role("link", name="Start with an idea").first.click()
        page = sign_up(ana)
        expect(page.get_by_text("Demo model")).to_be_visible()
        page.get_by_role("link", name="Describe your first feature").click()
        say(page, "An app where neighbours borrow tools from each other.")
        page.wait_for_url(re.compile(r"\?id="))
        page.reload()
        answered(page, 1)
        mine = page.locator("[data-testid=messages] li[data-role=user]")
        expect(mine).to_have_count(1)

        times = 1
        while not page.get_by_role("button", name="Confirm and start").is_visible():
            question = page.get_by_test_id("question").last
            expect(question.get_by_text("recommended", exact=True)).to_be_visible()
            question.get_by_role("button").first.click()
            times += 1
            answered(page, times)
        page.reload()
        answered(page, times)
        expect(mine).to_have_count(times)
        page.get_by_role("button", name="Confirm and start").click()
        page.wait_for_url(FEATURE)

        for gate in GATES:
            at_gate(page, gate)
            page.reload()
            at_gate(page, gate)
            approve(page, gate)
        expect(page.get_by_test_id("new-files").get_by_text("package.json")).to_be_visible()
        page.reload()
        expect(page.get_by_test_id("done")).to_be_visible()
        expect(page.get_by_text("Security review: passed")).to_be_visible()

        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download the code").click()
        file = tmp_path / "code.zip"
        downloading.value.save_as(file)
        archive = zipfile.ZipFile(file)
        assert archive.testzip() is None
        assert "package.json" in str(archive.namelist())

        page.get_by_test_id("parts").get_by_role("link", name="Files").click()
        page.get_by_test_id("files").get_by_text("src/db.ts").click()
        expect(page.locator("[data-testid=code] .tok-keyword").first).to_be_visible()
        page.get_by_test_id("parts").get_by_role("link", name="Log").click()
        expect(page.get_by_test_id("story").get_by_text("confirmed the brief")).to_be_visible()
        expect(page.get_by_test_id("seal")).to_have_text(re.compile(r"Log verified, \d+ events"))
        page.get_by_test_id("parts").get_by_role("link", name="Work and cost").click()
        expect(page.get_by_test_id("runs").get_by_text("demo-model").first).to_be_visible()


def test_a_person_discusses_revises_and_goes_back(browser, service):
    with person(browser, service) as bea:
        page = sign_up(bea)
        feature = with_own_brief(page, service)
        approve(page, "specification")
        at_gate(page, "plan")
        page.get_by_role("button", name="Discuss it").click()
        say(page, "Why is it planned like this?")
        answered(page, 1)
        page.get_by_role("link", name="Revise the brief").click()
        page.get_by_role("button", name="Edit").click()
        text = page.get_by_label("Text of the brief, in Markdown")
        text.fill(text.input_value() + "\n- BF-9: Print a list of all tools.\n")
        page.reload()
        page.get_by_role("button", name="Start over with this brief").click()
        confirm = page.get_by_role("dialog")
        expect(confirm.get_by_role("listitem")).to_have_text(["Specification", "Plan"])
        confirm.get_by_role("button", name="Start over with this brief").click()
        at_gate(page, "specification")
        page.get_by_role("button", name="What changed since the version before").click()
        expect(page.locator("ins", has_text=re.compile(r"\w")).first).to_be_visible()
        page.get_by_test_id("parts").get_by_role("link", name="Brief").click()
        expect(
            page.get_by_test_id("document").get_by_text("BF-9: Print a list of all tools")
        ).to_be_visible()

        page.goto(f"{service}/app/features/{feature}?show=history")
        plan = (
            page.get_by_test_id("checkpoints")
            .get_by_role("listitem")
            .filter(has_text="Plan to approve")
        )
        plan.first.get_by_role("button", name="Go back to here").click()
        page.get_by_role("dialog").get_by_role("button", name="Go back").click()
        at_gate(page, "plan")


def test_two_people_see_nothing_of_each_other(browser, service):
    with person(browser, service) as cai, person(browser, service) as dan:
        feature = with_own_brief(sign_up(cai), service)
        page = sign_up(dan)
        expect(page.get_by_test_id("empty")).to_be_visible()
        page.goto(f"{service}/app/features/{feature}")
        expect(page.get_by_role("heading", name="There is no such feature")).to_be_visible()


def test_the_dashboard_is_live_in_a_second_tab_and_titles_are_edited_in_place(browser, service):
    with person(browser, service) as eve:
        first = sign_up(eve)
        second = eve.tab()
        second.goto(f"{service}/app")
        expect(second.get_by_test_id("empty")).to_be_visible()
        with_own_brief(first, service)
        row = second.get_by_test_id("features").get_by_role("listitem")
        expect(row).to_have_count(1)
        expect(row.get_by_test_id("status")).to_have_text("Specification to approve")
        row.get_by_role("button", name=re.compile("^Rename")).click()
        row.get_by_role("textbox").fill("My own words")
        row.get_by_role("textbox").press("Enter")
        expect(first.get_by_role("heading", name="My own words")).to_be_visible()
        second.get_by_role("button", name="Undo").click()
        expect(row.get_by_role("link", name="My own words")).to_have_count(0)

        second.get_by_label("Search titles").fill("nothing of that name")
        expect(second.get_by_text("Nothing fits this filter")).to_be_visible()
        second.get_by_role("button", name="Show all features").click()
        expect(row).to_have_count(1)


def test_the_keyboard_is_enough(browser, service):
    with person(browser, service) as fay:
        page = sign_up(fay)
        with_own_brief(page, service)
        at_gate(page, "specification")
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        at_gate(page, "plan")
        page.keyboard.press("g")
        page.keyboard.press("f")
        expect(page.get_by_role("heading", name="Features")).to_be_visible()
        expect(page.get_by_test_id("features").get_by_role("listitem")).to_have_count(1)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        at_gate(page, "plan")
        page.keyboard.press("Control+k")
        page.keyboard.type("setti")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_a_key_is_stored_described_and_forgotten_and_never_shown(browser, service):
    with person(browser, service) as gus:
        sign_up(gus)
        page = gus.go("/app/settings")
        expect(page.get_by_text("so the demo model answers")).to_be_visible()
        page.get_by_label("Anthropic API key").fill(KEY)
        page.get_by_role("button", name="Store the key").click()
        expect(page.get_by_text(f"A key ending in {KEY[-4:]} is stored")).to_be_visible()
        expect(page.get_by_test_id("demo")).to_have_count(0)
        assert KEY not in page.content()
        page.reload()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_text("so the demo model answers")).to_be_visible()


def test_a_session_ends_in_all_tabs_and_leads_back_to_where_one_was(browser, service):
    with person(browser, service) as hal:
        page = hal.go("/signup")
        page.get_by_label("E-mail address").fill("hal@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Make an account").click()
        expect(page.get_by_test_id("empty")).to_be_visible()
        other = hal.tab()
        other.goto(f"{service}/app/settings")
        expect(other.get_by_role("heading", name="Settings")).to_be_visible()
        other.reload()
        expect(other.get_by_role("heading", name="Settings")).to_be_visible()
        other.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        other.get_by_label("E-mail address").fill("hal@example.com")
        other.get_by_label("Password", exact=True).fill("not the password")
        other.get_by_role("button", name="Sign in").click()
        expect(other.get_by_role("alert")).to_contain_text("not right")
        other.get_by_label("Password", exact=True).fill(PASSWORD)
        other.get_by_role("button", name="Sign in").click()
        expect(other.get_by_role("heading", name="Settings")).to_be_visible()


def test_a_reload_at_the_wrong_moment_signs_nobody_out(browser, service):
    with person(browser, service) as lea:
        page = sign_up(lea)
        lost = []

        def lose(route):
            lost.append(route.fetch().status)
            route.abort()

        page.route("**/auth/refresh", lose, times=1)
        with page.expect_event("requestfailed", lambda request: "/auth/refresh" in request.url):
            page.reload(wait_until="commit")
        page.reload()
        expect(page.get_by_role("heading", name="Features")).to_be_visible()
        assert lost == [200]


def test_a_lost_connection_sends_a_message_once(browser, service):
    with person(browser, service) as ida:
        page = sign_up(ida)
        page.goto(f"{service}/app/features")
        say(page, "A rota for volunteers.")
        answered(page, 1)
        ida.context.set_offline(True)
        say(page, "Twelve people use it.")
        expect(page.get_by_text("On its way")).to_be_visible()
        ida.context.set_offline(False)
        answered(page, 2)
        page.reload()
        answered(page, 2)
        expect(page.locator("[data-testid=messages] li[data-role=user]")).to_have_count(2)
        assert status(page)


def test_time_moves_the_whole_page_and_a_second_way_begins_in_the_past(browser, service):
    with person(browser, service) as jon:
        page = sign_up(jon)
        feature = with_own_brief(page, service)
        approve(page, "specification")
        at_gate(page, "plan")
        page.goto(f"{service}/app/features/{feature}?show=history")
        written = (
            page.get_by_test_id("checkpoints")
            .get_by_role("listitem")
            .filter(has_text="wrote the specification")
        )
        version = written.get_by_role("button", name="Go back to here").get_attribute(
            "data-version"
        )
        page.goto(f"{service}/app/features/{feature}?at={version}&show=plan")
        past = page.get_by_test_id("past")
        expect(past).to_contain_text(f"version {version} of")
        expect(page.get_by_text("Not written yet")).to_be_visible()
        expect(page.get_by_test_id("status").first).to_have_text("Specification to approve")
        expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile("^(Rename|Delete)"))).to_have_count(0)
        slider = page.get_by_role("slider", name="Version that this page shows")
        slider.focus()
        page.keyboard.press("ArrowLeft")
        expect(past).to_contain_text(f"version {int(version) - 1} of")
        page.wait_for_url(re.compile(f"at={int(version) - 1}"))
        page.keyboard.press("ArrowRight")
        past.get_by_role("button", name="Try something else from here").click()
        page.get_by_role("dialog").get_by_label("Title of the new feature").fill("Another way")
        page.get_by_role("dialog").get_by_role("button", name="Make it").click()
        expect(page.get_by_role("heading", name="Another way")).to_be_visible()
        at_gate(page, "specification")
        expect(page.get_by_text(f"Begun from version {version}")).to_be_visible()
        page.get_by_test_id("parts").get_by_role("link", name="Log").click()
        began = page.get_by_test_id("story").get_by_role("listitem").first
        expect(began).to_contain_text(f"You began a second way from version {version}")

        page.goto(f"{service}/app/features/{feature}?show=compare&from={version}")
        differences = page.get_by_test_id("difference")
        expect(differences.locator("summary").get_by_text("Plan", exact=True)).to_be_visible()
        expect(differences.get_by_text("only in the second").first).to_be_visible()
        page.get_by_label("Of", exact=True).select_option(label="Another way")
        expect(page).to_have_url(re.compile("with="))
        expect(differences).to_be_visible()
