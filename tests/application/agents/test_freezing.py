"""What stays in a later round keeps its words and bytes, whatever an agent hands over."""

from hashlib import sha256

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.freezing import (
    Frozen,
    changed_since,
    frozen_plan,
    frozen_spec,
    frozen_tests,
)
from application.agents.render import also_changed, spec_markdown
from domain import documents as d
from domain.events import FileWritten
from domain.impact import ImpactKind, impact_of
from domain.impact_index import interfaces_of
from domain.status import Agent, Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, done, written
from tests.impact.cases import Case, cases
from tests.impact.measure import base_of

CASES = [case for case in cases() if not case.app.by_demo]
NOTE = next(one for one in CASES if one.name == "a longer note")
WHY = "The longer note needs more room there."


def standing_of(case: Case) -> Frozen:
    base = base_of(case)
    files = tuple(
        FileWritten(path, len(text), sha256(text.encode()).hexdigest(), Agent.IMPLEMENTER)
        for path, text in base.files.items()
    )
    return Frozen(base, impact_of(base, case.points), files)


def other(need: d.Requirement) -> d.Requirement:
    return replace(need, response=f"{need.response}, nicely")


def test_a_requirement_that_stays_is_carried_though_it_was_left_out():
    standing = standing_of(NOTE)
    spec = standing.base.spec
    only = tuple(other(need) for need in spec.requirements if need.id == "FR-7")
    merged, findings = frozen_spec(replace(spec, requirements=only), standing)
    assert findings == []
    assert merged.requirements[:-1] == spec.requirements[:-1]
    assert merged.requirements[-1] == only[0]


def test_a_requirement_that_stays_is_not_reworded_or_superseded_unasked():
    standing = standing_of(NOTE)
    spec = standing.base.spec
    reworded = replace(spec, requirements=tuple(map(other, spec.requirements)))
    merged, findings = frozen_spec(reworded, standing)
    assert [text.partition(" ")[0] for text in findings] == [f"FR-{n}" for n in range(1, 7)]
    assert all("also_changed" in text for text in findings)
    assert merged.requirements[:-1] == spec.requirements[:-1]
    _, gone = frozen_spec(replace(spec, superseded=("FR-2", "FR-7")), standing)
    assert len(gone) == 1
    assert gone[0].startswith("FR-2 is superseded")


def test_what_is_asked_for_with_a_reason_may_change_and_is_shown():
    standing = standing_of(NOTE)
    spec = standing.base.spec
    needs = tuple(other(n) if n.id in {"FR-4", "FR-7"} else n for n in spec.requirements)
    asking = replace(spec, requirements=needs, also_changed=(d.AlsoChanged("FR-4", WHY),))
    merged, findings = frozen_spec(asking, standing)
    assert findings == []
    assert merged.requirements == needs
    page = spec_markdown(merged)
    assert "Changed although your change does not name it" in page
    assert WHY in page
    assert also_changed(()) == ""
    _, empty = frozen_spec(replace(asking, also_changed=(d.AlsoChanged("FR-4", " "),)), standing)
    assert any("without a reason" in text for text in empty)


def test_what_was_to_change_anyway_is_no_matter_of_asking():
    standing = standing_of(NOTE)
    asking = replace(standing.base.spec, also_changed=(d.AlsoChanged("FR-7", WHY),))
    assert frozen_spec(asking, standing)[0].also_changed == ()


def test_a_plan_keeps_tasks_files_and_interfaces_that_nothing_asked_to_change():
    standing = standing_of(NOTE)
    plan, spec = standing.base.plan, standing.base.spec
    worse = replace(
        plan,
        tasks=tuple(replace(task, title=f"{task.title}!") for task in plan.tasks),
        files=tuple(replace(file, purpose="anew") for file in plan.files),
        tables=tuple(replace(t, columns=t.columns[:1]) for t in plan.tables),
    )
    merged, findings = frozen_plan(worse, standing, spec)
    assert any(text.startswith("T-3 ") for text in findings)
    assert any(text.startswith("`app/domain/pet.ts`") for text in findings)
    assert any(text.startswith("table pets") for text in findings)
    assert not any(text.startswith(("T-5 ", "`app/domain/note.ts`")) for text in findings)
    stays = standing.stays(ImpactKind.FILES)
    assert [f for f in merged.files if f.path in stays] == [
        f for f in plan.files if f.path in stays
    ]


def test_a_task_that_stays_takes_on_no_requirement_unasked():
    standing = standing_of(NOTE)
    plan, spec = standing.base.plan, standing.base.spec
    spec = replace(
        spec, requirements=(*spec.requirements, replace(spec.requirements[0], id="FR-8"))
    )
    more = replace(
        plan,
        tasks=tuple(
            replace(task, requirements=(*task.requirements, "FR-8")) if task.id == "T-3" else task
            for task in plan.tasks
        ),
    )
    _, findings = frozen_plan(more, standing, spec)
    assert [text.partition(" ")[0] for text in findings] == ["T-3"]
    asking = replace(more, also_changed=(d.AlsoChanged("T-3", WHY),))
    merged, findings = frozen_plan(asking, standing, spec)
    assert findings == []
    known = changed_since(standing.base, spec, merged, None)
    assert "T-3" in known
    assert "app/domain/pet.ts" in impact_of(standing.base, standing.base.points, known).ids(
        ImpactKind.FILES
    )


