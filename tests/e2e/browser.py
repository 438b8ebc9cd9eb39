"""A real browser for the tests of the web app, and what it must never see while they run.

Invariant: a page that was watched ran no dialog, asked no other host, broke no content policy and
threw nothing; each test ends by saying so.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

SHELL = shutil.which("chromium-headless-shell")
"""The same engine without windows: a test takes it a third less of the processor."""
CHROMIUM = SHELL or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless" if SHELL else "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",  # Nothing is drawn by one; a process of its own takes a tenth of the time.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
REPORTER = """
window.__broken = [];
addEventListener('securitypolicyviolation', (report) =>
    window.__broken.push(report.violatedDirective + ' ' + report.blockedURI));
"""


def needs_browser() -> None:
    """Skip, loudly, where there is no Chromium; where everything is checked, fail instead."""
    if CHROMIUM is None:
        missing = (
            "no chromium here: the web app was NOT tested (apt-get install chromium-headless-shell)"
        )
        if os.environ.get("CI") == "true":  # A test run's own circumstance.
            pytest.fail(missing)
        pytest.skip(missing)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, closed at the end."""
    needs_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A person's browser window at a service, and everything that went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.host = urlsplit(url).netloc
        self.troubles: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(REPORTER)
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.on("dialog", lambda dialog: (self.troubles.append("dialog"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.troubles.append(f"error {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)
        return page

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def check(self) -> None:
        for page in self.context.pages:
            self.troubles += page.evaluate("window.__broken ?? []")
        assert self.troubles == [], self.troubles

    def _said(self, message) -> None:
        if "Content Security Policy" in message.text:
            self.troubles.append(message.text)

    def _asked(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data") and address.netloc != self.host:
            self.troubles.append(f"request to {request.url}")


@contextmanager
def person(browser: Browser, url: str, **options) -> Iterator[Watched]:
    """A new profile, watched to its end."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    watched = Watched(context, url)
    try:
        yield watched
        watched.check()
    finally:
        context.close()
