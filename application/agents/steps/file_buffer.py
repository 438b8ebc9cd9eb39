"""What the implementer has written so far, and what each of its calls is told.

Invariant: what was accepted stands until a whole file takes its place. What is refused again
although its fault was told, and is no better, is kept as refused, with its faults: the work goes on
without it, and no review can pass it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from application.agents.checks.code import file_findings, missing
from application.agents.exchange import Result
from application.agents.failures import StepFailed
from application.agents.freezing import same_bytes, unasked
from application.agents.paths import LARGEST_FILE, printable
from application.agents.submission import decoded
from application.agents.tools import (
    REPORT_BLOCKED,
    TASK_DONE,
    WRITE_FILES,
    ReportBlocked,
    TaskDone,
    WriteFiles,
)
from application.ports import Block
from domain.documents import AlsoChanged, Plan, Tests
from domain.events import FileWritten, RefusedFile

TRIES_OF_A_FILE: Final = 6
"""How often a file may be refused while each time fewer of its faults are left."""

LONGEST_REASON: Final = 500
"""Characters of the reason why a file is written again that was to stay."""
_KEPT_REFUSED: Final = (
    "This file was refused before for the same reasons and is now kept as refused. Go on with the "
    "other files."
)


_OUTSIDE: Final = (
    "The implementer wants to change {path}, which stands: no fault names it, and no file that a "
    "fault names hangs on it directly."
)
_FROZEN: Final = (
    "`{path}` is frozen: it stands as it is, and may not change. Mend what is to be mended in the "
    "files that may change."
)


class TurnOutcome(Struct, frozen=True):
    """What came of one answer."""

    results: list[Result]
    """What each of its calls is told."""
    accepted: tuple[str, ...]
    """Paths of files that were accepted."""
    advanced: bool
    """Whether a file stands that did not, has fewer faults, or is settled as refused."""
    slips: frozenset[str]
    """What was wrong with calls of which nothing could be used."""
    findings: tuple[str, ...]
    """All that its calls were told of what is wrong."""


class FileBuffer:
    """The files of one attempt."""

    def __init__(
        self,
        plan: Plan,
        tests: Tests,
        kept: Mapping[str, str],
        show: Callable[[str, str], None],
        frozen: Mapping[str, FileWritten] | None = None,
        *,
        may_ask: bool = False,
    ) -> None:
        """Begin.

        Args:
            plan: Which files there are to be.
            tests: Which are frozen.
            kept: Files of an earlier implementation, which stand until they are written again.
            show: Told of each accepted file: its path and content.
            frozen: Files that may not change, by path. What is not kept with these bytes is not
                frozen, for it would be missing.
            may_ask: Whether the agent may change one of them all the same, with a reason.
        """
        self._plan = plan
        self._planned = {file.path for file in plan.files}
        self._tests = tests
        self._show = show
        self._told: dict[str, _Told] = {}
        self._found: dict[str, _Told] = {}
        self._refused: dict[str, tuple[str, ...]] = {}
        self._faulty: dict[str, str] = {}
        self.files: dict[str, str] = {
            path: content
            for path, content in kept.items()
            if not file_findings(path, content, plan, tests)
        }
        """What is accepted."""
        self.frozen: dict[str, FileWritten] = {
            path: file
            for path, file in (frozen or {}).items()
            if path in self.files and same_bytes(self.files[path], file.sha256)
        }
        """What stands as it is, to the byte."""
        self._may_ask = may_ask
        self.asked: dict[str, AlsoChanged] = {}
        """What was to stay and was asked for, by path."""
        self.written = 0
        """Files accepted or settled since somebody last asked for files, each time counted."""
        self.finished = False
        """Whether the agent has said that its work is done, and it is."""
        self.notes: list[str] = []

    @property
    def missing(self) -> tuple[str, ...]:
        """Planned files that are neither written nor refused to the end."""
        return missing(self._plan, {**self.files, **dict.fromkeys(self._refused, "")})

    @property
    def refused(self) -> tuple[RefusedFile, ...]:
        """What is refused to the end, in the order of paths."""
        return tuple(
            RefusedFile(printable(path), self._refused[path]) for path in sorted(self._refused)
        )

    @property
    def standing(self) -> dict[str, str]:
        """All that can be stored: what is accepted, and of what is refused the last version."""
        return {**self._faulty, **self.files}

    def is_refused(self, path: str) -> bool:
        """Whether a file is refused to the end."""
        return path in self._refused

    def take(self, calls: Sequence[Block]) -> TurnOutcome:
        """Do what the calls of one answer ask for.

        Raises:
            StepFailed: the agent is blocked.
        """
        turn = _Turn()
        results = [self._answered(call, turn) for call in calls]
        for path, findings in turn.refused.items():
            self._told.setdefault(path, _Told()).add(findings)
        advanced = bool(turn.settled) or turn.changed or turn.bettered
        self.written += len(turn.accepted) + len(turn.settled)
        told = (*turn.slips, *(one for found in turn.refused.values() for one in found))
        return TurnOutcome(results, tuple(turn.accepted), advanced, frozenset(turn.slips), told)

    def refuse(self, path: str, findings: Sequence[str]) -> bool:
        """Note what parsers find in a file as it stands; whether that settles it as refused."""
        told = self._found.setdefault(path, _Told())
        settled = told.settled_by(findings)
        told.add(findings)
        if settled:
            self._refused[path] = tuple(findings)
        return settled

    def give_up(self, path: str, findings: Sequence[str]) -> None:
        """Keep a file as refused, for it is not mended any more."""
        self._refused[path] = tuple(findings)

    def thaw(self, path: str, reason: str) -> None:
        """Let a file that was to stay be written again, if that may be asked for."""
        if self._may_ask and self.frozen.pop(path, None) is not None:
            self.asked[path] = AlsoChanged(path, reason[:LONGEST_REASON])

    def _answered(self, call: Block, turn: "_Turn") -> Result:
        match call.name:
            case WRITE_FILES.name:
                return self._write(call, turn)
            case TASK_DONE.name:
                return self._done(call, turn)
            case REPORT_BLOCKED.name:
                return self._blocked(call, turn)
            case _:
                return turn.slip(call, f"There is no tool `{call.name}`.")

    def _write(self, call: Block, turn: "_Turn") -> Result:
        order, unreadable = decoded(call, WriteFiles)
        if order is None:
            return turn.slip(call, unreadable)
        lines: list[str] = []
        refused = False
        written = {file.path for file in order.files}
        for one in order.also_changed:
            if one.id in written and one.reason.strip():
                self.thaw(one.id, one.reason)
        for file in order.files:
            if file.path in self.frozen:
                same = file.content == self.files[file.path]
                refused = refused or not same
                lines += self._keep_frozen(file.path, turn, same=same)
                continue
            findings = file_findings(file.path, file.content, self._plan, self._tests)
            if findings:
                refused = True
                lines += self._refuse(file.path, file.content, findings, turn)
                continue
            self._accept(file.path, file.content, turn)
            lines.append(f"`{file.path}` is written.")
        return Result(call, "\n".join(lines), is_error=refused)

    def _keep_frozen(self, path: str, turn: "_Turn", *, same: bool) -> list[str]:
        """What is said of a file that may not change. Raises StepFailed: it was said before."""
        if same:
            return [f"`{path}` stands as it is; leave it out."]
        if self._may_ask:
            return [unasked(path)]
        if path in self._told:
            raise StepFailed("outside_the_freeze", _OUTSIDE.format(path=printable(path)))
        turn.refused[path] = [_FROZEN.format(path=path)]
        return turn.refused[path]

    def _accept(self, path: str, content: str, turn: "_Turn") -> None:
        for forgotten in (self._told, self._refused, self._faulty, turn.refused, turn.settled):
            forgotten.pop(path, None)
        turn.changed = turn.changed or self.files.get(path) != content
        self.files[path] = content
        turn.accepted[path] = content
        self.finished = False
        self._show(path, content)

    def _refuse(self, path: str, content: str, findings: list[str], turn: "_Turn") -> list[str]:
        turn.refused[path] = findings
        told = self._told.get(path)
        if told is None or not told.settled_by(findings):
            turn.bettered = turn.bettered or told is not None
            return findings
        if path in self._planned and path not in self._refused:
            turn.settled[path] = content
        self._refused[path] = tuple(findings)
        if path in self._planned and _can_be_stored(content):
            self._faulty[path] = content
        return [*findings, _KEPT_REFUSED]

    def _done(self, call: Block, turn: "_Turn") -> Result:
        done, unreadable = decoded(call, TaskDone)
        if done is None:
            return turn.slip(call, unreadable)
        wanted = {task.id: task.writes for task in self._plan.tasks}
        if strangers := [ident for ident in done.tasks if ident not in wanted]:
            return turn.slip(call, f"{', '.join(strangers)}: no such task.")
        if done.notes.strip() and done.notes.strip() not in self.notes:
            self.notes.append(done.notes.strip())
        open_now = self.missing
        absent = [p for ident in done.tasks for p in wanted[ident] if p in open_now]
        if absent:
            return Result(call, f"Not done yet; not written: {', '.join(absent)}.", is_error=True)
        self.finished = not open_now
        return Result(call, "Noted.")

    def _blocked(self, call: Block, turn: "_Turn") -> Result:
        blocked, unreadable = decoded(call, ReportBlocked)
        if blocked is None:
            return turn.slip(call, unreadable)
        raise StepFailed("blocked", f"The implementer cannot go on: {blocked.reason}")


class _Turn:
    """What the calls of one answer come to."""

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.refused: dict[str, list[str]] = {}
        self.settled: dict[str, str] = {}
        self.slips: set[str] = set()
        self.changed = False
        """Whether a file stands now that did not stand like that before."""
        self.bettered = False
        """Whether fewer faults are left in a file that is refused."""

    def slip(self, call: Block, finding: str) -> Result:
        self.slips.add(finding)
        return Result(call, finding, is_error=True)


class _Told:
    """What the agent was told of a file that it may mend."""

    def __init__(self) -> None:
        self._fewest = 0
        self._times = 0

    def settled_by(self, findings: Sequence[str]) -> bool:
        """Whether these come after a correction that brought nothing, or after too many."""
        if not self._times:
            return False
        return len(findings) >= self._fewest or self._times >= TRIES_OF_A_FILE

    def add(self, findings: Sequence[str]) -> None:
        self._fewest = min(self._fewest, len(findings)) if self._times else len(findings)
        self._times += 1


def _can_be_stored(content: str) -> bool:
    try:
        return len(content.encode()) <= LARGEST_FILE and "\0" not in content
    except UnicodeEncodeError:
        return False
