"""What the implementer has written so far, and what each of its calls is told.

Invariant: only whole files of the plan are kept; a path that was refused once and is refused again
ends the work with the findings.
"""

from collections.abc import Callable, Mapping

from application.agents.checks.code import file_findings, missing
from application.agents.exchange import Result
from application.agents.failures import StepFailed, check_failed
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
from domain.documents import Plan, Tests

UNREADABLE = "a call that could not be read"


class FileBuffer:
    """The files of one attempt."""

    def __init__(
        self,
        plan: Plan,
        tests: Tests,
        kept: Mapping[str, str],
        show: Callable[[str, str], None],
    ) -> None:
        """Begin.

        Args:
            plan: Which files there are to be.
            tests: Which are frozen.
            kept: Files of an earlier implementation, which stand until they are written again.
            show: Told of each accepted file: its path and content.
        """
        self._plan = plan
        self._tests = tests
        self._show = show
        self._refused: set[str] = set()
        self.files: dict[str, str] = {
            path: content
            for path, content in kept.items()
            if not file_findings(path, content, plan, tests)
        }
        self.written = 0
        """Files accepted in this attempt, each time counted."""
        self.finished = False
        """Whether the agent has said that its work is done, and it is."""
        self.notes: list[str] = []

    @property
    def missing(self) -> tuple[str, ...]:
        """Planned files that nobody has written."""
        return missing(self._plan, self.files)

    def answer(self, call: Block) -> Result:
        """Do what a call asks for.

        Raises:
            StepFailed: the agent is blocked, or repeats what was refused.
        """
        match call.name:
            case WRITE_FILES.name:
                return self._write(call)
            case TASK_DONE.name:
                return self._done(call)
            case REPORT_BLOCKED.name:
                return self._blocked(call)
            case _:
                return self._refuse(call, UNREADABLE, [f"There is no tool `{call.name}`."])

    def _write(self, call: Block) -> Result:
        order, unreadable = decoded(call, WriteFiles)
        if order is None:
            return self._refuse(call, UNREADABLE, [unreadable])
        lines: list[str] = []
        refused = False
        for file in order.files:
            findings = file_findings(file.path, file.content, self._plan, self._tests)
            if findings:
                refused = True
                lines += self._refuse(call, file.path, findings).text.splitlines()
                continue
            self.files[file.path] = file.content
            self.written += 1
            self.finished = False
            self._show(file.path, file.content)
            lines.append(f"`{file.path}` is written.")
        return Result(call, "\n".join(lines), is_error=refused)

    def _done(self, call: Block) -> Result:
        done, unreadable = decoded(call, TaskDone)
        if done is None:
            return self._refuse(call, UNREADABLE, [unreadable])
        wanted = {task.id: task.writes for task in self._plan.tasks}
        if strangers := [ident for ident in done.tasks if ident not in wanted]:
            return self._refuse(call, UNREADABLE, [f"{', '.join(strangers)}: no such task."])
        if done.notes.strip() and done.notes.strip() not in self.notes:
            self.notes.append(done.notes.strip())
        absent = [p for ident in done.tasks for p in wanted[ident] if p not in self.files]
        if absent:
            return Result(call, f"Not done yet; not written: {', '.join(absent)}.", is_error=True)
        self.finished = not self.missing
        return Result(call, "Noted.")

    def _blocked(self, call: Block) -> Result:
        blocked, unreadable = decoded(call, ReportBlocked)
        if blocked is None:
            return self._refuse(call, UNREADABLE, [unreadable])
        raise StepFailed("blocked", f"The implementer cannot go on: {blocked.reason}")

    def _refuse(self, call: Block, what: str, findings: list[str]) -> Result:
        if what in self._refused:
            raise check_failed("What the implementer wrote", findings)
        self._refused.add(what)
        return Result(call, "\n".join(findings), is_error=True)
