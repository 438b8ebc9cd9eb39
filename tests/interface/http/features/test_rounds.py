"""A finished feature goes on over HTTP: talked about, changed, and read back round by round."""

from typing import Any

from domain.status import Gate, Step, Verdict
from tests.interface.http.features.test_looking_back import approve, checkpoints, read
from tests.interface.world import Person, World

CHANGED = {"brief": "- BF-1 lend tools\n- BF-2 print a list"}


async def finish(person: Person, feature: str) -> None:
    """From a confirmed brief to the verdict."""
    path = f"/api/features/{feature}"
    await person.work(feature, Step.SPEC)
    steps = {Gate.SPEC: Step.PLAN, Gate.PLAN: Step.TESTS, Gate.TESTS: Step.IMPLEMENT}
    for gate, step in steps.items():
        await approve(person, path, gate)
        await person.work(feature, step)
    await person.work(feature, Step.SECURITY_REVIEW, Step.CODE_REVIEW)


async def zipped(person: Person, path: str, **params: Any) -> bytes:
    answer = await person.ask("GET", f"{path}/download", params=params)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_a_finished_feature_is_changed_and_the_round_before_stays(ann: Person) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    first = await read(ann, path)
    before = await zipped(ann, path)
    assert (first["round"], first["rounds"]) == (1, [])
    assert {"discuss", "revise"} <= set(first["actions"])
    assert (await read(ann, f"{path}/changelog"))["since"] is None

    cost = await read(ann, f"{path}/estimate", action="revise", length=len(CHANGED["brief"]))
    assert "spec" in [one["step"] for one in cost["steps"]]
    answer = await ann.ask("POST", f"{path}/revise", json=CHANGED)
    assert answer.status_code == 202, answer.text
    begun = await read(ann, path)
    assert (begun["status"], begun["round"]) == ("spec_generating", 2)
    [last] = begun["rounds"]
    assert (last["number"], last["status"]) == (1, "done")
    assert begun["files"] == []

    then = await read(ann, path, version=last["version"])
    assert then["deliverables"] == first["deliverables"]
    assert (then["files"], then["round"]) == (first["files"], 1)
    assert await zipped(ann, path, version=last["version"]) == before
    told = await read(ann, f"{path}/changelog")
    assert [(x["kind"], x["text"]) for x in told["points"]["changes"]] == [
        ("added", "print a list")
    ]
    assert (told["points"]["kept"], told["files"]) == (1, {"changes": [], "kept": 0})

    await finish(ann, feature)
    done = await read(ann, path)
    assert (done["status"], done["round"]) == ("done", 2)
    told = await read(ann, f"{path}/changelog")
    assert (told["round"], told["since"], told["version"]) == (2, 1, last["version"])
    assert told["files"]["changes"] == []
    assert told["files"]["kept"] == len(done["files"])
    assert await zipped(ann, path) != before


async def test_going_back_to_the_first_round_is_the_first_round_again(ann: Person) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    before = await zipped(ann, path)
    end = (await read(ann, path))["version"]
    await ann.ask("POST", f"{path}/revise", json=CHANGED)
    await finish(ann, feature)
    answer = await ann.ask("POST", f"{path}/replay", json={"version": end})
    assert answer.status_code == 202, answer.text
    now = await read(ann, path)
    assert (now["status"], now["round"], now["rounds"]) == ("done", 1, [])
    assert await zipped(ann, path) != b""
    assert (await zipped(ann, path, version=end)) == before


async def test_what_failed_its_review_may_be_changed_instead_of_tried_again(
    ann: Person,
) -> None:
    feature = await ann.finished(Verdict.FAIL)
    path = f"/api/features/{feature}"
    failed = await read(ann, path)
    assert {"discuss", "revise", "retry"} <= set(failed["actions"])
    await ann.ask("POST", f"{path}/revise", json=CHANGED)
    begun = await read(ann, path)
    assert (begun["round"], [x["status"] for x in begun["rounds"]]) == (2, ["failed"])
    assert begun["failure"] is None
    assert (await read(ann, f"{path}/changelog"))["since"] is None


async def test_what_is_done_can_be_talked_about(ann: Person, world: World) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    before = await zipped(ann, path)
    async with ann.stream("POST", f"{path}/messages", json={"text": "And a list?"}) as events:
        await ann.work(feature, Step.CONVERSE)
        await events.until("done")
    assert (await read(ann, path))["status"] == "done"
    said = await read(ann, f"{path}/messages")
    assert [one["role"] for one in said["items"]] == ["user", "agent"]
    assert await zipped(ann, path) == before


async def test_a_similar_one_begins_with_the_brief_to_be_changed_and_confirmed(
    ann: Person,
) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    version = (await checkpoints(ann, path))[-1]["version"]
    body = {"version": version, "brief_only": True}
    answer = await ann.ask("POST", f"{path}/fork", json=body)
    assert answer.status_code == 201, answer.text
    place = answer.headers["Location"]
    made = await read(ann, place)
    written = {name for name, one in made["deliverables"].items() if one}
    assert (made["status"], written, made["files"]) == ("drafting", {"brief"}, [])
    assert "confirm" in made["actions"]
    confirmed = await ann.ask("POST", f"{place}/brief", json=CHANGED)
    assert confirmed.status_code == 202


async def test_without_a_confirmed_brief_there_is_no_similar_one(ann: Person) -> None:
    path = f"/api/features/{await ann.new_feature()}"
    answer = await ann.ask("POST", f"{path}/fork", json={"version": 1, "brief_only": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_now")
