"""Many tabs of one person: all of them live, over one stream that one of them reads."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Watched, chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import BRIEF, answered, at_gate, say, sign_up, with_own_brief

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

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


@pytest.mark.campaign
def test_eight_tabs_share_one_stream_and_the_next_takes_over_when_its_reader_closes(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as ana:
        streams = Streams(ana)
        sign_up(ana)
        ids = [with_own_brief(ana.page, service, BRIEF + f"- BF-9: {n}.\n") for n in "ab"]
        ana.go("/app")
        tabs = [ana.page, *(ana.tab() for _ in range(TABS - 1))]
        ones, others = tabs[1:5], tabs[5:]
        for tab in ones + others:
            tab.goto(f"{service}/app/features/{ids[0] if tab in ones else ids[1]}")
            at_gate(tab, "specification")
        assert len(streams.open) == 1

        # Each is live, though another one reads: what one tab does, the others show.
        rows = tabs[0].get_by_test_id("features").get_by_role("listitem")
        for same, title in ((ones, "The first"), (others, "The second")):
            rename(same[0], title)
            for tab in same:
                expect(tab.get_by_role("heading", name=title, exact=True)).to_be_visible()
            expect(rows.get_by_role("link", name=title, exact=True)).to_be_visible()
        assert len(streams.open) == 1

        reader = streams.open[0]
        reader.close()
        left = [tab for tab in tabs if tab is not reader]
        first, *same = [tab for tab in left if tab in ones]
        rename(first, "After the reader")
        for tab in same:
            expect(tab.get_by_role("heading", name="After the reader")).to_be_visible()
        for tab in left:
            expect(tab.get_by_test_id("lost")).to_be_empty()
        assert len(streams.open) == 1
        assert streams.open[0] is not reader


@pytest.mark.campaign
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
