"""The implementer writes the planned files, in a bounded loop of tool calls.

Invariant: an implementation is recorded only when every planned file is written, whole, and read by
the parsers without an error; the approved tests go into it as they were approved.
"""

import asyncio
from collections.abc import Mapping

from application.agents.checks.code import missing
from application.agents.exchange import Exchange, calls, was_cut
from application.agents.failures import StepFailed, check_failed
from application.agents.inspection import StaticFinding, errors
from application.agents.paths import oversizes, refusals
from application.agents.prompting import input_block, listed, nonce_of, to_json
from application.agents.steps.file_buffer import FileBuffer
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from domain import commands as c
from domain.documents import Plan, Tests
from domain.events import FileWritten
from domain.runs import Run
from domain.status import Agent

AT_ONCE = 8
"""Files stored side by side."""

_TASK = (
    "Write every file of the plan, task by task, with `write_files`; then say with `task_done` "
    "which tasks are done."
)
_REWORK = (
    "The previous implementation failed its reviews. Its files stand as they are; write again, "
    "whole, every file that must change so that no finding of the reviews remains, and whatever is "
    "missing, with `write_files`; then say with `task_done` which tasks are done."
)
_MISSING = "Still to be written: {paths}."
_CUT = (
    "Your last answer was cut off at the limit of its length; a file that was cut is not kept. "
    "Write fewer files at once."
)
_SPLIT = "Your answer was cut off again before a file was complete. Write only `{path}` now."
_FINISH = "All planned files are written. Call `task_done` with your notes for the reader."
_MEND = (
    "The parsers found errors. Write the files that they are in again, whole, without these "
    "errors:\n{findings}"
)


async def implement(work: StepContext) -> c.RecordImplementation:
    """The implementation of the approved plan."""
    plan, tests = needed(work.material.plan), needed(work.material.tests)
    rework = bool(work.material.previous_files)

    def show(path: str, content: str) -> None:
        work.context.show("file", path=path, size=len(content.encode()))

    buffer = FileBuffer(plan, tests, work.material.previous_files, show)
    exchange = work.exchange(_REWORK if rework else _TASK, growing=True)
    loop = _Loop(work, exchange, buffer)
    await loop.until_written()
    found = await _inspected(work, plan, tests, buffer.files)
    if found:
        loop.ask_for(_MEND.format(findings=listed([str(finding) for finding in found])))
        await loop.until_written()
        found = await _inspected(work, plan, tests, buffer.files)
    findings = [str(finding) for finding in found] or _whole(plan, tests, buffer.files)
    if findings:
        raise check_failed("The code", findings)
    return c.RecordImplementation(
        attempt=work.attempt,
        run=Run(),
        files=await _stored(work, tests, buffer.files),
        manifest_sha256=work.manifest_sha256,
        notes="\n\n".join(buffer.notes),
    )


class _Loop:
    """Turns of the implementer until nothing is missing."""

    def __init__(self, work: StepContext, exchange: Exchange, buffer: FileBuffer) -> None:
        self._work = work
        self._exchange = exchange
        self._bench = buffer
        self._idle = 0
        """Turns in a row that brought no accepted file."""
        self._cut = 0
        """Of those, turns that were cut off."""

    def ask_for(self, text: str) -> None:
        """Ask for files to be written again."""
        self._bench.finished = False
        self._bench.written = 0
        self._idle = self._cut = 0
        self._exchange.reply([], text)

    async def until_written(self) -> None:
        """Go on until all is written and the agent has said so, or has nothing more to say."""
        while True:
            before = self._bench.written
            answer = await self._exchange.ask()
            made = calls(answer)
            results = [self._bench.answer(call) for call in made]
            advanced = self._bench.written > before
            self._exchange.heard(answer)
            complete = not self._bench.missing and self._bench.written
            if complete and (self._bench.finished or not made):
                self._exchange.reply(results, "" if results else _FINISH)
                return
            self._count(advanced=advanced, cut=was_cut(answer))
            self._exchange.reply(results, self._next(cut=was_cut(answer)))

    def _count(self, *, advanced: bool, cut: bool) -> None:
        self._idle = 0 if advanced else self._idle + 1
        self._cut = self._cut + 1 if cut and not advanced else 0
        if self._cut > 1:
            raise StepFailed(
                "answer_too_long",
                "A file is longer than one answer can be: it was cut off twice.",
            )
        if self._idle > IDLE_TURNS:
            raise StepFailed(
                "no_result", "The implementer stopped writing although its work is not done."
            )

    def _next(self, *, cut: bool) -> str:
        missing_now = self._bench.missing
        if cut and self._cut:
            first = next(iter(missing_now), next(iter(self._bench.files), ""))
            return f"{_SPLIT.format(path=first)}\n{self._state()}"
        if cut:
            return f"{_CUT}\n{self._state()}"
        if missing_now:
            return self._state()
        return _FINISH if self._bench.written else _REWORK

    def _state(self) -> str:
        nonce = nonce_of(self._work.manifest_sha256)
        written = input_block("written", to_json(sorted(self._bench.files)), nonce)
        absent = ", ".join(f"`{path}`" for path in self._bench.missing)
        return f"{written}\n{_MISSING.format(paths=absent)}" if absent else written


IDLE_TURNS = 2
"""Turns in a row without an accepted file that are answered by a reminder; then it fails."""


async def _inspected(
    work: StepContext, plan: Plan, tests: Tests, files: Mapping[str, str]
) -> list[StaticFinding]:
    """Errors in the implementer's own files; the frozen tests are only there to be resolved."""
    frozen = {file.path: file.content for file in tests.files}
    found = await work.context.inspect({**files, **frozen}, plan.packages)
    return [finding for finding in errors(found) if finding.path in files]


def _whole(plan: Plan, tests: Tests, files: Mapping[str, str]) -> list[str]:
    """Findings over all files together: what the zip and the stores can hold."""
    every = {**files, **{file.path: file.content for file in tests.files}}
    absent = [f"`{path}` is missing." for path in missing(plan, files)]
    return [*absent, *refusals(every), *oversizes(every)]


async def _stored(
    work: StepContext, tests: Tests, files: Mapping[str, str]
) -> tuple[FileWritten, ...]:
    """Every file in the store, named by its path, in the order of paths."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(path: str, content: str, by: Agent) -> FileWritten:
        body = content.encode()
        async with slots:
            return FileWritten(path, len(body), await work.context.store(body), by)

    async with asyncio.TaskGroup() as group:
        stored = [
            *(
                group.create_task(one(path, content, Agent.IMPLEMENTER))
                for path, content in files.items()
            ),
            *(
                group.create_task(one(file.path, file.content, Agent.CONTRACT_TEST))
                for file in tests.files
            ),
        ]
    return tuple(sorted((task.result() for task in stored), key=lambda file: file.path))
