"""The audit page over a long log, in a real browser: `python -m tests.bench.audit_page [EVENTS]`.

Prints figures, asserts none on time: the first rows, a search, scrolling to the end, what the page
holds by then, and what the database does for each question.
"""

import asyncio
import statistics
import sys
import time
from typing import Any, Final

import httpx2
import psycopg
from playwright.sync_api import Page, expect

from application.audit.events import EventFilter, SearchTerm
from infrastructure.audit.log import PostgresAuditLog
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from interface.foundation import read_note
from interface.settings import Settings
from tests.bench.filled import EMAIL, Filled, filled
from tests.e2e.browser import Watched, chromium, person
from tests.e2e.web_walk import PASSWORD

EVENTS: Final = 10_000
TIMES: Final = 5
LOOKS: Final = 20
FRAME_MS: Final = 1000 / 60
WATCHING: Final = """
window.__long = [];
performance.setResourceTimingBufferSize(5000);
const longer = (list) => list.getEntries().forEach((one) => window.__long.push(one.duration));
new PerformanceObserver(longer).observe({type: 'longtask', buffered: true});
"""
ROWS: Final = "document.querySelectorAll('[data-testid=audit] [role=listitem]').length"
FIRST_ROWS: Final = f"""() => new Promise((told) => {{
    const look = () => ({ROWS} > 0) ? told(performance.now()) : requestAnimationFrame(look);
    look();
}})"""
SEARCH: Final = """(words) => new Promise((told) => {
    const field = document.querySelector('input[type=search]');
    const began = performance.now();
    field.value = words;
    field.dispatchEvent(new Event('input', {bubbles: true}));
    const asked = () => performance.getEntriesByType('resource').findLast((one) =>
        one.name.includes('/api/events?') && one.name.includes('&q=') === (words !== '') &&
        one.startTime > began && one.responseEnd > 0);
    const look = () => {
        const one = asked();
        if (one) requestAnimationFrame(() => told([performance.now() - began, one.duration]));
        else requestAnimationFrame(look);
    };
    look();
})"""
SCROLL: Final = """() => new Promise((told) => {
    const gaps = [], nodes = [];
    let before = performance.now(), still = 0;
    const step = (now) => {
        gaps.push(now - before);
        before = now;
        scrollBy(0, 400);
        if (gaps.length % 20 === 0) nodes.push(document.querySelectorAll('*').length);
        const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
        const more = [...document.querySelectorAll('button')].some((one) =>
            one.textContent.trim() === 'Show more');
        still = end && !more ? still + 1 : 0;
        if (still > 30) told({gaps, nodes: Math.max(...nodes)});
        else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""


def say(name: str, *figures: str) -> None:
    sys.stdout.write(f"{name}: {'; '.join(figures)}\n")


def signed_in(who: Watched) -> Page:
    page = who.go("/login?next=/app/settings")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    return page


def long_tasks(page: Page) -> str:
    tasks: list[float] = page.evaluate("window.__long.splice(0)")
    return f"{len(tasks)} long tasks" + (f", the longest {max(tasks):.0f} ms" if tasks else "")


def first_rows(who: Watched) -> None:
    taken = []
    for _ in range(TIMES):
        page = who.go("/app/audit")
        taken.append(page.evaluate(FIRST_ROWS))
    median, worst = statistics.median(taken), max(taken)
    figures = (f"median {median:.0f} ms, worst {worst:.0f} ms of {TIMES}", long_tasks(page))
    say("from the address to the first rows", *figures)


def searches(page: Page) -> None:
    for words in ("approved", "cake plan", "model_refused", "nothing has this", "planner wrote"):
        taken, asked = page.evaluate(SEARCH, words)
        count = page.get_by_test_id("count").inner_text()
        figures = (f"{taken:.0f} ms from the last key", f"the request {asked:.0f} ms", count)
        say(f"search for “{words}”", *figures)
        page.evaluate(SEARCH, "")
    say("all searches", long_tasks(page))


def scrolling(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> dict[str, float]:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in metrics}

    before, began = spent(), time.perf_counter()
    found: dict[str, Any] = page.evaluate(SCROLL)
    seconds, after = time.perf_counter() - began, spent()
    gaps = sorted(found["gaps"])
    dropped = sum(max(0, round(gap / FRAME_MS) - 1) for gap in gaps)
    count = page.get_by_test_id("count").inner_text()
    say(
        "scrolling to the end, 400 px a frame",
        count,
        f"{seconds:.1f} s",
        f"{len(gaps)} frames, {dropped} dropped",
        f"gap p50 {gaps[len(gaps) // 2]:.1f}, p99 {gaps[int(len(gaps) * 0.99)]:.1f},"
        f" worst {gaps[-1]:.0f} ms",
        long_tasks(page),
        f"at most {found['nodes']} nodes",
        f"{page.evaluate(ROWS)} rows drawn at the end",
    )
    frames = len(gaps)
    parts = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    each = (f"{one} {1000 * (after[one] - before[one]) / frames:.2f} ms" for one in parts)
    say("CPU of the page's main thread, a frame", *each)
    heap = page.evaluate("performance.memory?.usedJSHeapSize ?? 0")
    say("JavaScript heap at the end", f"{heap / 2**20:.0f} MB")


QUESTIONS: Final = {
    "newest 200": EventFilter(),
    "of two types": EventFilter(types=("plan_approved", "feature_created")),
    "without two types": EventFilter(not_types=("step_started", "feature_created")),
    "what went wrong": EventFilter(problems=True),
    "a word in a title": EventFilter(words=(SearchTerm("cake"),)),
    "words that nothing has": EventFilter(
        words=(SearchTerm("nothing"), SearchTerm("like"), SearchTerm("this"))
    ),
}


async def questions(there: Filled) -> None:
    """What the database needs for a page, and how it goes about it."""
    noted = read_note(Settings(data_dir=there.folder))
    assert noted is not None
    ring = KeyRing(MasterKey.from_file(there.folder / "master.key"))
    async with Database(noted.database, "bp_api", max_size=2) as database:
        audit = PostgresAuditLog(database, ring)
        for name, wanted in QUESTIONS.items():
            times = []
            for _ in range(LOOKS):
                began = time.perf_counter()
                found = await audit.entries(
                    there.tenant, wanted, beyond=None, limit=200, ascending=False
                )
                times.append((time.perf_counter() - began) * 1000)
            times.sort()
            say(
                f"the log asked for: {name}",
                f"p50 {times[LOOKS // 2]:.1f} ms, worst {times[-1]:.1f} ms of {LOOKS}",
                f"{len(found.entries)} found",
            )


def measure(there: Filled) -> None:
    noted = read_note(Settings(data_dir=there.folder))
    assert noted is not None
    with psycopg.connect(noted.database, autocommit=True) as connection:
        row = connection.execute("select count(*), count(distinct stream_id) from es.events")
        events, features = row.fetchone() or (0, 0)
    say("log", f"{events:,} events of {features:,} features")
    asyncio.run(questions(there))
    with chromium() as browser, person(browser, there.url) as who:
        who.context.add_init_script(WATCHING)
        page = signed_in(who)
        first_rows(who)
        expect(page.get_by_test_id("audit")).to_be_visible()
        searches(page)
        scrolling(page)
    answer = httpx2.get(f"{there.url}/health", trust_env=False)
    say("the service afterwards", answer.json()["status"])


if __name__ == "__main__":
    with filled(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS) as service:
        measure(service)
