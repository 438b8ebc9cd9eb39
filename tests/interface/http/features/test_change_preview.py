"""What a changed brief would touch, asked before it is confirmed."""

from tests.interface.http.features.test_rounds import CHANGED
from tests.interface.world import Person

PATH = "/api/features/{}/impact"


async def test_before_confirming_a_person_sees_what_changes_and_what_surely_stays(
    ann: Person,
) -> None:
    feature = await ann.finished()
    answer = await ann.ask("POST", PATH.format(feature), json=CHANGED)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["preview"]["points"] == ["BF-2"]
    kinds = {one["kind"]: one for one in told["preview"]["kinds"]}
    assert set(kinds) == {"requirements", "criteria", "interfaces", "tasks", "tests", "files"}
    assert (kinds["requirements"]["changes"], kinds["requirements"]["stays"]) == ([], ["FR-1"])
    assert "spec" in [one["step"] for one in told["estimate"]["steps"]]

    other = await ann.ask("POST", PATH.format(feature), json={"brief": "- BF-1 lend two tools"})
    [stale] = {one["kind"]: one for one in other.json()["preview"]["kinds"]}["requirements"][
        "changes"
    ]
    assert (stale["id"], stale["why"][0]) == ("FR-1", "BF-1")


async def test_without_an_application_there_is_nothing_to_measure_against(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    answer = await ann.ask("POST", PATH.format(feature), json=CHANGED)
    assert answer.status_code == 200, answer.text
    assert answer.json()["preview"] == {"points": [], "kinds": []}


async def test_a_brief_that_may_not_be_changed_now_is_refused_here_too(ann: Person) -> None:
    feature = await ann.new_feature()
    answer = await ann.ask("POST", PATH.format(feature), json=CHANGED)
    assert answer.status_code == 409, answer.text


async def test_a_brief_without_a_word_is_refused(ann: Person) -> None:
    feature = await ann.finished()
    answer = await ann.ask("POST", PATH.format(feature), json={"brief": "---"})
    assert answer.status_code == 422, answer.text
