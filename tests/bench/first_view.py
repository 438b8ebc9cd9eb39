"""How soon a page is there in a real browser: `python -m tests.bench.first_view [RUNS]`.

Prints figures, asserts none: first and largest contentful paint, layout shift, and bytes of
JavaScript over the wire, each time in a new profile, so with an empty cache.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import expect

from tests.e2e.browser import chromium, person
from tests.e2e.service import up
from tests.e2e.web_walk import approve, sign_up, with_own_brief

RUNS: Final = 7
WATCHING: Final = """
window.__view = {largest: 0, shift: 0};
new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    window.__view.largest = one.startTime;
})).observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    if (!one.hadRecentInput) window.__view.shift += one.value;
})).observe({type: 'layout-shift', buffered: true});
"""
SETTLED: Final = "document.fonts.ready.then(() => new Promise(requestAnimationFrame))"
SEEN: Final = """() => ({...window.__view,
    first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
    bytes: performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js'))
        .reduce((sum, one) => sum + one.encodedBodySize, 0)})"""


def main(runs: int) -> None:
    with (
        tempfile.TemporaryDirectory() as root,
        up(Path(root) / "data") as url,
        chromium() as browser,
    ):
        kept = Path(root) / "state.json"
        with person(browser, url) as who:
            page = sign_up(who)
            feature = with_own_brief(page, url)
            for gate in ("specification", "plan", "tests"):
                approve(page, gate)
            expect(page.get_by_test_id("done")).to_be_visible()
            who.context.storage_state(path=kept)
        # What shows that a page is whole: its own content, not only its frame.
        pages = {"/": "main h1", "/app": "[data-testid=features]"}
        pages[f"/app/features/{feature}"] = "[data-testid=done]"
        for path, whole in pages.items():
            seen: list[dict[str, Any]] = []
            for _ in range(runs):
                with person(browser, url, storage_state=kept) as who:
                    who.context.add_init_script(WATCHING)
                    page = who.go(path)
                    expect(page.locator(whole).first).to_be_visible()
                    page.wait_for_load_state("networkidle" if path == "/" else "load")
                    page.evaluate(SETTLED)
                    seen.append(page.evaluate(SEEN))
                    who.context.storage_state(path=kept)
            told(path.replace(feature, "{id}"), seen)


def told(path: str, seen: list[dict[str, Any]]) -> None:
    first = [one["first"] for one in seen]
    largest = [one["largest"] for one in seen]
    sys.stdout.write(
        f"{path}: first contentful paint {statistics.median(first):.0f} ms"
        f" ({min(first):.0f} to {max(first):.0f}), largest {statistics.median(largest):.0f} ms"
        f" ({min(largest):.0f} to {max(largest):.0f}),"
        f" shift {max(one['shift'] for one in seen):.4f},"
        f" {seen[-1]['bytes'] / 1000:.0f} kB of JavaScript, {len(seen)} runs\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
