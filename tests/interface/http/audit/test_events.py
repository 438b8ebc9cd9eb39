"""The log over HTTP: filters, both directions, causes, certificates, and what was spent."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from domain import commands as c
from domain.status import Step
from tests.interface.world import Person, World


async def pages(ann: Person, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {**query, "limit": 3, **({"cursor": cursor} if cursor else {})}
        answer = await ann.ask("GET", path, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert 0 < len(page["items"]) <= 3 or not cursor
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_the_tenants_log_has_no_content_and_comes_newest_first(ann: Person) -> None:
    one, two = await ann.new_feature("Secret one"), await ann.at_spec_gate()
    found = await pages(ann, "/api/events")
    assert {item["feature_id"] for item in found} == {one, two}
    positions = [item["position"] for item in found]
    assert positions == sorted(positions, reverse=True)
    assert found == (await pages(ann, "/api/events", order="asc"))[::-1]
    assert "Secret" not in str(found)
    assert {"payload", "personal"}.isdisjoint(found[0])


async def test_types_are_included_and_excluded(ann: Person) -> None:
    await ann.at_spec_gate()
    every = await pages(ann, "/api/events")
    two = await pages(ann, "/api/events", type=["feature_created", "brief_confirmed"])
    assert [item["type"] for item in two] == ["brief_confirmed", "feature_created"]
    rest = await pages(ann, "/api/events", not_type=["feature_created", "brief_confirmed"])
    assert len(rest) == len(every) - 2
    assert await pages(ann, "/api/events", type="brief_confirmed", not_type="brief_confirmed") == []


async def test_a_type_or_an_actor_that_cannot_be_is_refused(ann: Person) -> None:
    for query in ({"type": "feature_melted"}, {"not_type": ""}, {"actor": "Ann!"}, {"order": "up"}):
        answer = await ann.ask("GET", "/api/events", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), query


async def test_actors_features_and_times_narrow_it_down(ann: Person, world: World) -> None:
    one, two = await ann.new_feature(), await ann.at_spec_gate()
    assert {i["feature_id"] for i in await pages(ann, "/api/events", feature_id=one)} == {one}
    mine = await pages(ann, "/api/events", actor=f"user:{ann.user}")
    agents = await pages(ann, "/api/events", actor="agent")
    assert {item["actor"] for item in mine} == {f"user:{ann.user}"}
    assert {item["actor"] for item in agents} == {"agent:test"}
    assert len(mine) + len(agents) == len(await pages(ann, "/api/events"))
    world.clock.forward(60)
    since = world.clock().isoformat()
    await ann.ask("PATCH", f"/api/features/{two}", json={"title": "Later"})
    later = await pages(ann, "/api/events", **{"from": since})
    assert [item["type"] for item in later] == ["feature_renamed"]
    assert "feature_renamed" not in {i["type"] for i in await pages(ann, "/api/events", to=since)}


async def test_problems_only(ann: Person, world: World) -> None:
    await ann.at_spec_gate()
    assert await pages(ann, "/api/events", problems="true") == []
    feature = await ann.new_feature()
    await ann.ask("POST", f"/api/features/{feature}/brief", json={"brief": "- BF-1 lend"})
    await world.system(
        UUID(feature), c.GiveUp(Step.SPEC, 2, "deadline", "it took too long", "retry"), ann.tenant
    )
    found = await pages(ann, "/api/events", problems="true")
    assert {item["feature_id"] for item in found} == {feature}


async def test_a_features_log_takes_the_same_filters_and_shows_content(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    await ann.new_feature("Another")
    path = f"/api/features/{feature}/events"
    whole = await pages(ann, path)
    assert await pages(ann, path, order="desc") == whole[::-1]
    assert [i["version"] for i in whole] == list(range(1, len(whole) + 1))
    some = await pages(ann, path, not_type=["step_started"])
    assert some == [item for item in whole if item["type"] != "step_started"]
    created = await pages(ann, path, type="feature_created")
    assert created[0]["payload"]["title"] == "Tools"


async def test_words_are_searched_with_what_they_mean_to_the_reader(ann: Person) -> None:
    await ann.at_spec_gate()
    every = await pages(ann, "/api/events")
    confirmed = await pages(ann, "/api/events", q="Brief  confirmed")
    assert [item["type"] for item in confirmed] == ["brief_confirmed"]
    mine = await pages(ann, "/api/events", q="Je", means=["je=user", "other=brief_confirmed"])
    assert [i for i in every if i["actor"] == f"user:{ann.user}"] == mine
    both = await pages(ann, "/api/events", q="je brief", means=["je=user,spec_generated"])
    assert {i["type"] for i in both} == {"brief_confirmed"}
    assert await pages(ann, "/api/events", q=" ") == every
    for query in (
        {"q": "a b c d e f g h i j k l m"},
        {"q": "x", "means": "x"},
        {"q": "x", "means": "x=Y!"},
    ):
        answer = await ann.ask("GET", "/api/events", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), query


async def test_one_event_is_read_by_its_version(ann: Person) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}/events"
    whole = await pages(ann, path)
    for item in whole:
        found = (await ann.ask("GET", path, params={"version": item["version"]})).json()
        assert found == {"items": [item], "next_cursor": None}
    missing = (await ann.ask("GET", path, params={"version": len(whole) + 1})).json()
    assert missing == {"items": [], "next_cursor": None}


async def test_what_followed_from_a_command_is_a_tree(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    log = await pages(ann, f"/api/features/{feature}/events")
    confirmed = next(item for item in log if item["type"] == "brief_confirmed")
    path = f"/api/features/{feature}/events/{confirmed['event_id']}/causation"
    tree = (await ann.ask("GET", path)).json()
    assert tree["correlation_id"] == confirmed["correlation_id"]
    assert tree["actor"] == f"user:{ann.user}"
    assert tree["roots"][0]["event"]["event_id"] == confirmed["event_id"]
    for missing in (uuid7(), log[0]["correlation_id"]):
        answer = await ann.ask("GET", f"/api/features/{feature}/events/{missing}/causation")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_certificate_says_what_was_folded(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    made = (await ann.ask("GET", f"/api/features/{feature}/certificate")).json()
    assert made["equal"] is True
    assert made["model_calls"] == 0
    assert made["events"] == len(await pages(ann, f"/api/features/{feature}/events"))
    assert {"dashboard", "feature", "run"} <= {one["projection"] for one in made["projections"]}


async def test_what_was_spent_adds_up_in_every_list(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    usage = (await ann.ask("GET", "/api/usage")).json()
    assert usage["total"]["runs"] >= 1
    for name in ("by_agent", "by_model", "by_feature", "by_day", "by_fate", "by_cause"):
        shares = usage[name]
        assert sum(share["spent"]["runs"] for share in shares) == usage["total"]["runs"]
        cost = sum(Decimal(share["spent"]["cost_usd"]) for share in shares)
        assert cost == Decimal(usage["total"]["cost_usd"])
    assert {share["name"] for share in usage["by_feature"]} == {feature}
    assert usage["titles"] == {feature: "Tools"}
    assert "spec" in {share["name"] for share in usage["by_agent"]}
    none = (await ann.ask("GET", "/api/usage", params={"to": "2020-01-01T00:00:00Z"})).json()
    assert none["total"]["runs"] == 0


@pytest.mark.parametrize("query", ["from=yesterday", "to=-", "from=2026-13-01T00:00:00Z"])
async def test_a_time_that_is_none_is_refused(ann: Person, query: str) -> None:
    for path in ("/api/usage", "/api/events"):
        answer = await ann.ask("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_features_usage_says_why_and_what_it_would_have_cost(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}"
    usage = (await ann.ask("GET", f"{path}/usage")).json()
    assert [share["name"] for share in usage["by_cause"]] == ["in_use"]
    assert usage["what_if"] == []
    [*_, table] = usage["tables"]
    asked = {"prices": table["version"], "as_model": table["models"][0]}
    [row] = (await ann.ask("GET", f"{path}/usage", params=asked)).json()["what_if"]
    assert (row["under"], row["as_model"]) == (table["version"], table["models"][0])
    assert Decimal(row["least_usd"]) > 0
    unknown = {"as_model": "nobody-knows"}
    [row] = (await ann.ask("GET", "/api/usage", params=unknown)).json()["what_if"]
    assert (row["least_usd"], row["most_usd"]) == (None, None)
    refused = await ann.ask("GET", f"{path}/usage", params={"prices": "prices-1999"})
    assert refused.status_code == 400
    assert table["version"] in refused.json()["errors"][0]["detail"]
    nowhere = await ann.ask("GET", f"/api/features/{uuid7()}/usage")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    await ann.ask("POST", f"{path}/revise", json={"brief": "- BF-1 lend other tools"})
    usage = (await ann.ask("GET", f"{path}/usage")).json()
    assert [share["name"] for share in usage["by_cause"]] == ["changed"]