def test_test_files_that_stay_need_not_be_handed_over():
    standing = standing_of(NOTE)
    tests = standing.base.tests
    only = tuple(f for f in tests.files if f.path == "tests/note.test.ts")
    merged, findings = frozen_tests(replace(tests, files=only), standing)
    assert findings == []
    assert merged.files == tests.files
    spoilt = replace(
        tests, files=tuple(replace(f, content=f"{f.content}//\n") for f in tests.files)
    )
    merged, findings = frozen_tests(spoilt, standing)
    assert len(findings) == len(tests.files) - 1
    assert [f.content for f in merged.files if f.path != "tests/note.test.ts"] == [
        f.content for f in tests.files if f.path != "tests/note.test.ts"
    ]


@settings(max_examples=25)
@forall(st.sampled_from(CASES), st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_every_change_is_named_and_all_else_keeps_its_words(case, rewritten, asked):
    """No unnamed change, whatever an agent rewrites or asks for."""
    standing = standing_of(case)
    base = standing.base
    needs = base.spec.requirements
    spec = replace(
        base.spec,
        requirements=tuple(other(n) if i in rewritten else n for i, n in enumerate(needs)),
        also_changed=tuple(d.AlsoChanged(n.id, WHY) for i, n in enumerate(needs) if i in asked),
    )
    merged, _ = frozen_spec(spec, standing)
    named = standing.impact.ids(ImpactKind.REQUIREMENTS) | {one.id for one in merged.also_changed}
    before = {n.id: n for n in needs}
    assert {n.id for n in merged.requirements if before[n.id] != n} <= named
    plan = replace(
        base.plan,
        tasks=tuple(
            replace(t, title=f"{t.title} anew") if i in rewritten else t
            for i, t in enumerate(base.plan.tasks)
        ),
        exports=tuple(
            replace(x, signature=f"{x.signature} | null") if i in rewritten else x
            for i, x in enumerate(base.plan.exports)
        ),
        also_changed=tuple(
            d.AlsoChanged(t.id, WHY) for i, t in enumerate(base.plan.tasks) if i in asked
        ),
    )
    kept, _ = frozen_plan(plan, standing, base.spec)
    named = {one.id for one in kept.also_changed}.union(
        *(standing.impact.ids(kind) for kind in (ImpactKind.TASKS, ImpactKind.INTERFACES))
    )
    was, now = interfaces_of(base.plan), interfaces_of(kept)
    tasks = {t.id: t for t in base.plan.tasks}
    assert {ident for ident in was if now.get(ident) != was[ident]} <= named
    assert {t.id for t in kept.tasks if tasks[t.id] != t} <= named


# The implementer.

CODE = {"src/requests.ts": s.CODE}
MORE = {"src/requests.ts": s.CODE + "\n// Now with a list.\n"}
WORDS = {"README.md": s.README}
FINISHED = call("task_done", {"tasks": ["T-1", "T-2"], "notes": ""})


def _standing(*stays: str) -> Frozen:
    files = tuple(
        FileWritten(path, len(text), sha256(text.encode()).hexdigest(), Agent.IMPLEMENTER)
        for path, text in s.FILES.items()
    )
    base = d.Plan("x", s.PLAN.files, s.PLAN.tasks)
    case = replace(
        standing_of(NOTE).impact,
        stays={ImpactKind.FILES: stays},
        stale={},
    )
    return Frozen(replace(standing_of(NOTE).base, plan=base), case, files)


def _material(*stays: str):
    return replace(s.BEFORE_CODE, previous_files=s.FILES, standing=_standing(*stays))


def _asking(files, reason):
    return call(
        "write_files",
        {
            "files": [{"path": path, "content": text} for path, text in files.items()],
            "also_changed": [{"id": path, "reason": reason} for path in files],
        },
    )


async def test_a_file_that_stays_is_not_written_and_its_bytes_are_carried():
    context = ScriptedContext(
        answer(written(MORE | {"README.md": s.README + "\nBetter.\n"})), answer(FINISHED)
    )
    command = await done(Step.IMPLEMENT, _material("README.md"), context)
    hashes = {file.path: file.sha256 for file in command.files}
    assert hashes["README.md"] == sha256(s.README.encode()).hexdigest()
    assert hashes["src/requests.ts"] == sha256(MORE["src/requests.ts"].encode()).hexdigest()
    assert "README.md" not in context.kept
    assert hashes["README.md"] not in context.stored
    assert command.also_changed == ()
    told = str(context.requests[-1].messages)
    assert "`README.md` stays as it is in this round" in told
    assert 'name="frozen"' in s.first_message(context.requests[0])


async def test_a_file_that_stays_may_be_written_with_a_reason_which_is_recorded():
    better = {"README.md": s.README + "\nHow to print a list.\n"}
    context = ScriptedContext(answer(written(MORE), _asking(better, WHY)), answer(FINISHED))
    command = await done(Step.IMPLEMENT, _material("README.md"), context)
    hashes = {file.path: file.sha256 for file in command.files}
    assert hashes["README.md"] == sha256(better["README.md"].encode()).hexdigest()
    assert command.also_changed == (d.AlsoChanged("README.md", WHY),)


@pytest.mark.parametrize("reason", [" ", "\n"])
async def test_no_reason_is_no_asking(reason):
    better = {"README.md": s.README + "\nHow to print a list.\n"}
    context = ScriptedContext(answer(written(MORE), _asking(better, reason)), answer(FINISHED))
    command = await done(Step.IMPLEMENT, _material("README.md"), context)
    hashes = {file.path: file.sha256 for file in command.files}
    assert hashes["README.md"] == sha256(s.README.encode()).hexdigest()


async def test_the_same_bytes_again_are_no_change():
    context = ScriptedContext(answer(written(MORE | WORDS)), answer(FINISHED))
    command = await done(Step.IMPLEMENT, _material("README.md"), context)
    assert "stands as it is" in str(context.requests[-1].messages)
    assert command.also_changed == ()
