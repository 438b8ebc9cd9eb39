"""The finished feel: everything by keyboard, heard as well as seen, and whatever people write."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import PHONE, Watched, chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import at_gate, sign_up, with_own_brief

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

MANY = 260
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" + "s" * 40
ARABIC = "متجر الكتب المستعملة في الحي"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with up(tmp_path_factory.mktemp("finish") / "data", BP_DEMO_PACE_SECONDS="0.004") as url:
        yield url


def choose(page: Page, words: str) -> None:
    """By the command palette, without a mouse."""
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Find or do something")
    expect(field).to_be_focused()
    field.fill(words)
    found = page.get_by_role("listbox", name="Find or do something")
    expect(found.get_by_role("option", selected=True)).to_contain_text(
        re.compile(words, re.IGNORECASE)
    )
    page.keyboard.press("Enter")


def make(who: Watched, *titles: str) -> None:
    """Features of these titles, as a program of this person makes them."""
    with who.page.expect_request("**/api/**") as asked:
        who.go("/app")
    token = asked.value.headers["authorization"]
    for title in titles:
        answer = who.context.request.post(
            f"{who.url}/api/features", data={"title": title}, headers={"authorization": token}
        )
        assert answer.ok


@pytest.mark.campaign
def test_the_palette_reaches_what_is_legal_now_every_part_page_feature_and_look(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as ana:
        page = sign_up(ana)
        feature = with_own_brief(page, service)
        at_gate(page, "specification")
        choose(page, "go to the approval")
        expect(page.get_by_role("button", name="Approve this specification")).to_be_focused()
        choose(page, "work and cost")
        expect(page.get_by_test_id("runs")).to_be_visible()
        choose(page, "discuss it")
        expect(page.get_by_test_id("part")).to_be_visible()
        choose(page, "delete")
        expect(page.get_by_role("dialog", name="Delete this feature?")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        choose(page, "rename")
        field = page.get_by_role("textbox", name=re.compile("^Rename"))
        field.fill("A lending list")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="A lending list")).to_be_visible()
        choose(page, "appearance: dark")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        choose(page, "audit")
        expect(page.get_by_role("heading", name="Audit")).to_be_visible()
        page.keyboard.press("Control+k")
        expect(page.get_by_role("option", name="Go to the approval")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("combobox", name="Find or do something")).to_have_count(0)
        choose(page, "lending")
        page.wait_for_url(f"**/app/features/{feature}")


def test_the_list_of_keys_opens_with_a_question_mark_and_closes_with_escape(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as bea:
        page = sign_up(bea)
        with_own_brief(page, service)
        at_gate(page, "specification")
        page.keyboard.press("?")
        keys = page.get_by_role("dialog", name="Keyboard")
        expect(keys).to_contain_text("Next and previous in a list")
        page.keyboard.press("Escape")
        expect(keys).to_have_count(0)
        page.keyboard.press("Control+k")
        palette = page.get_by_role("combobox", name="Find or do something")
        expect(palette).to_be_focused()
        page.keyboard.press("Escape")
        expect(palette).to_have_count(0)
        page.keyboard.press("?")
        expect(keys).to_be_visible()


def test_what_agents_finish_is_said_and_not_every_word_they_write(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as cai:
        page = sign_up(cai)
        other = cai.tab()
        other.goto(f"{service}/app")
        expect(other.get_by_test_id("empty")).to_be_visible()
        with_own_brief(page, service)
        at_gate(page, "specification")
        said = page.locator("[role=status]", has_text="Specification to approve")
        expect(said).to_have_count(1)
        assert page.locator("[aria-live] [data-testid=gate]").count() == 0
        expect(other.locator("[role=status]", has_text="Specification to approve")).to_have_count(1)


@pytest.mark.campaign
def test_hundreds_of_features_come_page_by_page_and_stay_where_they_are(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as dan:
        page = sign_up(dan)
        make(dan, *(f"Feature {number}" for number in range(MANY)))
        dan.go("/app")
        rows = page.get_by_test_id("features").get_by_role("listitem")
        expect(rows).to_have_count(50)
        for count in (100, 150, 200, 250, MANY):
            page.get_by_role("button", name="Show more").click()
            expect(rows).to_have_count(count)
        expect(page.get_by_role("button", name="Show more")).to_have_count(0)
        last = rows.last
        last.get_by_role("button", name=re.compile("^Rename")).click()
        last.get_by_role("textbox").fill("The very first")
        last.get_by_role("textbox").press("Enter")
        expect(rows.get_by_role("link", name="The very first")).to_be_visible()
        expect(rows).to_have_count(MANY)
        page.get_by_label("Search titles").fill("very first")
        expect(rows).to_have_count(1)


def test_titles_may_be_of_one_long_word_or_run_from_right_to_left(
    browser: Browser, service: str
) -> None:
    with person(browser, service, viewport=PHONE) as eva:
        page = sign_up(eva)
        make(eva, LONG, ARABIC)
        eva.go("/app")
        rows = page.get_by_test_id("features")
        expect(rows.get_by_role("link", name=LONG)).to_be_visible()
        arabic = rows.get_by_role("link", name=ARABIC)
        assert arabic.evaluate("node => getComputedStyle(node).direction") == "rtl"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        rows.get_by_role("link", name=LONG).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(LONG)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_nothing_moves_for_those_who_ask_for_it(browser: Browser, service: str) -> None:
    with person(browser, service, reduced_motion="reduce") as fay:
        page = sign_up(fay)
        with_own_brief(page, service)
        at_gate(page, "specification")
        moving = page.evaluate(
            "document.getAnimations().filter(one => one.effect.getTiming().duration > 1).length"
        )
        assert moving == 0
