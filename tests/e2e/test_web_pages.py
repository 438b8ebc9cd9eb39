"""Every page of the web app: readable for everybody, safe against what agents write, and small."""

import gzip
import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import PHONE, WIDE, chromium, person
from tests.e2e.service import PROJECT, up
from tests.e2e.web_walk import approve, at_gate, say, sign_up, with_own_brief

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

DIST = PROJECT / "interface" / "web" / "dist"
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
LARGEST_START_BYTES = 120_000
LARGEST_SHIFT = 0.02
PARTS = (
    "spec",
    "files",
    "talk",
    "runs",
    "history",
    "compare",
    "log&at=4",
    "log&zoom=timeline",
    "log&zoom=raw&event=4",
)

HOSTILE = """\
# Tools <script>alert(1)</script>

<img src=x onerror=alert(2)> <svg onload=alert(3)> <iframe src="https://evil.example/"></iframe>

- BF-1: ![](https://evil.example/pixel.png) [a](javascript:alert(4)) [b](data:text/html,<script>)
- BF-2: [c](https://evil.example/) <a href="javascript:alert(5)" onclick=alert(6)>d</a>
- BF-3: <style>body{display:none}</style><form action=//evil.example><input onfocus=alert(7)>
- BF-4: [e](vbscript:alert(8)) [f]( javascript:alert(9)) <https://evil.example/?q=1>
- BF-5: `<b onmouseover=alert(10)>` &lt;script&gt;alert(11)&lt;/script&gt; {@html alert(12)}
- BF-6: <math><mtext><table><mglyph><style><img src=x onerror=alert(13)>

[ref]: javascript:alert(14)

[ref] <base href="https://evil.example/"> <meta http-equiv=refresh content="0;url=//evil.example">

```html
<script>alert(15)</script><img src=x onerror=alert(16)>
```

```"><img/src=x/onerror=alert(17)>
x
```
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("pages") / "data") as url:
        yield url


@pytest.fixture(scope="module")
def signed_in(browser, service, tmp_path_factory):
    """The cookie of somebody with one finished feature, and the feature's id."""
    kept = tmp_path_factory.mktemp("pages") / "state.json"
    with person(browser, service) as who:
        page = sign_up(who, "pages")
        feature = with_own_brief(page, service)
        for gate in ("specification", "plan", "tests"):
            approve(page, gate)
        expect(page.get_by_test_id("done")).to_be_visible()
        who.context.storage_state(path=kept)
    return kept, feature


def violations(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    # What passes is found out too, and not told: telling took longer than finding.
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(all => all.violations)")
    return [
        f"{page.url}: {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]
    ]


def settled(page: Page) -> None:
    page.wait_for_load_state("load")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")


def loaded(page: Page) -> int:
    """Bytes of JavaScript that came over the wire for this page."""
    return page.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.name.endsWith('.js'))"
        ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
    )


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.campaign)])
def test_no_page_shuts_anybody_out(browser, service, signed_in, scheme):
    kept, feature = signed_in
    paths = [
        "/",
        "/app",
        "/app/features",
        f"/app/features?id={feature}",
        "/app/settings",
        "/app/audit",
        "/app/usage",
        "/none",
    ]
    paths += [f"/app/features/{feature}?show={part}" for part in PARTS]
    found: list[str] = []
    with person(browser, service, storage_state=kept, color_scheme=scheme) as who:
        page = who.page
        for path in paths:
            who.go(path)
            settled(page)
            for size in (WIDE, PHONE):
                page.set_viewport_size(size)
                found += violations(page)
                width = page.evaluate("document.documentElement.scrollWidth")
                if width > size["width"]:
                    found.append(f"{path} is {width} wide on {size['width']}")
        page.goto(f"{service}/app")
        expect(page.get_by_test_id("features")).to_be_visible()
        page.keyboard.press("Control+k")
        expect(page.get_by_role("combobox", name="Find or do something")).to_be_focused()
        found += violations(page)
        who.context.storage_state(path=kept)
    with person(browser, service, color_scheme=scheme, viewport=PHONE) as nobody:
        for path in ("/login", "/signup", "/forgot", "/reset#token=x"):
            nobody.go(path)
            settled(nobody.page)
            found += violations(nobody.page)
    assert found == []


