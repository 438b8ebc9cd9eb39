"""The implementer: whole files, the plan's only, complete and parsed."""

import json
from hashlib import sha256

import msgspec
import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.inspection import StaticFinding
from application.agents.paths import printable
from application.agents.stack_profile import PROFILE
from application.agents.steps.build import MENDS
from application.agents.steps.writing import IDLE_TURNS
from application.agents.table import AGENTS
from application.ports import ModelError
from domain import documents as d
from domain import events as e
from domain.status import Agent, Gate, Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import (
    ScriptedContext,
    answer,
    call,
    cut,
    done,
    prose,
    written,
)

CODE = {"src/requests.ts": s.CODE}
WORDS = {"README.md": s.README}
BOTH = CODE | WORDS
FINISHED = call("task_done", {"tasks": ["T-1", "T-2"], "notes": "Set PORT."})


async def built(*answers, material=s.BEFORE_CODE, **more):
    context = ScriptedContext(*answers, **more)
    return await done(Step.IMPLEMENT, material, context), context


async def failed(*answers, **more) -> StepFailed:
    with pytest.raises(StepFailed) as raised:
        await built(*answers, **more)
    return raised.value


async def test_planned_files_and_frozen_tests_are_stored_by_hash():
    command, context = await built(answer(written(BOTH)), answer(FINISHED))
    assert [(f.path, f.by) for f in command.files] == [
        ("README.md", Agent.IMPLEMENTER),
        ("src/requests.ts", Agent.IMPLEMENTER),
        ("tests/requests.test.ts", Agent.CONTRACT_TEST),
    ]
    assert command.notes == "Set PORT."
    for file in command.files:
        assert context.stored[file.sha256].decode() == s.FILES[file.path]
        assert file.size == len(context.stored[file.sha256])
    assert [w["path"] for kind, w in context.shown if kind == "file"] == list(BOTH)


async def test_files_and_the_end_may_come_in_one_answer():
    command, context = await built(answer(written(BOTH), FINISHED))
    assert len(command.files) == 3
    assert len(context.requests) == 1


async def test_what_is_missing_is_asked_for():
    _, context = await built(answer(written(CODE)), answer(written(WORDS), FINISHED))
    assert "Still to be written: `README.md`" in context.last_words
    assert 'name="written"' in context.last_words
    assert '["src/requests.ts"]' in context.last_words


async def test_messages_are_only_ever_added():
    _, context = await built(answer(written(CODE)), answer(written(WORDS)), answer(FINISHED))
    bare = [
        [
            [{k: v for k, v in b.items() if k != "cache_control"} for b in m["content"]]
            for m in request.messages
        ]
        for request in context.requests
    ]
    assert bare[1][: len(bare[0])] == bare[0]
    assert bare[2][: len(bare[1])] == bare[1]
    marks = str(context.requests[2]).count("cache_control")
    assert marks <= 4


async def test_nothing_is_done_that_is_not_written():
    _, context = await built(answer(FINISHED), answer(written(BOTH), FINISHED))
    assert "Not done yet" in context.last_words
    error = await failed(answer(FINISHED), answer(FINISHED), answer(FINISHED))
    assert error.code == "no_result"


@pytest.mark.parametrize(
    "path",
    [
        "../evil.ts", "/etc/passwd", "src\\a.ts", "C:/a.ts", "src/../../a", "src/a\x00.ts",
        "src/con.ts", "src/\u202ea.ts", ".git/config", ".github/workflows/x.yml",
        ".vscode/tasks.json", "src/ a.ts", "SRC/requests.ts", "other.ts", "~/a", "",
        "tests/requests.test.ts", "TESTS/Requests.test.ts", "a" * 300,
    ],
)  # fmt: skip
async def test_a_path_that_is_not_planned_is_never_written_and_stands_as_refused(path):
    stray = written({path: "x"} | BOTH)
    if not 0 < len(path) <= 240 or "\0" in path:
        # The tool's shape already forbids it, and with it the whole call.
        stray = written({path: "x"})
        await built(answer(stray), answer(written(BOTH), FINISHED))
        return
    command, _ = await built(answer(stray), answer(FINISHED))
    assert {f.path for f in command.files} == {*BOTH, "tests/requests.test.ts"}
    assert command.refused == ()
    command, _ = await built(answer(stray), answer(stray), answer(FINISHED))
    assert {f.path for f in command.files} == {*BOTH, "tests/requests.test.ts"}
    [refused] = command.refused
    assert refused.path == printable(path)
    assert refused.faults


