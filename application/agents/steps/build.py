"""The implementer writes the planned files, in a bounded loop of tool calls.

Invariant: every planned file of an implementation is written, whole, and read by the parsers
without an error, or is named as refused, with its faults; the approved tests go into it as they
were approved. What is accepted is stored at once: no failure after that loses it.
"""

import asyncio

from application.agents.failures import StepFailed, check_failed
from application.agents.inspection import errors
from application.agents.paths import oversizes, refusals
from application.agents.prompting import listed
from application.agents.steps.file_buffer import FileBuffer
from application.agents.steps.inspected import inspected
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.steps.writing import WritingLoop
from domain import commands as c
from domain.documents import Plan, Tests
from domain.events import FileWritten
from domain.runs import Run
from domain.status import Agent

MENDS = 6
"""How often the parsers' findings go back to the agent while each time fewer are left."""

_TASK = (
    "Write every file of the plan, task by task, with `write_files`; then say with `task_done` "
    "which tasks are done."
)
_REWORK = (
    "The previous implementation failed its reviews. Its files stand as they are; write again, "
    "whole, every file that must change so that no finding of the reviews remains, and whatever is "
    "missing, with `write_files`; then say with `task_done` which tasks are done."
)
_CHANGE = (
    "An application stands, and its specification, plan and tests were changed. Its files stand as "
    "they are; write again, whole, only those that must change, and whatever is missing, with "
    "`write_files`; then say with `task_done` which tasks are done. If nothing has to change, say "
    "so with `task_done`."
)
_MEND_FAULTS = (
    "The implementation failed its reviews. Only the files of `may_change` may be written; all "
    "others are frozen and stand as they are. Write again, whole, every file of `may_change` that "
    "must change so that no finding of `reviews` remains, and none of `earlier_reviews` comes "
    "back, with `write_files`; then say with `task_done` which tasks are done."
)
_GO_ON = (
    " The `accepted_files` were written in an attempt that was cut short, and stand as they are: "
    "go on from there."
)
_MEND = (
    "The parsers found errors. Write the files that they are in again, whole, without these "
    "errors:\n{findings}"
)
_ENDS_A_MEND = frozenset({"no_result", "check_failed", "answer_too_long", "turns_used_up"})
"""Failures that leave everything written: what is not mended is kept as refused."""


async def implement(work: StepContext) -> c.RecordImplementation:
    """The implementation of the approved plan."""
    material = work.material
    plan, tests = needed(material.plan), needed(material.tests)

    def show(path: str, content: str) -> None:
        work.context.show("file", path=path, size=len(content.encode()))

    async def keep(path: str, content: str) -> None:
        work.context.accepted(await _kept(work, path, content, Agent.IMPLEMENTER))

    to_mend = {file.path for file in material.refused_files}
    sound = {path: text for path, text in material.previous_files.items() if path not in to_mend}
    standing = material.standing if not material.reports else None
    frozen, may_ask = material.frozen, standing is not None
    if standing is not None:
        carried = {file.path: file for file in standing.files}
        frozen = {
            path: carried[path]
            for path in standing.frozen_files()
            if path in sound and path not in material.accepted_files
        }
    accepted = {p: text for p, text in material.accepted_files.items() if p not in frozen}
    buffer = FileBuffer(plan, tests, {**sound, **accepted}, show, frozen, may_ask=may_ask)
    changing = bool(material.previous_files) and not material.reports
    task = _CHANGE if changing else _REWORK if material.previous_files else _TASK
    if material.may_change:
        task = _MEND_FAULTS
    going_on = bool(accepted)
    exchange = work.exchange(task + _GO_ON * going_on, growing=True)
    loop = WritingLoop(work.manifest_sha256, exchange, buffer, keep, task, all_may_stay=changing)
    # They are this attempt's, too: if it fails as well, the next one goes on from all of them.
    await loop.take_over([path for path in accepted if path in buffer.files])
    await loop.until_written()
    await _mended(work, plan, tests, loop, buffer)
    findings = _whole(tests, buffer)
    if findings:
        raise check_failed("The code", findings)
    mending = material.feature.content.mending
    if mending and mending.round and _is_as_before(work, buffer):
        # The reviews would be paid for again until one of them says yes.
        raise StepFailed("nothing_changed", "The code is what it was before it failed its reviews.")
    return c.RecordImplementation(
        attempt=work.attempt,
        run=Run(),
        files=await _stored(work, tests, buffer),
        manifest_sha256=work.manifest_sha256,
        notes="\n\n".join(buffer.notes),
        refused=buffer.refused,
        also_changed=tuple(buffer.asked.values()),
    )


async def _mended(
    work: StepContext, plan: Plan, tests: Tests, loop: WritingLoop, buffer: FileBuffer
) -> None:
    """Let the agent mend what parsers find while it gets better; keep the rest as refused."""
    for _ in range(MENDS):
        found = await _inspected(work, plan, tests, buffer)
        for path, findings in found.items():
            buffer.thaw(path, f"The parsers found errors in it: {findings[0]}")
            buffer.refuse(path, findings)
        left = [each for path in found if not buffer.is_refused(path) for each in found[path]]
        if not left:
            return
        try:
            await loop.mend(_MEND.format(findings=listed(left)))
        except StepFailed as failed:
            if failed.code not in _ENDS_A_MEND:
                raise
            break
    for path, findings in (await _inspected(work, plan, tests, buffer)).items():
        buffer.give_up(path, findings)


async def _inspected(
    work: StepContext, plan: Plan, tests: Tests, buffer: FileBuffer
) -> dict[str, list[str]]:
    """Errors in the implementer's own files, by path, but for those that are refused already.

    The frozen tests are only there to be resolved.
    """
    frozen = {file.path: file.content for file in tests.files}
    files = buffer.standing
    by_path: dict[str, list[str]] = {}
    for finding in errors(await inspected(work.context, {**files, **frozen}, plan)):
        if finding.path in files and not buffer.is_refused(finding.path):
            by_path.setdefault(finding.path, []).append(str(finding))
    return by_path


def _whole(tests: Tests, buffer: FileBuffer) -> list[str]:
    """Findings over all files together: what the zip and the stores can hold."""
    every = {**buffer.standing, **{file.path: file.content for file in tests.files}}
    absent = [f"`{path}` is missing." for path in buffer.missing]
    return [*absent, *refusals(every), *oversizes(every)]


async def _kept(work: StepContext, path: str, content: str, by: Agent) -> FileWritten:
    """A file in the store."""
    body = content.encode()
    return FileWritten(path, len(body), await work.context.store(body), by)


def _is_as_before(work: StepContext, buffer: FileBuffer) -> bool:
    before = work.material.previous_files
    return all(before.get(path) == text for path, text in buffer.standing.items())


async def _stored(work: StepContext, tests: Tests, buffer: FileBuffer) -> tuple[FileWritten, ...]:
    """Every file in the store, in the order of paths. What is frozen stands there already.

    They are handed over together: a store keeps in one object what comes together.
    """
    written = {p: text for p, text in buffer.standing.items() if p not in buffer.frozen}
    every = [(path, content, Agent.IMPLEMENTER) for path, content in written.items()]
    every += [(file.path, file.content, Agent.CONTRACT_TEST) for file in tests.files]
    stored = await asyncio.gather(*(_kept(work, *file) for file in every))
    return tuple(sorted((*stored, *buffer.frozen.values()), key=_path_of))


def _path_of(file: FileWritten) -> str:
    return file.path
