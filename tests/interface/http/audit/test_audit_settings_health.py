"""The log, the key, health, figures and pages over HTTP."""

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from msgspec.structs import replace

from application.transparency.verifier import verify
from tests.interface.world import (
    Person,
    World,
    data_folder,
    operators,
    public,
    serving,
    types_of,
)

KEY = "sk-ant-canary-0123456789-abcd"


async def test_the_log_comes_in_pages_and_whole(ann: Person, world: World) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}/events"
    log = world.log.of(ann.tenant, UUID(feature))
    first = (await ann.ask("GET", f"{path}?limit=3")).json()
    rest = (await ann.ask("GET", f"{path}?cursor={first['next_cursor']}")).json()
    items = first["items"] + rest["items"]
    assert [item["version"] for item in items] == list(range(1, len(log) + 1))
    assert [item["type"] for item in items] == types_of(log)
    assert rest["next_cursor"] is None
    assert set(items[0]) == {
        "position",
        "version",
        "event_id",
        "type",
        "schema_version",
        "actor",
        "recorded_at",
        "correlation_id",
        "causation_id",
        "payload",
        "hash",
        "previous_hash",
    }
    assert items[0]["actor"] == f"user:{ann.user}"
    assert items[0]["recorded_at"].endswith("Z")
    whole = await ann.ask("GET", path, headers={"Accept": "application/x-ndjson"})
    assert whole.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in whole.text.split("\n") if line]
    assert [line["id"] for line in lines] == [item["event_id"] for item in items]
    assert {line["specversion"] for line in lines} == {"1.0"}
    assert [line["sequence"] for line in lines] == sorted(line["sequence"] for line in lines)
    assert json.loads(lines[0]["data"]["personal"])["title"] == "Tools"
    assert all(name.isalnum() and name.islower() for name in lines[0])
    report = verify(whole.content.splitlines())
    assert (report.valid, report.events, report.sealed) == (True, len(items), 0)


async def test_a_cursor_that_nobody_gave_is_refused(ann: Person) -> None:
    feature = await ann.new_feature()
    for cursor in ("x", "djE6", "ZXZpbA", "%F0%9F%92%A9", "A" * 600):
        for path in ("events", "files"):
            answer = await ann.ask("GET", f"/api/features/{feature}/{path}?cursor={cursor}")
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_the_chain_is_verified(ann: Person) -> None:
    feature = await ann.new_feature()
    report = (await ann.ask("GET", f"/api/features/{feature}/events/verify")).json()
    assert report["valid"] is True
    assert (report["events"], report["first_broken_version"]) == (1, None)


async def test_a_key_is_stored_described_replaced_and_forgotten(ann: Person) -> None:
    path = "/api/settings/api-key"
    nothing = {"configured": False, "last4": None, "verified": False, "updated_at": None}
    assert (await ann.ask("GET", path)).json() == nothing
    stored = await ann.ask("PUT", path, json={"api_key": KEY})
    assert stored.json()["last4"] == "abcd"
    assert stored.json()["verified"] is True
    assert KEY not in stored.text
    assert (await ann.ask("DELETE", path)).status_code == 204
    assert (await ann.ask("DELETE", path)).status_code == 204
    assert (await ann.ask("GET", path)).json() == nothing


async def test_a_rejected_key_is_not_stored_and_an_unchecked_one_says_so(
    ann: Person, world: World
) -> None:
    path = "/api/settings/api-key"
    world.provider.says = False
    refused = await ann.ask("PUT", path, json={"api_key": KEY})
    assert (refused.status_code, refused.json()["code"]) == (400, "api_key_rejected")
    assert world.vault.keys == {}
    world.provider.says = None
    kept = await ann.ask("PUT", path, json={"api_key": KEY})
    assert (kept.status_code, kept.json()["verified"]) == (200, False)