@pytest.mark.parametrize(
    "line",
    [
        "// ... rest of the code unchanged",
        "// … rest unchanged",
        "/* existing code remains here */",
        "// TODO: implement",
        "...",
        "  …",
        "# rest of file unchanged",
        "<!-- rest of the file -->",
        'throw new Error("Not implemented");',
        "// your code here",
    ],
)
async def test_a_placeholder_is_no_file(line):
    lazy = {"src/requests.ts": f"{s.CODE}{line}\n"}
    _, context = await built(answer(written(lazy | WORDS)), answer(written(CODE), FINISHED))
    assert "stands for code that is missing" in str(context.requests[1].messages[-1])
    command, context = await built(
        answer(written(lazy)), answer(written(lazy)), answer(written(WORDS), FINISHED)
    )
    [refused] = command.refused
    assert refused.path == "src/requests.ts"
    assert "stands for code that is missing" in refused.faults[0]
    [kept] = [file for file in command.files if file.path == refused.path]
    assert context.stored[kept.sha256].decode() == lazy[kept.path]


async def test_words_for_users_are_no_placeholder():
    code = s.CODE + 'export const wait = "Loading…"; // The rest is up to the caller.\n'
    code += "export const all = (...parts: string[]) => [\n  ...parts,\n];\n"
    command, _ = await built(answer(written({"src/requests.ts": code} | WORDS), FINISHED))
    assert len(command.files) == 3


async def test_an_empty_and_a_giant_file_are_refused():
    empty = {"src/requests.ts": " \n"}
    giant = {"src/requests.ts": "x" * ((1 << 20) + 1)}
    for wrong, stored in ((empty, True), (giant, False)):
        command, _ = await built(
            answer(written(wrong)), answer(written(wrong)), answer(written(WORDS), FINISHED)
        )
        assert [file.path for file in command.refused] == ["src/requests.ts"]
        assert ("src/requests.ts" in {file.path for file in command.files}) is stored


async def test_completed_calls_of_a_cut_answer_count_and_the_rest_is_asked_for():
    command, context = await built(cut(written(CODE)), answer(written(WORDS), FINISHED))
    assert len(command.files) == 3
    assert "cut off" in context.last_words
    assert "README.md" in context.last_words


async def test_a_cut_without_a_file_splits_the_work_and_a_second_one_fails():
    _, context = await built(
        cut(prose("Now")), answer(written(CODE)), answer(written(WORDS), FINISHED)
    )
    assert "Write only `src/requests.ts` now" in str(context.requests[1].messages[-1])
    error = await failed(cut(), cut())
    assert error.code == "answer_too_long"


async def test_progress_between_two_cuts_is_progress():
    command, _ = await built(cut(), cut(written(CODE)), cut(), answer(written(WORDS), FINISHED))
    assert len(command.files) == 3


async def test_parser_errors_go_back_and_what_stays_broken_is_kept_as_refused():
    broken = StaticFinding("src/requests.ts", 2, "syntax", "The file cannot be parsed.")
    note = StaticFinding("README.md", 1, "not_inspected", "No parser.", error=False)
    frozen = StaticFinding("tests/requests.test.ts", 1, "syntax", "Frozen.")
    findings = [[broken, note, frozen], [note, frozen]]
    command, context = await built(
        answer(written(BOTH), FINISHED),
        answer(written(CODE), FINISHED),
        inspect=lambda _: findings.pop(0),
    )
    assert len(command.files) == 3
    assert "src/requests.ts:2" in context.last_words
    assert "Frozen" not in context.last_words
    command, _ = await built(
        answer(written(BOTH), FINISHED), answer(written(CODE), FINISHED), inspect=lambda _: [broken]
    )
    [refused] = command.refused
    assert "src/requests.ts:2" in refused.faults[0]


