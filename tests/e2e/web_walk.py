"""What people do in the web app, in a few words each."""

import re
from itertools import count

from playwright.sync_api import Page, expect

from tests.e2e.browser import Watched

PASSWORD = "correct horse battery staple"  # noqa: S105  # Of accounts that live for a test.
GATES = ("specification", "plan", "tests")
FEATURE = re.compile(r"/app/features/([0-9a-f-]{36})")
BRIEF = "# Tools\n\n## What it must do\n\n- BF-1: Keep a list of tools.\n- BF-2: Lend a tool.\n"

_people = count(1)


def sign_up(who: Watched, name: str = "") -> Page:
    page = who.go("/signup")
    page.get_by_label("E-mail address").fill(f"{name or 'w'}{next(_people)}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_role("heading", name="Features")).to_be_visible()
    return page


def say(page: Page, words: str) -> None:
    field = page.get_by_role("textbox", name="What would you like to have?")
    field.fill(words)
    field.press("Enter")


def answered(page: Page, times: int) -> None:
    """Wait until the analyst has answered so often, and is silent."""
    whole = page.locator("[data-testid=messages] li[data-role=agent]:not([data-testid=answering])")
    expect(whole, "answers").to_have_count(times)
    expect(page.get_by_test_id("answering")).to_have_count(0)


def with_own_brief(page: Page, url: str, brief: str = BRIEF) -> str:
    """A feature from a brief brought along; its id. Ends where the specification is written."""
    page.goto(f"{url}/app/features")
    page.get_by_role("button", name="Write the brief myself").click()
    page.get_by_label("Text of the brief, in Markdown").fill(brief)
    page.get_by_role("button", name="Confirm and start").click()
    page.wait_for_url(FEATURE)
    found = FEATURE.search(page.url)
    assert found is not None
    return found[1]


def at_gate(page: Page, gate: str) -> None:
    """Wait for a gate and for what the reviewer recommends there."""
    expect(page.get_by_role("button", name=f"Approve this {gate}")).to_be_visible()
    expect(page.get_by_role("heading", name="The reviewer recommends")).to_be_visible()


def approve(page: Page, gate: str) -> None:
    at_gate(page, gate)
    page.get_by_role("button", name=f"Approve this {gate}").click()


def status(page: Page) -> str:
    return page.get_by_test_id("status").first.get_attribute("data-status") or ""
