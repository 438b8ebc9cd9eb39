"""While faults are mended, only the files that they name are written; the rest stays as it is."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.faults import approved, located
from application.agents.inputs import inputs_of
from domain import documents as d
from domain.content import Content, Mending
from domain.events import FileWritten
from domain.feature import Feature
from domain.mending import CodeFault
from domain.status import Step, Verdict
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, done, written
from tests.application.agents.reviewing import submitted, whole

FINISHED = call("task_done", {"tasks": ["T-1", "T-2"]})
MENDED = s.CODE.replace("return { part", "if (!part) throw new Error();\n  return { part")
OTHER = {"README.md": "# Better\n"}
FOUND = d.Finding(
    "Anybody may ask", d.Severity.HIGH, d.Confidence.HIGH, "src/requests.ts", 6,
    "export function ask(part: string): Repair {", "No limit.", "Limit it.", fingerprint="F-1",
)  # fmt: skip


def file(path: str, text: str) -> FileWritten:
    return FileWritten(path, len(text.encode()), sha256(text.encode()).hexdigest())


README = file("README.md", s.README)


def mending(round_: int = 1, **more):
    """What the implementer reads when its code failed for what stands in `src/requests.ts`."""
    content = Content(mending=Mending(9, round_, 2))
    given = {
        "feature": Feature(content=content),
        "previous_files": {path: s.FILES[path] for path in ("src/requests.ts", "README.md")},
        "reports": {Step.CODE_REVIEW: d.Report("Bad.", (FOUND,))},
        "may_change": ("src/requests.ts",),
        "frozen": {"README.md": README},
    }
    return replace(s.BEFORE_CODE, **{**given, **more})


async def mended(*answers, material=None, **more):
    context = ScriptedContext(*answers, **more)
    return await done(Step.IMPLEMENT, material or mending(), context), context


async def test_only_what_is_named_is_written_and_the_rest_is_carried_to_the_byte():
    command, context = await mended(answer(written({"src/requests.ts": MENDED}), FINISHED))
    assert README in command.files
    assert README.sha256 not in context.stored, "it stands in the store already"
    code = next(one for one in command.files if one.path == "src/requests.ts")
    assert context.stored[code.sha256].decode() == MENDED
    first = s.first_message(context.requests[0])
    assert '<input name="may_change"' in first
    assert "all others are frozen" in first


async def test_a_frozen_file_goes_back_as_a_correction_and_the_round_goes_on():
    stray = written({**OTHER, "src/requests.ts": MENDED})
    command, context = await mended(answer(stray), answer(FINISHED))
    assert "`README.md` is frozen" in context.last_words
    assert README in command.files
    assert command.refused == ()


async def test_insisting_on_a_frozen_file_ends_the_round_for_a_person_to_decide():
    with pytest.raises(StepFailed) as raised:
        await mended(answer(written(OTHER)), answer(written({"README.md": "# Other\n"})))
    assert raised.value.code == "outside_the_freeze"
    assert "README.md" in raised.value.reason
    assert not raised.value.retryable


async def test_a_frozen_file_written_as_it_stands_is_no_fault_and_no_progress():
    same = written({"README.md": s.README})
    command, _ = await mended(
        answer(same), answer(same, written({"src/requests.ts": MENDED}), FINISHED)
    )
    assert README in command.files


async def test_the_tests_are_frozen_whatever_may_change():
    stray = written({"tests/requests.test.ts": "x", "src/requests.ts": MENDED})
    material = mending(may_change=("src/requests.ts", "tests/requests.test.ts"))
    command, context = await mended(answer(stray), answer(FINISHED), material=material)
    test = next(one for one in command.files if one.path == "tests/requests.test.ts")
    assert context.stored[test.sha256].decode() == s.TEST_CODE


async def test_a_round_that_changes_nothing_ends_before_anybody_reviews_the_same_code_again():
    same = answer(written({"src/requests.ts": s.CODE}), FINISHED)
    with pytest.raises(StepFailed) as raised:
        await mended(same)
    assert raised.value.code == "nothing_changed"
    command, _ = await mended(same, material=mending(0))
    assert len(command.files) == 3, "a person who asks for it gets another look"


async def test_what_an_attempt_before_had_written_of_a_frozen_file_does_not_count():
    material = mending(accepted_files={**OTHER, "src/requests.ts": MENDED})
    command, _ = await mended(answer(FINISHED), material=material)
    assert README in command.files


async def test_without_names_nothing_is_frozen():
    material = mending(may_change=(), frozen={})
    command, _ = await mended(
        answer(written({**OTHER, "src/requests.ts": MENDED}), FINISHED), material=material
    )
    assert README not in command.files


async def test_what_would_be_missing_is_not_frozen():
    """As when a newer check refuses what an older one had let stand."""
    other = file("README.md", "# Somewhere else\n")
    material = mending(frozen={"README.md": other})
    command, _ = await mended(
        answer(written({**OTHER, "src/requests.ts": MENDED}), FINISHED), material=material
    )
    assert other not in command.files


def test_the_implementer_gets_the_findings_of_all_rounds_and_a_reviewer_its_own():
    first = replace(FOUND, title="The first", fingerprint="F-0", quote="ask(part: string)")
    material = mending(
        earlier_reports=(
            {
                Step.CODE_REVIEW: d.Report("Before.", (first,)),
                Step.SECURITY_REVIEW: d.Report("Before.", (replace(first, fingerprint="F-s"),)),
            },
        )
    )
    given = inputs_of(Step.IMPLEMENT, material)
    assert ("The first" in given["earlier_reviews"], "Anybody" in given["reviews"]) == (True, True)
    assert '"round":0' in given["earlier_reviews"]
    asked = inputs_of(Step.CODE_REVIEW, replace(material, files=s.FILES))["earlier_findings"]
    assert all(f'"id":"{name}"' in asked for name in ("F-0", "F-1"))
    assert "F-s" not in asked


async def test_a_review_asks_for_what_was_found_in_any_round():
    first = replace(
        FOUND, title="The first", fingerprint="F-0", path="README.md", quote="# Repairs"
    )
    material = replace(
        mending(earlier_reports=({Step.CODE_REVIEW: d.Report("Before.", (first,))},)),
        files=s.FILES,
    )
    told = whole(Step.CODE_REVIEW, FOUND, material=material)
    context = ScriptedContext(answer(submitted(told)), answer(submitted(told)))
    await done(Step.CODE_REVIEW, material, context)
    assert "F-0 (The first) has no answer" in context.last_words


async def test_a_failed_review_records_each_fault_with_its_file_and_what_hangs_on_it():
    files = {**s.FILES, "src/page.ts": 'import { ask } from "./requests.js";\nask("x");\n'}
    material = replace(s.BEFORE_REVIEW, files=files)
    said = replace(FOUND, fingerprint="")
    told = whole(Step.SECURITY_REVIEW, said, material=material)
    context = ScriptedContext(answer(submitted(told)))
    command = await done(Step.SECURITY_REVIEW, material, context)
    assert command.verdict is Verdict.FAIL
    [fault] = command.faults
    assert fault.fingerprint == command.document.findings[0].fingerprint
    assert (fault.paths, fault.stage) == (("src/requests.ts",), d.ReturnStage.IMPLEMENT)
    assert command.beside == ("src/page.ts",), "the test imports it too, and is frozen"
    assert command.reviewed_files == len(files)
    passed = whole(Step.SECURITY_REVIEW, material=material)
    context = ScriptedContext(answer(submitted(passed)))
    assert (await done(Step.SECURITY_REVIEW, material, context)).faults == ()


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        (CodeFault("F", d.Severity.HIGH, "Bad.", ("src/a.ts",)), "implement"),
        (CodeFault("F", d.Severity.HIGH, "Bad.", ("tests/a.test.ts",)), "tests"),
        (CodeFault("F", d.Severity.HIGH, "FR-2 is missing.", ("src/a.ts",)), "plan"),
        (CodeFault("F", d.Severity.HIGH, "FR-1 is missing.", ("src/a.ts",)), "implement"),
        (CodeFault("F", d.Severity.HIGH, "FR-99 is missing.", ("src/a.ts",)), "implement"),
        (
            CodeFault("F", d.Severity.HIGH, "Bad.", ("src/a.ts",), stage=d.ReturnStage.SPEC),
            "spec",
        ),
    ],
)
def test_the_earliest_stage_at_fault_is_computed_from_what_a_finding_names(fault, stage):
    plan = replace(s.PLAN, tasks=(replace(s.PLAN.tasks[0], requirements=("FR-1",)),))
    given = approved(s.SPEC, plan, ["tests/a.test.ts"])
    [one] = located([fault], d.Report("s"), ["src/a.ts", "tests/a.test.ts"], given)
    assert one.stage == stage
    assert "tests/a.test.ts" not in one.paths
