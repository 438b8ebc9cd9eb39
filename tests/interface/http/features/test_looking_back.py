"""Going back, looking back, forking and comparing over HTTP, each also with a stranger asking."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from application.delivery.artifact_keys import artifact_key
from domain.status import Step
from tests import given
from tests.delivered import unzipped
from tests.interface.world import SOURCE, Person, World, types_of

PARTS = ("", "/messages", "/files", "/runs", "/checkpoints")


async def read(person: Person, path: str, **params: Any) -> Any:
    answer = await person.ask("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def at_plan_gate(person: Person) -> str:
    feature = await person.at_spec_gate()
    path = f"/api/features/{feature}"
    await approve(person, path, "spec")
    await person.work(feature, Step.PLAN)
    return path


async def approve(person: Person, path: str, gate: str) -> Any:
    shown = (await read(person, path))["deliverables"][gate]
    body = {"gate": gate, "content_sha256": shown["content_sha256"]}
    answer = await person.ask("POST", f"{path}/approve", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def fork(person: Person, path: str, version: int, **more: Any) -> str:
    answer = await person.ask("POST", f"{path}/fork", json={"version": version, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


async def checkpoints(person: Person, path: str) -> list[Any]:
    return list((await read(person, f"{path}/checkpoints"))["items"])


async def test_every_version_can_be_seen_as_it_was_when_it_was_the_present(ann: Person) -> None:
    feature = await ann.new_feature("Tools")
    path = f"/api/features/{feature}"
    seen = {1: await read(ann, path)}
    await ann.ask("POST", f"{path}/brief", json={"brief": "- BF-1 lend tools"})
    seen[2] = await read(ann, path)
    version = await ann.work(feature, Step.SPEC)
    seen[version] = await read(ann, path)
    approved = await approve(ann, path, "spec")
    seen[approved["version"]] = await read(ann, path)
    back = await ann.ask("POST", f"{path}/replay", json={"version": version})
    for number, then in seen.items():
        now = await read(ann, path, version=number)
        assert now.pop("present") is False
        assert now.pop("actions")[-1] == "compare"
        for view in (then, now):
            view.pop("actions", None)
            view.pop("present", None)
        assert now == then
    latest = await read(ann, path, version=back.json()["version"])
    assert latest == await read(ann, path)
    assert latest["present"] is True


async def test_a_time_is_the_version_that_was_the_last_by_then(ann: Person, world: World) -> None:
    path = await at_plan_gate(ann)
    recorded = world.log.of(ann.tenant, UUID(path.rsplit("/", 1)[1]))
    for event in recorded:
        answer = await ann.ask("GET", path, params={"at": event.recorded_at.isoformat()})
        same_time = [e.version for e in recorded if e.recorded_at == event.recorded_at]
        assert answer.json()["version"] == max(same_time)
        assert answer.headers["etag"] == f'"{max(same_time)}"'
    before = recorded[0].recorded_at - timedelta(seconds=1)
    early = await ann.ask("GET", path, params={"at": before.isoformat()})
    assert (early.status_code, early.json()["code"]) == (404, "no_such_version")


@pytest.mark.parametrize("part", PARTS)
async def test_an_answer_says_which_version_it_is_and_whether_it_is_the_present(
    ann: Person, part: str
) -> None:
    path = await at_plan_gate(ann)
    now = await ann.ask("GET", path + part)
    then = await ann.ask("GET", path + part, params={"version": 2})
    assert (then.headers["etag"], then.headers["x-present"]) == ('"2"', "false")
    assert now.headers["x-present"] == "true"


@pytest.mark.parametrize("part", [*PARTS, "/files/src/server.ts", "/download"])
async def test_a_version_that_is_not_there_is_not_found(ann: Person, part: str) -> None:
    path = await at_plan_gate(ann)
    answer = await ann.ask("GET", path + part, params={"version": 999})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_version")
    both = {"version": 1, "at": "2026-11-01T00:00:00Z"}
    answer = await ann.ask("GET", path + part, params=both)
    assert answer.status_code == 400
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"version", "at"}
    for odd in ({"version": 0}, {"at": "yesterday"}, {"at": "2026-11-01T00:00:00"}):
        assert (await ann.ask("GET", path + part, params=odd)).status_code == 400


async def test_in_the_past_one_can_only_go_back_fork_and_compare(ann: Person) -> None:
    path = await at_plan_gate(ann)
    points = {point["version"] for point in await checkpoints(ann, path)}
    latest = (await read(ann, path))["version"]
    for version in range(1, latest):
        actions = (await read(ann, path, version=version))["actions"]
        assert actions == (["replay", "fork", "compare"] if version in points else ["compare"])


async def test_lists_of_the_past_go_page_by_page(ann: Person) -> None:
    path = await at_plan_gate(ann)
    latest = (await read(ann, path))["version"]
    whole = (await read(ann, f"{path}/runs"))["items"]
    first = await read(ann, f"{path}/runs", version=latest, limit=1)
    second = await read(ann, f"{path}/runs", version=latest, limit=1, cursor=first["next_cursor"])
    assert [*first["items"], *second["items"]] == whole[:2]


async def test_the_zip_of_the_past_is_the_zip_that_was_given_then(ann: Person) -> None:
    path = f"/api/features/{await ann.finished()}"
    done = (await read(ann, path))["version"]
    then = await ann.ask("GET", f"{path}/download")
    target = next(p for p in await checkpoints(ann, path) if p["status"] == "spec_ready")
    await ann.ask("POST", f"{path}/replay", json={"version": target["version"]})
    assert (await ann.ask("GET", f"{path}/download")).status_code == 409
    again = await ann.ask("GET", f"{path}/download", params={"version": done})
    assert again.content == then.content
    early = await ann.ask("GET", f"{path}/download", params={"version": target["version"]})
    assert (early.status_code, early.json()["code"]) == (409, "not_now")
    file = await ann.ask("GET", f"{path}/files/src/server.ts", params={"version": done})
    assert file.content == SOURCE


async def test_a_fork_stands_at_the_gate_and_both_sides_know_of_each_other(ann: Person) -> None:
    path = await at_plan_gate(ann)
    before = (await ann.ask("GET", path)).headers["etag"]
    point = (await checkpoints(ann, path))[-1]
    made = await ann.ask(
        "POST", f"{path}/fork", json={"version": point["version"], "title": "Another way"}
    )
    assert made.status_code == 201
    assert made.json()["status"] == "plan_ready"
    place = made.headers["location"]
    child, parent = await read(ann, place), await read(ann, path)
    assert child["title"] == "Another way"
    assert child["forked_from"] == {"id": parent["id"], "version": point["version"]}
    assert [(f["id"], f["version"]) for f in parent["forks"]] == [(child["id"], point["version"])]
    assert (await read(ann, path, version=1))["forks"] == []
    assert child["approvals"] == []
    assert child["awaiting"] == ["spec", "plan"]
    assert child["cost_usd"] == "0"
    for name in ("brief", "spec", "plan"):
        for field in ("markdown", "content_sha256", "by", "at"):
            assert child["deliverables"][name][field] == parent["deliverables"][name][field]
    assert (await ann.ask("GET", path)).headers["etag"] == before
    listed = {row["id"]: row for row in (await read(ann, "/api/features"))["items"]}
    assert listed[child["id"]]["forked_from"] == child["forked_from"]


async def test_a_fork_is_approved_in_order_and_goes_on(ann: Person) -> None:
    path = await at_plan_gate(ann)
    place = await fork(ann, path, (await checkpoints(ann, path))[-1]["version"])
    plan = (await read(ann, place))["deliverables"]["plan"]["content_sha256"]
    early = await ann.ask("POST", f"{place}/approve", json={"gate": "plan", "content_sha256": plan})
    assert (early.status_code, early.json()["code"]) == (409, "not_now")
    assert "approve the spec first" in early.json()["detail"]
    assert (await approve(ann, place, "spec"))["status"] == "plan_ready"
    assert (await approve(ann, place, "plan"))["status"] == "plan_approved"


async def test_a_fork_can_be_gone_back_in_read_back_and_forked_again(ann: Person) -> None:
    path = await at_plan_gate(ann)
    place = await fork(ann, path, (await checkpoints(ann, path))[-1]["version"])
    begun = await read(ann, place)
    await approve(ann, place, "spec")
    await ann.ask("POST", f"{place}/replay", json={"version": begun["version"]})
    now = await read(ann, place)
    assert now["awaiting"] == ["spec", "plan"]
    assert now["deliverables"] == begun["deliverables"]
    again = await read(ann, await fork(ann, place, begun["version"]))
    assert again["forked_from"]["id"] == begun["id"]
    texts = {name: part and part["markdown"] for name, part in begun["deliverables"].items()}
    assert {n: p and p["markdown"] for n, p in again["deliverables"].items()} == texts


async def test_the_conversation_comes_along(ann: Person) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    async with ann.stream("POST", f"{path}/messages", json={"text": "hello"}) as events:
        await ann.work(feature, Step.CONVERSE)
        await events.until("done")
    place = await fork(ann, path, (await checkpoints(ann, path))[-1]["version"])
    said = (await read(ann, f"{path}/messages"))["items"]
    carried = (await read(ann, f"{place}/messages"))["items"]
    fields = ("message_id", "role", "text", "by", "at")
    assert [[m[f] for f in fields] for m in carried] == [[m[f] for f in fields] for m in said]
    assert {message["cost_usd"] for message in carried} == {"0"}


async def test_the_same_fork_asked_for_twice_is_made_once(ann: Person, world: World) -> None:
    path = f"/api/features/{await ann.new_feature()}"
    key = {"Idempotency-Key": "fork-1"}
    answers = [
        await ann.ask("POST", f"{path}/fork", json={"version": 1}, headers=key) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert types_of(world.log.events) == ["feature_created", "feature_forked"]
    stale = await ann.ask("POST", f"{path}/fork", json={"version": 1}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412


async def test_what_is_no_checkpoint_cannot_be_forked(ann: Person) -> None:
    path = await at_plan_gate(ann)
    for version in (3, 999):
        refused = await ann.ask("POST", f"{path}/fork", json={"version": version})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_such_checkpoint")
    assert (await ann.ask("POST", f"{path}/fork", json={"version": 0})).status_code == 400


async def test_a_fork_outlives_its_parent_with_texts_and_files(ann: Person, world: World) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    done = (await read(ann, path))["version"]
    place = await fork(ann, path, done)
    before = await read(ann, place)
    child = UUID(place.rsplit("/", 1)[1])
    for gate in ("spec", "plan", "tests"):
        await approve(ann, place, gate)
    state = await world.features.load(ann.tenant, child)
    await world.system(child, given.start(state, Step.IMPLEMENT), ann.tenant)
    # What was recorded before the fork is offered again, as the runner does.
    [reused] = [v for m, v in state.recorded.items() if m == given.manifest(Step.IMPLEMENT).sha256]
    recorded = (await world.features.texts(ann.tenant, child, [reused]))[reused]
    state = await world.features.load(ann.tenant, child)
    from application.execution.reuse import recorded_again  # noqa: PLC0415

    again = recorded_again(recorded.event, state.running[Step.IMPLEMENT], reused)
    await world.system(child, again, ann.tenant)
    file = await ann.ask("GET", f"{place}/files/src/server.ts")
    assert file.content == SOURCE

    await ann.ask("DELETE", path)
    assert (await ann.ask("GET", path)).status_code == 404
    for stored in given.FILES:  # As the sweeper does.
        body = world.artifacts.kept.pop(artifact_key(ann.tenant, UUID(feature), stored.sha256))
        await world.artifacts.put(artifact_key(ann.tenant, child, stored.sha256), body)
    assert (await ann.ask("GET", f"{place}/files/src/server.ts")).content == SOURCE
    after = await read(ann, place, version=before["version"])
    assert after["deliverables"] == before["deliverables"]
    await ann.work(str(child), Step.SECURITY_REVIEW, Step.CODE_REVIEW)
    zipped = await ann.ask("GET", f"{place}/download")
    assert unzipped(zipped.content)["code/src/server.ts"] == SOURCE


async def test_a_deleted_feature_cannot_be_forked(ann: Person) -> None:
    path = f"/api/features/{await ann.new_feature()}"
    await ann.ask("DELETE", path)
    refused = await ann.ask("POST", f"{path}/fork", json={"version": 1})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_two_versions_are_compared_text_by_text_with_what_it_cost(ann: Person) -> None:
    path = f"/api/features/{await ann.finished()}"
    done = (await read(ann, path))["version"]
    points = await checkpoints(ann, path)
    gate = next(p["version"] for p in points if p["status"] == "spec_ready")
    found = await read(ann, f"{path}/diff", **{"from": gate, "to": done})
    names = {change["name"]: change for change in found["deliverables"]}
    assert names["plan.md"]["kind"] == "added"
    assert "+# Plan" in names["plan.md"]["diff"]
    assert "spec.md" not in names
    [file] = found["files"]
    assert (file["name"], file["kind"], file["shown"]) == ("src/server.ts", "added", "whole")
    assert "+console.log(1)\n" in file["diff"]
    assert {run["step"] for run in found["runs"]} >= {"plan", "tests", "implement"}
    assert {run["side"] for run in found["runs"]} == {"to"}
    assert all(run["model"] and run["prompt_sha256"] for run in found["runs"])
    total = sum(float(run["cost_usd"]) for run in found["runs"])
    assert float(found["cost_usd"]) == pytest.approx(total)

    turned = await read(ann, f"{path}/diff", **{"from": done, "to": gate})
    assert {change["kind"] for change in turned["deliverables"]} == {"removed"}
    assert {run["side"] for run in turned["runs"]} == {"from"}
    same = await read(ann, f"{path}/diff", **{"from": done})
    assert (same["deliverables"], same["files"], same["runs"]) == ([], [], [])


async def test_a_fork_is_compared_with_its_parent(ann: Person) -> None:
    path = await at_plan_gate(ann)
    latest = (await read(ann, path))["version"]
    point = (await checkpoints(ann, path))[-1]["version"]
    place = await fork(ann, path, point)
    child = place.rsplit("/", 1)[1]
    same = await read(ann, f"{path}/diff", **{"from": latest, "with": child})
    assert (same["deliverables"], same["files"], same["runs"]) == ([], [], [])
    await ann.ask("POST", f"{place}/revise", json={"brief": "- BF-1 lend ladders"})
    await ann.work(child, Step.SPEC)
    found = await read(ann, f"{path}/diff", **{"from": latest, "with": child})
    kinds = {change["name"]: change["kind"] for change in found["deliverables"]}
    assert kinds == {"brief.md": "changed", "spec.md": "changed", "plan.md": "removed"}
    brief = next(c for c in found["deliverables"] if c["name"] == "brief.md")
    assert "-- BF-1 lend tools\n" in brief["diff"]
    assert "+- BF-1 lend ladders\n" in brief["diff"]
    assert {(run["side"], run["step"]) for run in found["runs"]} == {("to", "spec")}


async def test_a_comparison_needs_versions_that_are_there(ann: Person, bob: Person) -> None:
    path = f"/api/features/{await ann.new_feature()}"
    strange = await bob.new_feature()
    for params, status in [
        ({}, 400),
        ({"from": 0}, 400),
        ({"from": 9}, 404),
        ({"from": 1, "to": 9}, 404),
        ({"from": 1, "with": strange}, 404),
        ({"from": 1, "with": "x"}, 400),
    ]:
        answer = await ann.ask("GET", f"{path}/diff", params=params)
        assert answer.status_code == status, (params, answer.text)


async def test_a_stranger_sees_no_past_no_fork_and_no_difference(ann: Person, bob: Person) -> None:
    path = await at_plan_gate(ann)
    for part in (*PARTS, "/download", "/files/src/server.ts"):
        for params in ({"version": 1}, {"at": "2030-01-01T00:00:00Z"}):
            answer = await bob.ask("GET", path + part, params=params)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), part
    answer = await bob.ask("GET", f"{path}/diff", params={"from": 1})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await bob.ask("POST", f"{path}/fork", json={"version": 1})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await read(bob, "/api/features"))["items"] == []
    own = await bob.new_feature()
    answer = await bob.ask(
        "GET", f"/api/features/{own}/diff", params={"from": 1, "with": path.rsplit("/", 1)[1]}
    )
    assert answer.status_code == 404
