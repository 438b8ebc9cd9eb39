"""Why a line is there and what stands on a sentence, over HTTP: now, then, and what is refused."""

import pytest

from domain.status import Step
from tests.interface.http.features.test_looking_back import read
from tests.interface.world import Person


async def test_a_line_is_followed_to_the_brief_and_back(ann: Person) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    why = await read(ann, f"{path}/why/src/server.ts", line=1)
    assert (why["basis"], [one["id"] for one in why["requirements"]]) == ("task", ["FR-1"])
    assert why["written"]["attempt"] == "implement:1"
    assert why["written"]["model"] == "claude-sonnet-5-5"
    assert why["written_for"] == {"id": "T-1", "title": "Server"}
    assert [(p["id"], p["text"], p["messages"]) for p in why["points"]] == [
        ("BF-1", "lend tools", [])
    ]
    for asked in ({"point": "BF-1"}, {"requirement": "FR-1"}, {"sentence": "Lend tools."}):
        back = await read(ann, f"{path}/why", **asked)
        assert [(p["path"], p["first"], p["last"]) for p in back["places"]] == [
            ("src/server.ts", 1, 1)
        ]
        assert [one["id"] for one in back["tasks"]] == ["T-1"]
    unsaid = await read(ann, f"{path}/why", message="00000000-0000-0000-0000-000000000001")
    assert (unsaid["points"], unsaid["requirements"]) == ([], [])


async def test_before_there_is_code_a_sentence_leads_to_requirements_alone(ann: Person) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    answer = await ann.ask("GET", f"{path}/why", params={"point": "BF-1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_now")
    await ann.ask("POST", f"{path}/brief", json={"brief": "- BF-1 lend tools"})
    await ann.work(feature, Step.SPEC)
    found = await read(ann, f"{path}/why", point="BF-1")
    assert [one["id"] for one in found["requirements"]] == ["FR-1"]
    assert (found["places"], found["tests"], found["tasks"]) == ([], [], [])
    answer = await ann.ask("GET", f"{path}/why/src/server.ts", params={"line": 1})
    assert answer.status_code == 404


async def test_a_past_version_is_told_as_it_was(ann: Person) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    now = await read(ann, path)
    await ann.ask("POST", f"{path}/revise", json={"brief": "- BF-1 lend ladders"})
    then = await read(ann, f"{path}/why/src/server.ts", line=1, version=now["version"])
    assert [one["text"] for one in then["points"]] == ["lend tools"]
    answer = await ann.ask("GET", f"{path}/why/src/server.ts", params={"line": 1})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    "asked",
    [{}, {"point": "BF-1", "sentence": "lend"}, {"point": "x"}, {"sentence": "a\x00"}],
)
async def test_exactly_one_thing_is_asked_about(ann: Person, asked: dict[str, str]) -> None:
    feature = await ann.at_spec_gate()
    answer = await ann.ask("GET", f"/api/features/{feature}/why", params=asked)
    assert answer.status_code == 400, answer.text


async def test_nobody_is_told_of_a_feature_of_others(ann: Person, bob: Person) -> None:
    feature = await ann.finished()
    for path in ("why?point=BF-1", "why/src/server.ts?line=1"):
        assert (await bob.ask("GET", f"/api/features/{feature}/{path}")).status_code == 404
    missing = await ann.ask("GET", f"/api/features/{feature}/why/src/server.ts?line=99")
    assert missing.status_code == 404
