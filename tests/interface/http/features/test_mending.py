"""A failed review over HTTP: what is still wrong in words, why nothing is mended, what to do."""

from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import documents as d
from domain.status import Step
from tests import given
from tests.interface.http.features.test_looking_back import approve, read
from tests.interface.world import Person

FINDING = d.Finding(
    "Anybody may lend", d.Severity.HIGH, d.Confidence.HIGH, "src/server.ts", 1,
    "console.log(1)", "Strangers could take tools.", "Ask who it is.", fingerprint="F-1",
)  # fmt: skip


async def reviewed(ann: Person, feature: str, *names: str, rounds: int = 2, **more: Any) -> None:
    """Both reviews; the second fails the code for these faults."""
    await ann.work(feature, Step.SECURITY_REVIEW)
    world, ident = ann.world, UUID(feature)
    now = await world.features.load(ann.tenant, ident)
    await world.system(ident, given.start(now, Step.CODE_REVIEW), ann.tenant)
    now = await world.features.load(ann.tenant, ident)
    said = given.failing(now, Step.CODE_REVIEW, given.faulty(*names, **more), rounds)
    report = d.Report("Bad.", (FINDING,))
    await world.system(ident, replace(said, document=report), ann.tenant)


async def in_review(ann: Person) -> str:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}"
    for gate, step in (("spec", Step.PLAN), ("plan", Step.TESTS), ("tests", Step.IMPLEMENT)):
        await approve(ann, path, gate)
        await ann.work(feature, step)
    return feature


async def test_while_a_round_runs_it_says_what_it_mends_and_about_what_it_costs(
    ann: Person,
) -> None:
    feature = await in_review(ann)
    await reviewed(ann, feature, "F-1", "F-2")
    seen = await read(ann, f"/api/features/{feature}")
    assert (seen["status"], seen["failure"]) == ("implementing", None)
    mending = seen["mending"]
    assert (mending["round"], mending["of"], mending["stopped"]) == (1, 2, None)
    assert (mending["may_change"], mending["frozen"]) == (["src/server.ts"], 1)
    assert float(mending["cost_usd"]) > 0
    first, other = mending["wrong"]
    assert (first["title"], first["path"], first["line"]) == (FINDING.title, "src/server.ts", 1)
    assert first["says"] == FINDING.explanation
    assert (other["title"], other["severity"]) == ("High", "high"), "no finding: its own words"
    assert mending["back"] == []


async def test_once_nothing_is_mended_it_says_why_and_where_to_go_back_to(ann: Person) -> None:
    feature = await in_review(ann)
    path = f"/api/features/{feature}"
    await reviewed(ann, feature, "F-1", stage=d.ReturnStage.PLAN)
    failed = await read(ann, path)
    assert failed["failure"]["code"] == "review_failed"
    mending = failed["mending"]
    assert (mending["stopped"], mending["stage"]) == ("earlier_stage", "plan")
    assert [one["gate"] for one in mending["back"]] == ["spec", "plan", "tests"]
    costs = [float(one["cost_usd"]) for one in mending["back"]]
    assert costs == sorted(costs, reverse=True)
    assert min(costs) > 0
    assert {"retry", "replay"} <= set(failed["actions"])
    plan = mending["back"][1]["version"]
    answer = await ann.ask("POST", f"{path}/replay", json={"version": plan})
    assert answer.status_code == 202, answer.text
    back = await read(ann, path)
    assert (back["status"], back["mending"]) == ("plan_ready", None)


async def test_what_is_mended_by_hand_is_no_round_and_what_is_done_is_mended_no_more(
    ann: Person,
) -> None:
    feature = await in_review(ann)
    path = f"/api/features/{feature}"
    await reviewed(ann, feature, "F-1", rounds=0)
    assert (await read(ann, path))["mending"]["stopped"] == "off"
    await ann.ask("POST", f"{path}/retry")
    mending = (await read(ann, path))["mending"]
    assert (mending["round"], mending["stopped"], mending["frozen"]) == (0, None, 1)
    assert len(mending["wrong"]) == 1
    await ann.work(feature, Step.IMPLEMENT, Step.SECURITY_REVIEW, Step.CODE_REVIEW)
    done = await read(ann, path)
    assert (done["status"], done["mending"]) == ("done", None)


async def test_a_failure_of_before_there_were_rounds_says_what_was_grave(ann: Person) -> None:
    feature = await in_review(ann)
    await reviewed(ann, feature, rounds=None)  # type: ignore[arg-type]
    mending = (await read(ann, f"/api/features/{feature}"))["mending"]
    assert [one["title"] for one in mending["wrong"]] == [FINDING.title]
    assert (mending["stopped"], mending["may_change"]) == (None, [])
