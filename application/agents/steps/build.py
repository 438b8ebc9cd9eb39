"""The implementer writes the planned files, in a bounded loop of tool calls.

Invariant: every planned file of an implementation is written, whole, and read by the parsers
without an error, or is named as refused, with its faults; the approved tests go into it as they
were approved. What is accepted is stored at once: no failure after that loses it.
"""

import asyncio
from collections.abc import Mapping

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
    buffer = FileBuffer(plan, tests, {**sound, **material.accepted_files}, show)
    changing = bool(material.previous_files) and not material.reports
    task = _CHANGE if changing else _REWORK if material.previous_files else _TASK
    going_on = bool(material.accepted_files)
    exchange = work.exchange(task + _GO_ON * going_on, growing=True)
    loop = WritingLoop(work.manifest_sha256, exchange, buffer, keep, task, all_may_stay=changing)
    # They are this attempt's, too: if it fails as well, the next one goes on from all of them.
    await loop.take_over([path for path in material.accepted_files if path in buffer.files])
    await loop.until_written()
    await _mended(work, plan, tests, loop, buffer)
    findings = _whole(tests, buffer)
    if findings:
        raise check_failed("The code", findings)
    return c.RecordImplementation(
        attempt=work.attempt,
        run=Run(),
        files=await _stored(work, tests, buffer.standing),
        manifest_sha256=work.manifest_sha256,
        notes="\n\n".join(buffer.notes),
        refused=buffer.refused,
    )


async def _mended(
    work: StepContext, plan: Plan, tests: Tests, loop: WritingLoop, buffer: FileBuffer
) -> None:
    """Let the agent mend what parsers find while it gets better; keep the rest as refused."""
    for _ in range(MENDS):
        found = await _inspected(work, plan, tests, buffer)
        for path, findings in found.items():
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


async def _stored(
    work: StepContext, tests: Tests, files: Mapping[str, str]
) -> tuple[FileWritten, ...]:
    """Every file in the store, named by its path, in the order of paths.

    They are handed over together: a store keeps in one object what comes together.
    """
    every = [(path, content, Agent.IMPLEMENTER) for path, content in files.items()]
    every += [(file.path, file.content, Agent.CONTRACT_TEST) for file in tests.files]
    stored = await asyncio.gather(*(_kept(work, *file) for file in every))
    return tuple(sorted(stored, key=_path_of))


def _path_of(file: FileWritten) -> str:
    return file.path
