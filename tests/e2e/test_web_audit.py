"""What was recorded and what it cost, in a real browser: the audit, usage and settings pages."""

import json
import re

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import PASSWORD, approve, at_gate, sign_up, with_own_brief

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

EMAIL = "long@example.com"
RENAMED = 300
DRAWN_AT_MOST = 150
PAGE = 200


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("audit") / "data") as url:
        yield url


@pytest.fixture(scope="module")
def renamed(service):
    """An account with a log of some length: one feature renamed over and over, and another one."""
    with httpx2.Client(base_url=service, trust_env=False) as http:
        account = {"email": EMAIL, "password": PASSWORD}
        token = http.post("/auth/signup", json=account).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        boats = http.post("/api/features", json={"title": "Boats"}).json()["id"]
        for number in range(RENAMED):
            answer = http.patch(f"/api/features/{boats}", json={"title": f"Boats {number}"})
        cakes = http.post("/api/features", json={"title": "Cakes"}).json()["id"]
        for feature, version in ((boats, answer.json()["version"]), (cakes, 1)):
            http.get(f"/api/features/{feature}", params={"min_version": version})
    return boats, cakes


def entries(page: Page):
    return page.get_by_test_id("audit").get_by_role("listitem")


def counted(page: Page, text: str) -> None:
    expect(page.get_by_test_id("count")).to_have_text(text)


def test_filters_stand_in_the_address_and_an_event_opens_in_place(browser, service):
    with person(browser, service) as kim:
        page = sign_up(kim)
        feature = with_own_brief(page, service)
        approve(page, "specification")
        at_gate(page, "plan")
        kim.go("/app/audit")
        expect(entries(page).filter(has_text="wrote the specification")).to_have_count(1)
        expect(entries(page).last).to_contain_text("began a feature")
        page.locator("summary", has_text="Anything").click()
        page.get_by_role("button", name="Only: approved the specification").click()
        page.get_by_role("button", name="Only: confirmed the brief").click()
        counted(page, "2 events")
        page.get_by_role("button", name="Not: confirmed the brief").click()
        counted(page, "1 event")
        assert "not_type=brief_confirmed" in page.url
        page.go_back()
        counted(page, "2 events")
        page.reload()
        counted(page, "2 events")
        page.go_forward()
        counted(page, "1 event")

        entries(page).get_by_role("button").click()
        event = page.get_by_test_id("event")
        content = event.get_by_role("region", name="Content of the event")
        expect(content).to_contain_text('"type": "spec_approved"')
        expect(event).to_contain_text(re.compile(r"[0-9a-f]{64}"))
        expect(event.get_by_text("What led to what")).to_be_visible()
        link = entries(page).get_by_role("link", name="as it was at version")
        found = re.fullmatch(rf"/app/features/{feature}\?at=(\d+)", link.get_attribute("href"))
        assert found is not None
        link.click()
        expect(page.get_by_test_id("past")).to_contain_text(f"version {found[1]} of")
        page.go_back()
        counted(page, "1 event")

        page.get_by_role("button", name="Clear all").click()
        expect(entries(page).last).to_contain_text("began a feature")
        assert "type=" not in page.url
        page.get_by_label("Who").select_option(label="Planner")
        expect(entries(page).first).to_contain_text("Planner wrote the plan")
        expect(entries(page).filter(has_text="You")).to_have_count(0)
        page.get_by_label("Only what went wrong").check()
        expect(page.get_by_text("Nothing is recorded that fits")).to_be_visible()
        page.wait_for_url(re.compile("problems=true"))


@pytest.mark.campaign
def test_a_long_log_is_searched_by_the_service_and_drawn_in_part(browser, service, renamed):
    boats, cakes = renamed
    with person(browser, service) as long:
        page = long.go("/login?next=/app/audit")
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        counted(page, f"At least {PAGE} events")
        for _ in range(3):
            page.keyboard.press("End")
            counted(page, f"{RENAMED + 2} events")
        expect(entries(page).last).to_contain_text("began a feature")
        expect(entries(page).nth(DRAWN_AT_MOST)).to_have_count(0)
        page.keyboard.press("Home")
        expect(entries(page).first).to_contain_text("Cakes")
        expect(entries(page).nth(DRAWN_AT_MOST)).to_have_count(0)

        # Titles, and what happened in the words of the page; the service finds both.
        search = page.get_by_role("searchbox", name="Search the log")
        search.fill("cakes")
        counted(page, "1 event")
        page.wait_for_url(re.compile("q=cakes"))
        expect(entries(page)).to_contain_text("You began a feature")
        search.fill("cakes renamed the feature")
        expect(page.get_by_text("Nothing is recorded that fits")).to_be_visible()
        search.fill(f"boats {RENAMED - 1} you began")
        counted(page, "1 event")
        page.reload()
        counted(page, "1 event")
        expect(search).to_have_value(f"boats {RENAMED - 1} you began")
        search.fill(cakes[:18])
        expect(entries(page).first).to_contain_text("Cakes")
        page.get_by_role("button", name="Clear all").click()

        chosen = page.get_by_role("combobox", name="Feature")
        chosen.fill("cak")
        page.get_by_role("option", name="Cakes").click()
        counted(page, "1 event")
        assert f"feature={cakes}" in page.url
        page.reload()
        expect(chosen).to_have_value("Cakes")
        with page.expect_download() as saved:
            page.get_by_role("button", name=re.compile("^Export this feature")).click()
        assert saved.value.suggested_filename == f"events-{cakes}.ndjson"
        (line,) = saved.value.path().read_text().splitlines()
        assert json.loads(line)["source"] == f"/api/features/{cakes}"
        page.goto(f"{service}/app/audit?to=2020-01-01T00:00Z")
        expect(page.get_by_text("Nothing is recorded that fits")).to_be_visible()
        page.goto(f"{service}/app/audit?feature={boats}&order=asc")
        expect(entries(page).first).to_contain_text("began a feature")


def test_what_agents_used_adds_up_on_the_page_and_settings_show_what_there_is(browser, service):
    with person(browser, service) as ute:
        page = sign_up(ute)
        with_own_brief(page, service)
        at_gate(page, "specification")
        page.keyboard.press("g")
        page.keyboard.press("u")
        for name in ("By agent", "By model", "By feature", "By day", "Why it was paid"):
            table = page.get_by_role("region", name=name).get_by_role("table")
            expect(table.get_by_role("columnheader", name="Tokens out")).to_be_visible()
        agents = page.get_by_role("region", name="By agent")
        expect(agents.get_by_role("row", name="Specification writer")).to_be_visible()
        features = page.get_by_role("region", name="By feature").get_by_role("link")
        expect(features).to_have_count(1)
        page.get_by_label("Period").select_option(label="Last 7 days")
        page.wait_for_url(re.compile("period=week"))
        expect(agents).to_be_visible()
        ute.go("/app/usage?from=2020-01-01&to=2020-01-31")
        expect(page.get_by_text("No agent worked in this time.")).to_be_visible()
        expect(page.get_by_label("Until and with")).to_have_value("2020-01-31")

        ute.go("/app/settings")
        key = httpx2.get(f"{service}/.well-known/log-key", trust_env=False).json()["verifier_key"]
        expect(page.get_by_test_id("log-key")).to_contain_text(key or "Nothing is signed yet")
        page.get_by_role("link", name="Ask for a new password").click()
        expect(page.get_by_role("heading", name="Ask for a new password")).to_be_visible()