async def test_the_stack_profile_is_held_to_where_the_plan_knows_it():
    plan = s.WHOLE_PLAN
    material = replace(s.BEFORE_CODE, documents={**s.BEFORE_CODE.documents, Gate.PLAN: plan})
    manifest = {
        "type": "module",
        "engines": {"node": f">={PROFILE.node}"},
        "scripts": dict(PROFILE.scripts),
        "devDependencies": {name: PROFILE.versions[name] for name in ("typescript", "@types/node")},
    }
    options = json.dumps({"compilerOptions": msgspec.to_builtins(PROFILE.tsconfig)})
    project = {
        "package.json": json.dumps(manifest | {"type": "commonjs"}),
        "tsconfig.json": options,
        ".env.example": "# No settings.\n",
        "README.md": "Run `npm install`, then `npm start`.\n",
    }
    mended = {"package.json": json.dumps(manifest)}
    command, context = await built(
        answer(written(CODE | project), FINISHED), answer(written(mended), FINISHED),
        material=material,
    )  # fmt: skip
    assert 'package.json:1: Say `"type": "module"`' in context.last_words
    assert command.refused == ()
    command, _ = await built(
        answer(written(CODE | project), FINISHED),
        answer(written({"package.json": project["package.json"]}), FINISHED),
        material=material,
    )
    assert [one.path for one in command.refused] == ["package.json"]


async def test_parser_errors_go_back_as_long_as_there_are_fewer():
    def broken(count):
        return [
            StaticFinding("src/requests.ts", line, "syntax", "Odd.") for line in range(1, count + 1)
        ]

    def inspecting(*counts):
        left = list(counts)
        return lambda _: broken(left.pop(0) if len(left) > 1 else left[0])

    again = [answer(written(CODE), FINISHED) for _ in range(3)]
    command, _ = await built(
        answer(written(BOTH), FINISHED), *again, inspect=inspecting(3, 2, 1, 0)
    )
    assert command.refused == ()
    command, _ = await built(
        answer(written(BOTH), FINISHED), *again[:2], inspect=inspecting(3, 2, 2)
    )
    assert len(command.refused[0].faults) == 2
    # However small the steps, there is an end.
    many = [answer(written(CODE), FINISHED) for _ in range(MENDS)]
    counts = inspecting(*range(100, 1, -1))
    command, _ = await built(answer(written(BOTH), FINISHED), *many, inspect=counts)
    assert len(command.refused) == 1


@pytest.mark.parametrize(
    "silent",
    [
        [answer(prose("It is fine."))] * 3,
        [answer(FINISHED)] * 3,
        [cut(), cut()],
        [answer(call("write_all", {}))] * 2,
    ],
)
async def test_an_agent_that_mends_nothing_loses_nothing(silent):
    broken = StaticFinding("src/requests.ts", 2, "syntax", "The file cannot be parsed.")
    command, _ = await built(answer(written(BOTH), FINISHED), *silent, inspect=lambda _: [broken])
    assert len(command.files) == 3
    assert [file.path for file in command.refused] == ["src/requests.ts"]


async def test_being_blocked_is_told_with_its_reason():
    error = await failed(answer(call("report_blocked", {"reason": "FR-1 contradicts AC-2."})))
    assert error.code == "blocked"
    assert "FR-1 contradicts AC-2." in error.reason


async def test_a_call_that_cannot_be_read_is_answered_once():
    bad = call("write_files", b'"{\\"files\\": ["')
    command, context = await built(answer(bad), answer(written(BOTH), FINISHED))
    assert len(command.files) == 3
    sent = context.requests[1].messages[1]["content"][0]
    assert isinstance(sent["input"], dict)
    error = await failed(answer(bad), answer(bad))
    assert error.code == "check_failed"


AS_TEXT = call("write_files", {"files": json.dumps([{"path": "README.md", "content": "x"}])})
UNKNOWN = call("create_file", {"path": "README.md"})
STRAY = written({"src/stray.ts": "export {};\n"})


@pytest.mark.parametrize("slip", [AS_TEXT, UNKNOWN, STRAY, written({"README.md": " "})])
async def test_calls_of_one_answer_that_share_a_slip_are_each_told_and_may_be_mended(slip):
    command, context = await built(
        answer(slip, replace(slip, id="second")), answer(written(BOTH), FINISHED)
    )
    assert command.refused == ()
    told = context.requests[1].messages[-1]["content"]
    results = [block for block in told if block["type"] == "tool_result"]
    assert [result["tool_use_id"] for result in results] == [slip.id, "second"]
    assert all(result["is_error"] and result["content"] for result in results)


