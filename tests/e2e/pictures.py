"""Takes a picture of every page of the web app: `python -m tests.e2e.pictures [FOLDER]`.

Each state of each page in two sizes, light and dark, from the real service with the demo model.
They are for people to look at; no test compares them.
"""

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.browser import PHONE, WIDE, chromium, person
from tests.e2e.service import PROJECT, up
from tests.e2e.web_walk import answered, approve, at_gate, say, sign_up

FOLDER = PROJECT / "docs" / "images" / "web"
SIZES = (("wide", WIDE), ("phone", PHONE))
SCHEMES = ("light", "dark")
PACE_SECONDS = "0.02"
"""Slow enough for what an agent is writing to be seen."""

IDEA = "A tool library for Elm Street: neighbours lend each other tools and see who has what."


class Camera:
    """Takes what a page shows, in every size and scheme."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder

    def take(self, name: str) -> None:
        for size, viewport in SIZES:
            self.page.set_viewport_size(viewport)
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                path = self.folder / f"{name}-{size}-{scheme}.png"
                self.page.screenshot(path=path, animations="disabled")
        self.page.set_viewport_size(WIDE)
        sys.stdout.write(f"{name}\n")

    def go(self, url: str, name: str) -> None:
        self.page.goto(url)
        expect(self.page.get_by_role("heading", level=1).first).to_be_visible()
        self.page.wait_for_load_state("networkidle" if "/app" not in url else "load")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        self.take(name)


def walk(camera: Camera, url: str) -> None:
    page = camera.page
    camera.go(f"{url}/app", "dashboard-empty")
    page.goto(f"{url}/app/features")
    say(page, IDEA)
    answered(page, 1)
    camera.take("conversation")
    times = 1
    while not page.get_by_role("button", name="Confirm and start").is_visible():
        page.get_by_test_id("question").last.get_by_role("button").first.click()
        times += 1
        answered(page, times)
    camera.take("brief")
    page.get_by_role("button", name="Confirm and start").click()
    page.wait_for_url(re.compile(r"/app/features/[0-9a-f-]{36}"))
    feature = page.url.split("?")[0]
    expect(page.get_by_test_id("words")).to_contain_text(re.compile(r"\w{4}.*\n.*\n"))
    camera.take("working")
    at_gate(page, "specification")
    camera.take("gate")
    for gate in ("specification", "plan", "tests"):
        approve(page, gate)
    expect(page.get_by_test_id("done")).to_be_visible(timeout=120_000)
    camera.take("done")
    for part in ("files", "runs", "history", "compare&from=8", "log", "log&zoom=timeline"):
        camera.go(f"{feature}?show={part}", re.sub(r"&\w+=", "-", part).removesuffix("-8"))
    camera.go(f"{feature}?show=log&zoom=raw", "log-raw")
    camera.go(f"{feature}?show=spec&at=20", "past")
    for path in ("", "audit", "usage", "settings"):
        camera.go(f"{url}/app/{path}", path or "dashboard")


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as data,
        up(Path(data) / "data", BP_DEMO_PACE_SECONDS=PACE_SECONDS) as url,
        chromium() as browser,
    ):
        with person(browser, url) as nobody:
            camera = Camera(nobody.page, folder)
            for path, name in (("/", "landing"), ("/login", "login"), ("/signup", "signup")):
                camera.go(url + path, name)
        with person(browser, url) as who:
            walk(Camera(sign_up(who), folder), url)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
