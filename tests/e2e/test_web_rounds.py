"""A finished application is changed in the browser: said, proposed, confirmed, finished again."""

import io
import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import GATES, answered, approve, say, sign_up, with_own_brief

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

WISH = "Please also keep a list of repairs. Each repair has a tool, a date and a cost."


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("web") / "data", BP_DEMO_PACE_SECONDS="0.004") as url:
        yield url


def finish(page: Page) -> None:
    for gate in GATES:
        approve(page, gate)
    expect(page.get_by_test_id("done")).to_be_visible()


def files_of(page: Page, name: str) -> dict[str, bytes]:
    with page.expect_download() as downloading:
        page.get_by_role("button", name=name).click()
    with zipfile.ZipFile(io.BytesIO(downloading.value.path().read_bytes())) as archive:
        return {path.partition("/")[2]: archive.read(path) for path in archive.namelist()}


def test_what_is_done_is_changed_and_the_round_before_stays(browser, service):
    with person(browser, service, accept_downloads=True) as ana:
        page = sign_up(ana)
        feature = with_own_brief(page, service)
        finish(page)
        first = files_of(page, "Download the code")
        assert "documents/changelog.md" not in first

        page.get_by_role("link", name="Change it").click()
        expect(page.get_by_role("heading", name="What should change?")).to_be_visible()
        say(page, WISH)
        answered(page, 1)
        expect(page.get_by_test_id("brief").get_by_text(WISH).first).to_be_visible()
        touched = page.get_by_test_id("touched")
        touched.locator("summary").click()
        expect(touched).to_contain_text("src/server.ts")
        page.get_by_role("button", name="Confirm and begin the next round").click()
        page.wait_for_url(f"**/app/features/{feature}")
        finish(page)

        rounds = page.get_by_test_id("rounds")
        expect(rounds.get_by_role("heading", name="Round 2")).to_be_visible()
        rounds.get_by_text("What has changed since round 1").click()
        expect(rounds.get_by_test_id("changelog").get_by_text(WISH)).to_be_visible()
        second = files_of(page, "Download the code")
        assert WISH in second["documents/changelog.md"].decode()
        assert "code/src/entities/repairs.ts" in second
        stays = {path for path in first if second.get(path) == first[path]}
        assert {f"code/{name}" for name in ("src/server.ts", "src/db.ts", "public/app.js")} <= stays
        assert files_of(page, "Download round 1") == first

        rounds.get_by_role("link", name="Look at round 1").click()
        past = page.get_by_test_id("past")
        expect(past).to_be_visible()
        expect(page.get_by_test_id("files")).to_be_visible()
        expect(page.get_by_text("src/entities/repairs.ts")).to_have_count(0)
        past.get_by_role("button", name="Back to now").click()
        expect(rounds).to_be_visible()

        page.get_by_role("button", name="Start a similar one").click()
        expect(page.get_by_role("button", name="Confirm and start")).to_be_visible()
        expect(page.get_by_test_id("brief").get_by_text(WISH).first).to_be_visible()
        assert feature not in page.url