async def test_slips_are_forgotten_after_progress():
    command, _ = await built(
        answer(UNKNOWN), answer(written(CODE)), answer(UNKNOWN), answer(written(WORDS), FINISHED)
    )
    assert len(command.files) == 3


async def test_another_slip_each_time_is_told_each_time_and_yet_ends():
    await built(answer(UNKNOWN), answer(AS_TEXT), answer(written(BOTH), FINISHED))
    others = [answer(call(f"tool_{number}", {})) for number in range(IDLE_TURNS + 1)]
    error = await failed(*others)
    assert error.code == "check_failed"
    assert f"tool_{IDLE_TURNS}" in error.reason


async def test_a_refused_file_that_is_mended_later_is_accepted():
    lazy = {"src/requests.ts": f"{s.CODE}// ... rest of the code unchanged\n"}
    command, _ = await built(
        answer(written(lazy)), answer(written(lazy)), answer(written(BOTH), FINISHED)
    )
    assert command.refused == ()
    assert {file.path: file.size for file in command.files}["src/requests.ts"] == len(s.CODE)


async def test_a_file_with_fewer_faults_each_time_is_told_again():
    line = "// ... rest of the code unchanged\n"
    versions = [answer(written({"src/requests.ts": s.CODE + line * n})) for n in (3, 2, 1)]
    command, _ = await built(*versions, answer(written(BOTH), FINISHED))
    assert command.refused == ()


async def test_what_was_accepted_stands_beside_a_later_version_that_is_refused():
    lazy = written({"src/requests.ts": f"{s.CODE}// ... rest of the code unchanged\n"})
    command, context = await built(
        answer(written(BOTH)), answer(lazy), answer(lazy), answer(FINISHED)
    )
    [kept] = [file for file in command.files if file.path == "src/requests.ts"]
    assert context.stored[kept.sha256].decode() == s.CODE
    assert [file.path for file in command.refused] == ["src/requests.ts"]


@pytest.mark.parametrize(
    "end",
    [
        answer(stop="refusal"),
        ModelError("overloaded", "Busy.", retryable=True),
        answer(call("report_blocked", {"reason": "FR-1 contradicts AC-2."})),
    ],
)
async def test_what_was_accepted_is_stored_before_anything_fails(end):
    context = ScriptedContext(answer(written(CODE)), end)
    with pytest.raises((StepFailed, ModelError)):
        await done(Step.IMPLEMENT, s.BEFORE_CODE, context)
    [kept] = context.kept.values()
    assert kept.path == "src/requests.ts"
    assert context.stored[kept.sha256].decode() == s.CODE


async def test_the_next_attempt_goes_on_from_what_was_accepted():
    material = replace(s.BEFORE_CODE, accepted_files=CODE)
    command, context = await built(answer(written(WORDS), FINISHED), material=material)
    assert {file.path for file in command.files} == set(s.FILES)
    first = s.first_message(context.requests[0])
    assert 'name="accepted_files"' in first
    assert "go on from there" in first
    assert set(context.kept) == set(BOTH)


STANDING = replace(s.BEFORE_CODE, previous_files=s.FILES)
"""An application that stands, and is to be changed."""


async def test_a_change_writes_again_what_must_change_and_keeps_the_bytes_of_all_else():
    path = next(iter(CODE))
    changed = {path: CODE[path] + "\n// Now with a list.\n"}
    command, context = await built(answer(written(changed), FINISHED), material=STANDING)
    hashes = {file.path: file.sha256 for file in command.files}
    stands = {p: sha256(text.encode()).hexdigest() for p, text in s.FILES.items()}
    assert {p for p in stands if hashes[p] != stands[p]} == {path}
    first = s.first_message(context.requests[0])
    assert "An application stands" in first
    assert "failed its reviews" not in first
    assert 'name="previous_files"' in first


async def test_a_change_that_needs_no_other_code_is_done_with_a_word():
    command, context = await built(answer(FINISHED), material=STANDING)
    assert {file.path for file in command.files} == set(s.FILES)
    assert context.kept == {}
    assert len(context.requests) == 1


async def test_prose_alone_is_no_word_that_a_change_needs_no_other_code():
    with pytest.raises(StepFailed):
        await built(*[answer(prose("Nothing to do."))] * 9, material=STANDING)