def test_hostile_text_stays_text_wherever_it_is_shown(browser, service):
    """`person` fails on a dialog, a request elsewhere, and a report of the content policy."""
    with person(browser, service) as who:
        page = sign_up(who)
        page.goto(f"{service}/app/features")
        say(page, HOSTILE)
        sent = page.locator("[data-testid=messages] li[data-role=user]")
        expect(sent).to_contain_text("onerror=alert(2)")
        expect(page.locator("[data-testid=messages] li[data-role=agent]").first).to_be_visible()
        feature = with_own_brief(page, service, HOSTILE)
        at_gate(page, "specification")
        page.get_by_role("button", name=re.compile("^Rename")).click()
        field = page.get_by_role("textbox", name=re.compile("^Rename"))
        field.fill("<img src=x onerror=alert(1)>")
        field.press("Enter")
        expect(page.get_by_role("heading", level=1).first).to_have_text(
            "<img src=x onerror=alert(1)>"
        )
        for part in (
            "brief",
            "spec",
            "talk",
            "log",
            "log&zoom=timeline",
            "log&zoom=raw&event=2",
            "history",
        ):
            page.goto(f"{service}/app/features/{feature}?show={part}")
            settled(page)
        page.goto(f"{service}/app/features/{feature}?show=brief")
        shown = page.get_by_test_id("document")
        expect(shown).to_contain_text("onerror=alert(2)")
        assert (
            shown.locator("script, img, iframe, svg, style, form, input, base, meta").count() == 0
        )
        links = shown.locator(".prose a")
        assert {link.get_attribute("href") for link in links.all()} == {
            "https://evil.example/",
            "https://evil.example/?q=1",
        }
        assert {link.get_attribute("rel") for link in links.all()} == {
            "noopener noreferrer nofollow"
        }
        assert page.evaluate(
            "[...document.querySelectorAll('.prose *')].every(node => [...node.attributes].every("
            "one => !one.name.startsWith('on') && one.name !== 'style'))"
        )


def test_pages_come_with_a_policy_that_lets_nothing_inline_through(browser, service):
    with person(browser, service) as who:
        for path in ("/", "/login", "/app/settings"):
            answer = who.page.goto(service + path)
            assert answer is not None
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert re.search(r"script-src 'self'( 'sha256-[\w+/=]+')+;", policy)


def test_a_first_view_is_small_and_nothing_jumps(browser, service, signed_in):
    kept, _ = signed_in
    with person(browser, service, storage_state=kept) as who:
        who.context.add_init_script(
            "window.__shift = 0; new PerformanceObserver(list => list.getEntries().forEach(one => "
            "{ if (!one.hadRecentInput) window.__shift += one.value }))"
            ".observe({type: 'layout-shift', buffered: true});"
        )
        page = who.go("/")
        settled(page)
        assert page.evaluate("window.__shift") <= LARGEST_SHIFT
        assert loaded(page) < LARGEST_START_BYTES
        page = who.go("/app")
        expect(page.get_by_test_id("features")).to_be_visible()
        assert page.evaluate("window.__shift") <= LARGEST_SHIFT
        assert loaded(page) < LARGEST_START_BYTES
        who.context.storage_state(path=kept)


@pytest.mark.parametrize("page", ["index.html", "200.html"])
def test_what_a_first_visit_loads_is_small(page):
    """Everything that the page itself names: what its start, and the start page, are made of."""
    text = (DIST / page).read_text(encoding="utf-8")
    scripts = set(re.findall(r'"(/[\w./-]+\.js)"', text))
    assert scripts
    size = sum(len(gzip.compress((DIST / name[1:]).read_bytes(), 9)) for name in scripts)
    assert size < LARGEST_START_BYTES, f"{size} bytes"


def test_the_committed_build_has_no_maps_and_no_compressed_copies():
    kinds = {file.suffix for file in DIST.rglob("*") if file.is_file()}
    assert kinds <= {".html", ".js", ".css", ".svg", ".json"}
