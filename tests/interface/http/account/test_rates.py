"""How often a tenant may do what: refused before anything is done, with when to come again."""

import json
from collections.abc import MutableMapping
from typing import Any
from uuid import UUID

import pytest

from application.identity.api_keys import KEY_CHECKS, KEY_REJECTIONS
from application.identity.rate_limit import Allowance, OwnTries, RateLimiter
from interface.http import openapi
from interface.limits import COUNTED, RATES, Rate, rates_of
from tests.interface.world import Person, World, types_of

KEY = "sk-ant-canary-0123456789-abcd"
DOCUMENT = json.loads(openapi.FILE.read_text())


@pytest.fixture
async def world() -> World:
    """A world in which three of everything are allowed, and a clock that the test moves."""
    few = {str(rate): "3/30" for rate in Rate if "address" not in rate}
    made = World(rates=rates_of({**few, "create_by_address": "5/50"}))
    made.services.throttle._monotonic = lambda: made.clock.seconds  # noqa: SLF001 - no other way in.
    return made


def asked_for(feature: str) -> dict[Rate, tuple[str, str, dict[str, Any]]]:
    """A request of each kind that is counted for a tenant."""
    path = f"/api/features/{feature}"
    return {
        Rate.CREATE: ("POST", "/api/features", {"json": {"title": "A"}}),
        Rate.RENAME: ("PATCH", path, {"json": {"title": "B"}}),
        Rate.DECIDE: ("POST", f"{path}/retry", {}),
        Rate.TALK: ("POST", f"{path}/messages", {"json": {"text": ""}}),
        Rate.STREAM: ("GET", f"/api/features/{UUID(int=0)}/live", {}),
        Rate.DOWNLOAD: ("GET", f"{path}/download", {}),
        Rate.SEARCH: ("GET", "/api/events", {}),
    }


@pytest.mark.parametrize("rate", [*asked_for("x")])
async def test_what_comes_too_often_is_refused_until_it_may_come_again(
    ann: Person, bob: Person, world: World, rate: Rate
) -> None:
    feature = await ann.new_feature()
    method, path, rest = asked_for(feature)[rate]
    allowed = 3 - (rate is Rate.CREATE)
    for _ in range(allowed):
        assert (await ann.ask(method, path, **rest)).status_code != 429
    before = types_of(world.log.events)
    refused = await ann.ask(method, path, **rest)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) == problem["retry_after_seconds"] == 10
    assert COUNTED[rate] in problem["detail"]
    assert types_of(world.log.events) == before
    assert (await bob.ask(method, path, **rest)).status_code != 429
    world.clock.forward(10)
    assert (await ann.ask(method, path, **rest)).status_code != 429
    assert (await ann.ask(method, path, **rest)).status_code == 429


async def test_one_kind_does_not_count_for_another(ann: Person) -> None:
    feature = await ann.new_feature()
    method, path, rest = asked_for(feature)[Rate.RENAME]
    for _ in range(4):
        await ann.ask(method, path, **rest)
    for rate, (method, path, rest) in asked_for(feature).items():
        answer = await ann.ask(method, path, **rest)
        assert (answer.status_code == 429) == (rate is Rate.RENAME), rate


async def test_reading_is_not_counted(ann: Person) -> None:
    feature = await ann.new_feature()
    for _ in range(10):
        for path in ("", "/messages", "/files", "/runs", "/events", "/checkpoints"):
            answer = await ann.ask("GET", f"/api/features/{feature}{path}")
            assert answer.status_code == 200


async def test_a_filter_or_an_export_of_a_log_is_counted(ann: Person) -> None:
    feature = await ann.new_feature()
    path, export = f"/api/features/{feature}/events", {"Accept": "application/x-ndjson"}
    for headers, query in (({}, "?q=a"), (export, "")):
        found = [await ann.ask("GET", path + query, headers=headers) for _ in range(4)]
        assert [answer.status_code for answer in found] == [200, 200, 200, 429]


async def test_many_accounts_of_one_address_begin_no_more_than_an_address_may(
    ann: Person, bob: Person
) -> None:
    made = [await who.ask("POST", "/api/features", json={}) for who in (ann, bob) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201] * 5 + [429]


async def test_nobody_without_a_token_is_counted(ann: Person, world: World) -> None:
    ann.headers = {}
    for _ in range(5):
        assert (await ann.ask("POST", "/api/features", json={})).status_code == 401
    assert not world.services.throttle._empty_at  # noqa: SLF001 - the point.


async def test_keys_are_checked_a_few_times_an_hour_for_each_account(
    ann: Person, bob: Person, logged: list[MutableMapping[str, Any]]
) -> None:
    for _ in range(KEY_CHECKS.tries):
        answer = await ann.ask("PUT", "/api/settings/api-key", json={"api_key": KEY})
        assert answer.status_code == 200
    refused = await ann.ask("PUT", "/api/settings/api-key", json={"api_key": KEY})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert 0 < int(refused.headers["retry-after"]) <= KEY_CHECKS.each
    assert "api_key_not_checked" in str(logged)
    assert "canary" not in str(logged)
    answer = await bob.ask("PUT", "/api/settings/api-key", json={"api_key": KEY})
    assert answer.status_code == 200


async def test_rejected_keys_are_logged_and_count_for_the_whole_address(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    world.provider.says = False
    answers = []
    for _ in range(KEY_REJECTIONS.tries // KEY_CHECKS.tries + 1):
        somebody = Person(world, ann.url, ann.http)
        answers += [
            await somebody.ask("PUT", "/api/settings/api-key", json={"api_key": KEY})
            for _ in range(KEY_CHECKS.tries)
        ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[: KEY_REJECTIONS.tries] == [400] * KEY_REJECTIONS.tries
    assert set(statuses[KEY_REJECTIONS.tries :]) == {429}
    rejected = [entry for entry in logged if entry["event"] == "api_key_rejected"]
    assert len(rejected) == KEY_REJECTIONS.tries
    assert all(entry["address"] == "127.0.0.1" for entry in rejected)
    assert "canary" not in str(logged)


async def test_keys_that_are_good_do_not_use_up_what_an_address_has(world: World) -> None:
    tries = OwnTries(RateLimiter(lambda: 0.0))
    one = ("key_rejected", "192.0.2.1"), Allowance(2, 60)
    for _ in range(10):
        assert await tries.take(one) == 0
        await tries.give_back(*one)
    assert [await tries.take(one) > 0 for _ in range(3)] == [False, False, True]


def test_an_operator_changes_a_rate_and_no_more() -> None:
    changed = rates_of({"create": "7/70"})
    assert changed[Rate.CREATE] == Allowance(7, 70)
    assert all(changed[rate] == RATES[rate] for rate in Rate if rate is not Rate.CREATE)


@pytest.mark.parametrize("given", ["", "7", "0/60", "-1/60", "7/0", "7/x", "x/7", "7/inf", "7/nan"])
def test_what_is_no_rate_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="create"):
        rates_of({"create": given})


def test_the_document_says_which_routes_may_refuse() -> None:
    declared = {
        operation["operationId"]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        if "429" in operation["responses"]
    }
    changing = {
        operation["operationId"]
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "get" and path.startswith("/api/")
    }
    assert changing - {"forget_api_key"} <= declared
    assert {"download", "feature_live", "tenant_live", "list_all_events", "diff"} & declared


def test_every_rate_says_what_it_counts() -> None:
    assert set(COUNTED) == set(RATES) == set(Rate)