async def test_a_file_that_the_changed_plan_does_not_name_is_left_out():
    gone = {**s.FILES, "src/keys.ts": "export const keys = 1;\n"}
    command, _ = await built(answer(FINISHED), material=replace(STANDING, previous_files=gone))
    assert "src/keys.ts" not in {file.path for file in command.files}


async def test_an_attempt_that_had_written_everything_is_done_with_a_word():
    material = replace(s.BEFORE_CODE, accepted_files=BOTH)
    command, _ = await built(answer(FINISHED), material=material)
    assert {file.path for file in command.files} == set(s.FILES)


async def test_a_refused_file_is_told_to_the_next_implementer_and_must_be_written_again():
    faults = (e.RefusedFile("src/requests.ts", ("It stands for code that is missing.",)),)
    material = replace(REWORK, refused_files=faults)
    command, context = await built(
        answer(written(WORDS)), answer(written(CODE), FINISHED), material=material
    )
    assert command.refused == ()
    assert "It stands for code that is missing." in s.first_message(context.requests[0])
    assert "Still to be written: `src/requests.ts`" in context.last_words


async def test_silence_after_the_last_file_is_asked_once_for_its_notes():
    command, context = await built(answer(written(BOTH)), answer(prose("Done.")))
    assert command.notes == ""
    assert "task_done" in context.last_words


async def test_silence_before_that_fails_after_two_reminders():
    error = await failed(answer(prose("a")), answer(prose("b")), answer(prose("c")))
    assert error.code == "no_result"


async def test_no_attempt_asks_more_often_than_its_entry_allows():
    # Another version each time is progress, yet never the other file.
    turns = AGENTS[Agent.IMPLEMENTER].entry.turns
    versions = [{"src/requests.ts": f"{s.CODE}export const n = {n};\n"} for n in range(turns)]
    error = await failed(*[answer(written(version)) for version in versions])
    assert error.code == "turns_used_up"
    # With everything written, that is the end of the work and not of its files.
    command, _ = await built(answer(written(BOTH)), *map(answer, map(written, versions[1:])))
    assert len(command.files) == 3


async def test_the_same_file_again_and_again_is_no_progress():
    error = await failed(*[answer(written(CODE)) for _ in range(IDLE_TURNS + 2)])
    assert error.code == "no_result"
    command, _ = await built(*[answer(written(BOTH)) for _ in range(IDLE_TURNS + 2)])
    assert len(command.files) == 3


async def test_a_file_written_again_as_it_stood_ends_no_rework():
    better = {"src/requests.ts": s.CODE + "export const confirm = () => 1;\n"}
    command, context = await built(
        answer(written(WORDS)), answer(written(better), FINISHED), material=REWORK
    )
    sha = {f.path: f.sha256 for f in command.files}["src/requests.ts"]
    assert context.stored[sha].decode() == better["src/requests.ts"]


async def test_a_refusal_in_the_middle_fails():
    error = await failed(answer(written(CODE)), answer(stop="refusal"))
    assert error.code == "model_refused"


REWORK = replace(
    s.BEFORE_CODE,
    previous_files=s.FILES,
    reports={Step.CODE_REVIEW: d.Report(
        summary="One fault.",
        findings=(
            d.Finding(
                "Confirm is missing", d.Severity.HIGH, d.Confidence.HIGH,
                "src/requests.ts", 6, "export function ask", "Nobody can confirm.", "Add it.",
            ),
        ),
    )},
)  # fmt: skip


async def test_after_a_failed_review_files_that_are_right_stand():
    better = {"src/requests.ts": s.CODE + "export const confirm = () => 1;\n"}
    command, context = await built(answer(written(better), FINISHED), material=REWORK)
    assert {f.path for f in command.files} == set(s.FILES)
    text = s.first_message(context.requests[0])
    assert '"review":"code"' in text
    assert "Confirm is missing" in text
    sha = {f.path: f.sha256 for f in command.files}["src/requests.ts"]
    assert context.stored[sha].decode().endswith("confirm = () => 1;\n")


async def test_after_a_failed_review_doing_nothing_is_no_result():
    error = await failed(answer(FINISHED), answer(FINISHED), answer(FINISHED), material=REWORK)
    assert error.code == "no_result"
