"""Two tenants on every route of the API document: what is another's is what is not there."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import msgspec
import pytest
import structlog
from uuid_utils.compat import uuid7

from interface.http import openapi
from tests import given
from tests.interface.world import Person, World, public, serving

DOCUMENT = json.loads(openapi.FILE.read_text())
BODIES: dict[str, Any] = {
    "rename_feature": {"title": "Mine now"},
    "confirm_brief": {"brief": "- BF-1 mine"},
    "revise_brief": {"brief": "- BF-1 mine"},
    "request_rewrite": {
        "gate": "spec",
        "content_sha256": "a" * 64,
        "comments": [{"text": "Not so."}],
    },
    "edit_document": {
        "gate": "spec",
        "content_sha256": "a" * 64,
        "document": msgspec.to_builtins(given.SPEC),
    },
    "preview_change": {"brief": "- BF-1 mine"},
    "approve": {"gate": "spec", "content_sha256": "0" * 64},
    "replay_feature": {"version": 1},
    "stop_work": {"reason": "Too dear."},
    "fork_feature": {"version": 1},
    "post_message": {"text": "Hello"},
    "store_api_key": {"api_key": "sk-ant-other-0123456789"},
    "create_feature": {"title": "Another"},
}
QUERIES: dict[str, Any] = {
    "diff_features": {"from": 1},
    "estimate_cost": {"action": "approve"},
    "read_reason": {"line": 1},
    "read_standing": {"point": "BF-1"},
}
OPERATIONS = sorted(
    (operation["operationId"], method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if path.startswith("/api/")
)
OF_A_FEATURE = [one for one in OPERATIONS if "{feature_id}" in one[2]]
OF_A_TENANT = [one for one in OPERATIONS if "{feature_id}" not in one[2]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def people(servers: None) -> AsyncIterator[tuple[Person, Person]]:
    world = World()
    async with (
        serving(public(world)) as address,
        httpx2.AsyncClient(timeout=10, trust_env=False) as http,
    ):
        yield Person(world, address, http), Person(world, address, http)
        world.services.stopping.set()


def test_every_operation_on_a_feature_is_tried() -> None:
    assert len(OF_A_FEATURE) >= 18
    assert {name for name, _, _ in OF_A_TENANT} == {
        "create_feature",
        "list_features",
        "list_all_events",
        "read_brief",
        "read_usage",
        "estimate_brief",
        "tenant_live",
        "describe_api_key",
        "store_api_key",
        "forget_api_key",
    }


@pytest.mark.parametrize(("name", "method", "path"), OF_A_FEATURE)
async def test_anothers_feature_answers_as_one_that_is_not_there(
    people: tuple[Person, Person], name: str, method: str, path: str
) -> None:
    ann, eve = people
    feature = await ann.finished()
    before = len(ann.world.log.events)
    answers = []
    for which in (feature, str(uuid7())):
        filled = path.replace("{feature_id}", which).replace("{path}", "src/server.ts")
        filled = filled.replace("{gate}", "spec")
        filled = filled.replace("{event_id}", str(ann.world.log.events[1].event_id))
        query = QUERIES.get(name, {})
        answer = await eve.ask(method, filled, json=BODIES.get(name), params=query)
        text = re.sub(r'"request_id":"[^"]*"', "", answer.text).replace(which, "ID")
        headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
        answers.append((answer.status_code, text, headers))
    assert answers[0] == answers[1], name
    assert answers[0][0] == 404, name
    assert len(ann.world.log.events) == before
    own = await ann.ask("GET", f"/api/features/{feature}")
    assert own.json()["status"] == "done"


@pytest.mark.parametrize(("name", "method", "path"), OPERATIONS)
async def test_without_a_token_every_route_says_the_same(
    people: tuple[Person, Person], name: str, method: str, path: str
) -> None:
    ann, _ = people
    ann.headers = {}
    filled = path.replace("{feature_id}", str(uuid7())).replace("{path}", "a.ts")
    filled = filled.replace("{gate}", "spec")
    filled = filled.replace("{event_id}", str(uuid7()))
    answer = await ann.ask(method, filled, json=BODIES.get(name))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), name


async def test_lists_streams_keys_and_cursors_are_ones_own(
    people: tuple[Person, Person],
) -> None:
    ann, eve = people
    for n in range(3):
        await ann.new_feature(f"Secret {n}")
    mine = await eve.new_feature("Mine")
    page = (await ann.ask("GET", "/api/features?limit=1")).json()
    foreign = await eve.ask("GET", f"/api/features?cursor={page['next_cursor']}")
    assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_request")
    for query in ("", "?q=Secret", "?status=drafting"):
        answer = await eve.ask("GET", f"/api/features{query}")
        assert "Secret" not in answer.text
        assert {row["id"] for row in answer.json()["items"]} <= {mine}
    await ann.ask("PUT", "/api/settings/api-key", json={"api_key": "sk-ant-secret-0123456789"})
    assert (await eve.ask("GET", "/api/settings/api-key")).json()["configured"] is False
    await eve.ask("DELETE", "/api/settings/api-key")
    assert (await ann.ask("GET", "/api/settings/api-key")).json()["configured"] is True
    async with eve.stream("GET", "/api/live?after=0") as events:
        assert (await anext(events))["event"] == "hello"
        change = json.loads((await anext(events))["data"])
        assert change["feature_id"] == mine
        await ann.new_feature("Secret too")
        again = await eve.new_feature("Mine too")
        assert json.loads((await anext(events))["data"])["feature_id"] == again
    logged = (await eve.ask("GET", "/api/events?limit=200")).json()["items"]
    assert {entry["feature_id"] for entry in logged} == {mine, again}
    theirs = (await eve.ask("GET", f"/api/events?actor=user:{ann.user}")).json()["items"]
    assert theirs == []


async def test_a_live_id_of_another_tenant_opens_nothing(people: tuple[Person, Person]) -> None:
    ann, eve = people
    await ann.new_feature("Secret")
    position = ann.world.log.events[-1].position
    mine = await eve.new_feature("Mine")
    async with eve.stream(
        "GET", "/api/live", headers={"Last-Event-ID": str(position - 1)}
    ) as events:
        assert (await anext(events))["event"] == "hello"
        assert json.loads((await anext(events))["data"])["feature_id"] == mine
