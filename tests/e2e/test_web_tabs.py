"""Many tabs of one person: all of them live, over one stream that one of them reads."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Watched, chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import BRIEF, answered, approve, at_gate, say, sign_up, with_own_brief

pytestmark = pytest.mark.timeout(120)

TABS = 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with up(tmp_path_factory.mktemp("tabs") / "data") as url:
        yield url


class Streams:
    """The live streams that the tabs of a person have open."""

    def __init__(self, who: Watched) -> None:
        self._open: list[Page] = []
        who.context.on("request", self._asked)
        who.context.on("requestfinished", self._ended)
        who.context.on("requestfailed", self._ended)

    @property
    def open(self) -> list[Page]:
        """The tabs that read; what a closed tab read, nobody reports to have ended."""
        return [tab for tab in self._open if not tab.is_closed()]

    def _asked(self, request) -> None:
        if "/live" in request.url:
            self._open.append(request.frame.page)

    def _ended(self, request) -> None:
        if "/live" in request.url and request.frame.page in self._open:
            self._open.remove(request.frame.page)


def rename(page: Page, title: str) -> None:
    page.get_by_role("button", name="Rename").click()
    field = page.get_by_role("textbox", name="Rename")
    field.fill(title)
    field.press("Enter")


def test_eight_tabs_share_one_stream_and_the_next_takes_over_when_its_reader_closes(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as ana:
        streams = Streams(ana)
        sign_up(ana)
        tabs = [ana.page, *(ana.tab() for _ in range(TABS - 1))]
        features = [
            with_own_brief(tab, service, BRIEF + f"- BF-9: Number {number}.\n")
            for number, tab in enumerate(tabs[1:])
        ]
        for tab in tabs[1:]:
            at_gate(tab, "specification")
        tabs[0].goto(f"{service}/app")
        rows = tabs[0].get_by_test_id("features").get_by_role("listitem")
        expect(rows).to_have_count(len(features))
        assert len(streams.open) == 1

        # Each is live, though another one reads: what one tab does, another shows.
        for number, tab in enumerate(tabs[1:]):
            rename(tab, f"Title {number}")
            expect(rows.get_by_role("link", name=f"Title {number}", exact=True)).to_be_visible()
        twin = ana.tab()
        twin.goto(f"{service}/app/features/{features[0]}")
        at_gate(twin, "specification")
        approve(tabs[1], "specification")
        at_gate(twin, "plan")
        assert len(streams.open) == 1

        reader = streams.open[0]
        rest = [tab for tab in (*tabs, twin) if tab is not reader]
        reader.close()
        renamed = next(tab for tab in rest if tab not in (twin, tabs[0], tabs[1]))
        rename(renamed, "After the reader")
        seen_by = twin if reader is not twin else tabs[1]
        approve(seen_by, "plan")
        for tab in rest:
            expect(tab.get_by_test_id("lost")).to_be_empty()
        expect(renamed.get_by_role("heading", name="After the reader")).to_be_visible()
        assert len(streams.open) == 1
        assert streams.open[0] is not reader


def test_a_tab_shows_what_an_agent_writes_though_another_tab_reads(
    browser: Browser, tmp_path
) -> None:
    with (
        up(tmp_path / "data", BP_DEMO_PACE_SECONDS="0.05") as url,
        person(browser, url) as bea,
    ):
        streams = Streams(bea)
        sign_up(bea)
        bea.go("/app/features")
        say(bea.page, "A list of tools.")
        bea.page.wait_for_url(re.compile(r"\?id="))
        other = bea.tab()
        other.goto(bea.page.url)
        words = other.get_by_test_id("answering").locator(".caret")
        expect(words).to_contain_text(re.compile(r"\w+ \w+"))
        assert [tab is bea.page for tab in streams.open] == [True]
        answered(other, 1)