@pytest.mark.parametrize("api_key", [KEY + "\n", KEY + " x", "short", KEY + "é", "x" * 513])
async def test_no_answer_and_no_log_line_holds_a_key(
    ann: Person, api_key: str, logged: list[MutableMapping[str, Any]]
) -> None:
    answer = await ann.ask("PUT", "/api/settings/api-key", json={"api_key": api_key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    assert answer.json()["errors"][0]["pointer"] == "/api_key"
    assert api_key not in answer.text
    assert "canary" not in str(logged)


async def test_health_asks_nobody_and_readiness_asks_all(ann: Person, world: World) -> None:
    assert (await ann.ask("GET", "/health")).json() == {"status": "ok", "version": "0.1.0"}
    healthy = world.doctor.report_now
    for report, status, word in (
        (healthy, 200, "ready"),
        (replace(healthy, nats=False), 200, "degraded"),
        (replace(healthy, artifacts=False), 200, "degraded"),
        (replace(healthy, jetstream=False), 200, "degraded"),
        (replace(healthy, conditional_writes=False), 200, "degraded"),
        (replace(healthy, conditional_writes=None), 200, "ready"),
        (replace(healthy, postgres=False, database="read_only"), 503, "unavailable"),
    ):
        world.doctor.report_now = report
        answer = await ann.ask("GET", "/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (status, word)
        for field in ("database", "jetstream", "conditional_writes"):
            assert answer.json()[field] == getattr(report, field)
    world.doctor.report_now = healthy
    world.services.stopping.set()
    assert (await ann.ask("GET", "/health/ready")).json()["status"] == "stopping"


async def test_figures_are_for_the_operator_only(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    await ann.ask("GET", f"/api/features/{feature}")
    assert (await ann.ask("GET", "/metrics")).status_code == 404
    async with serving(operators(world)) as address:
        answer = await ann.http.get(address + "/metrics")
        assert (await ann.http.get(address + "/health")).status_code == 200
        assert (await ann.http.get(address + "/api/features")).status_code == 404
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    counted = (
        'bp_http_requests_total{method="GET",route="/api/features/{feature_id}",status="200"} 1.0'
    )
    assert counted in answer.text
    assert feature not in answer.text


async def test_until_there_is_a_web_app_one_page_says_so(ann: Person) -> None:
    page = await ann.ask("GET", "/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "web app is not there yet" in page.text
    assert "demo model" not in page.text
    assert "http://127.0.0.1:8000/auth/signup" in page.text
    deep = await ann.ask("GET", "/features/42", headers={"Accept": "text/html"})
    assert deep.text == page.text
    again = await ann.ask("GET", "/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await ann.ask("HEAD", "/")
    assert (head.status_code, head.content) == (200, b"")
    described = await ann.ask("GET", "/openapi.json")
    assert described.json()["openapi"].startswith("3.1")


@pytest.mark.servers
async def test_with_the_demo_model_the_page_says_so(http: httpx2.AsyncClient) -> None:
    async with serving(public(World(demo_model=True))) as address:
        assert "demo model" in (await http.get(address)).text


@pytest.mark.servers
async def test_the_web_app_is_served_with_hashes_for_its_own_scripts(
    http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    web = data_folder(
        tmp_path / "dist",
        {
            "index.html": b"<script>start()</script><style>a{}</style>",
            "200.html": b"<p>app</p>",
            "_app/immutable/a.js": b"let a = 1;\n" * 200,
            "_app/immutable/a.js.map": b"{}",
        },
    )
    (tmp_path / "secret.txt").write_text("secret")
    async with serving(public(World(web=web, public_url="https://app.example"))) as address:
        page = await http.get(address)
        policy = page.headers["content-security-policy"]
        assert policy.count("'sha256-") == 2
        assert "unsafe" not in policy
        assert page.headers["strict-transport-security"].startswith("max-age=31536000")
        asset = await http.get(address + "/_app/immutable/a.js")
        assert asset.text.startswith("let a = 1;")
        assert asset.headers["content-encoding"] == "gzip"
        assert "immutable" in asset.headers["cache-control"]
        deep = await http.get(address + "/features/1", headers={"Accept": "text/html"})
        assert deep.text == "<p>app</p>"
        for path in (
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/_app/immutable/a.js.map",
            "/_app/immutable/b.js",
        ):
            answer = await http.get(address + path, headers={"Accept": "text/html"})
            assert "secret" not in answer.text
            assert answer.status_code == 404 or answer.text == "<p>app</p>", path
