"""Turns of the implementer until nothing is missing.

Invariant: turns are counted by answer, not by call, and what was counted is forgotten with
progress: each call of an answer is told what is wrong with it, and the next answer may mend it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from application.agents.exchange import Exchange, calls, was_cut
from application.agents.failures import StepFailed, check_failed
from application.agents.prompting import input_block, nonce_of, to_json
from application.agents.steps.file_buffer import FileBuffer, TurnOutcome

IDLE_TURNS = 2
"""Turns in a row without an accepted file that are answered by a reminder; then it ends."""

_MISSING = "Still to be written: {paths}."
_CUT = (
    "Your last answer was cut off at the limit of its length; a file that was cut is not kept. "
    "Write fewer files at once."
)
_SPLIT = "Your answer was cut off again before a file was complete. Write only `{path}` now."
_FINISH = "All planned files are written. Call `task_done` with your notes for the reader."


class WritingLoop:
    """A conversation in which files are written."""

    def __init__(
        self,
        manifest_sha256: str,
        exchange: Exchange,
        buffer: FileBuffer,
        keep: Callable[[str, str], Awaitable[None]],
        task: str,
        *,
        all_may_stay: bool = False,
    ) -> None:
        """Prepare it.

        Args:
            manifest_sha256: What the attempt depends on.
            exchange: With whom; its first message stands.
            buffer: Where the files go.
            keep: Stores an accepted file, by path and content, so that no failure loses it.
            task: What is said again to an agent that has written nothing.
            all_may_stay: Whether the agent may say that nothing has to be written.
        """
        self._manifest_sha256 = manifest_sha256
        self._exchange = exchange
        self._buffer = buffer
        self._keep = keep
        self._task = task
        self._all_may_stay = all_may_stay
        self._told: set[str] = set()
        """Slips that were told since there was progress."""
        self._idle = 0
        """Turns in a row that brought no accepted file."""
        self._cut = 0
        """Of those, turns that were cut off."""

    async def take_over(self, paths: Sequence[str]) -> None:
        """Count files of an attempt before as written in this one."""
        await self._keep_all(paths)
        self._buffer.written += len(paths)

    async def mend(self, task: str) -> None:
        """Ask for files to be written again. Raises what `until_written` does."""
        self._task = task
        self._all_may_stay = False
        self._buffer.finished = False
        self._buffer.written = 0
        self._forget()
        self._exchange.reply([], task)
        await self.until_written()

    async def until_written(self) -> None:
        """Go on until all is written and the agent has said so, or has nothing more to say.

        Raises:
            StepFailed: `answer_too_long`, `no_result`, `check_failed`, `blocked`, or what
                `Exchange.ask` raises.
        """
        while True:
            answer = await self._exchange.ask()
            outcome = self._buffer.take(calls(answer))
            await self._keep_all(outcome.accepted)
            self._exchange.heard(answer)
            if self._is_over(outcome):
                self._exchange.reply(outcome.results, "" if outcome.results else _FINISH)
                return
            self._count(outcome, cut=was_cut(answer))
            self._exchange.reply(outcome.results, self._next(cut=was_cut(answer)))

    async def _keep_all(self, paths: Sequence[str]) -> None:
        """Keep files together: a store keeps in one object what comes together."""
        files = self._buffer.files
        await asyncio.gather(*(self._keep(path, files[path]) for path in paths))

    def _is_over(self, outcome: TurnOutcome) -> bool:
        nothing_to_write = self._all_may_stay and self._buffer.finished
        if self._buffer.missing or not (self._buffer.written or nothing_to_write):
            return False
        nothing_more = not outcome.results or self._idle >= IDLE_TURNS
        return self._buffer.finished or nothing_more or not self._exchange.turns_left

    def _forget(self) -> None:
        self._idle = self._cut = 0
        self._told.clear()

    def _count(self, outcome: TurnOutcome, *, cut: bool) -> None:
        if outcome.advanced:
            self._forget()
            return
        self._idle += 1
        self._cut = self._cut + 1 if cut else 0
        if self._cut > 1:
            raise StepFailed(
                "answer_too_long",
                "A file is longer than one answer can be: it was cut off twice.",
            )
        repeated = bool(outcome.slips) and outcome.slips <= self._told
        self._told |= outcome.slips
        if (repeated or self._idle > IDLE_TURNS) and outcome.findings:
            raise check_failed("What the implementer wrote", outcome.findings)
        if self._idle > IDLE_TURNS:
            raise StepFailed(
                "no_result", "The implementer stopped writing although its work is not done."
            )

    def _next(self, *, cut: bool) -> str:
        missing_now = self._buffer.missing
        if cut and self._cut:
            first = next(iter(missing_now), next(iter(self._buffer.files), ""))
            return f"{_SPLIT.format(path=first)}\n{self._state()}"
        if cut:
            return f"{_CUT}\n{self._state()}"
        if missing_now:
            return self._state()
        return _FINISH if self._buffer.written else self._task

    def _state(self) -> str:
        nonce = nonce_of(self._manifest_sha256)
        written = input_block("written", to_json(sorted(self._buffer.files)), nonce)
        absent = ", ".join(f"`{path}`" for path in self._buffer.missing)
        return f"{written}\n{_MISSING.format(paths=absent)}" if absent else written
