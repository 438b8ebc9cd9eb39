"""What every line of a feature's files is there for: who wrote it, and what it serves.

A line serves a requirement if it stands in a test that is named for it, in what such a test uses,
in a table that code for it names, or in a file of a task that the plan gives it. What serves more
than `SHARED_FROM` of all requirements says nothing of any one of them and is shared.

Invariant: computed from recorded structures and syntax trees alone. The segments of a file cover
each of its lines once; what is not known is said to be not known.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from typing import Final, NamedTuple

from msgspec import Struct

from application.agents.output import FULL_CODE
from application.delivery.origins import origins_of
from application.delivery.points_said import SaidPoint
from application.delivery.structure import Piece, PieceKind, Structure
from application.delivery.trace import Trace
from application.delivery.writings import Writing, Writings
from domain.documents import Plan

SHARED_FROM: Final = Fraction(2, 3)
"""Of all requirements: what serves more of them, everything stands on."""
FEWEST_SHARED: Final = 3
"""Requirements: of fewer, all may well stand on the same lines."""


class ServingBasis(StrEnum):
    """How it is known what lines serve."""

    TEST = "test"
    """They are a test that is named for it."""
    TESTED = "tested"
    """Tests that are named for it use them."""
    NAMED = "named"
    """Code that serves it names the table that they make."""
    TASK = "task"
    """The plan's task that they belong to serves it."""
    SHARED = "shared"
    """They serve most requirements, so none in particular."""
    STACK = "stack"
    """Every project has this file."""
    NOT_KNOWN = "not_known"
    """They belong to no task, and no test uses them."""


class Segment(Struct, frozen=True, omit_defaults=True):
    """Lines of a file that have the same story."""

    first: int
    last: int
    """From 1, both included."""
    basis: ServingBasis
    writing: int | None = None
    """Version of the recording that wrote them; null: not known."""
    piece: str = ""
    """What they are part of: the id of a piece; empty of the rest of a file."""
    requirements: tuple[str, ...] = ()
    """What they serve; none if they are shared, of the stack, or it is not known."""


class AttributedFile(Struct, frozen=True):
    """A file and its lines."""

    path: str
    segments: tuple[Segment, ...]


class Written(Struct, frozen=True, omit_defaults=True):
    """A recording that wrote lines."""

    version: int
    by: str
    """`agent:<name>` or `user:<id>`."""
    round: int
    attempt: str = ""
    model: str = ""
    carried: bool = False
    """Whether a fork brought it along."""
    tasks: Mapping[str, str] = {}
    """The task that each path belonged to, by the plan that was then in force."""


class Attribution(Struct, frozen=True):
    """The whole of a feature as it stands."""

    trace: Trace
    points: tuple[SaidPoint, ...]
    pieces: tuple[Piece, ...]
    imported_by: dict[str, tuple[str, ...]]
    """The test files that import each file, directly or through others."""
    files: tuple[AttributedFile, ...]
    written: dict[int, Written]


class _Served(NamedTuple):
    basis: ServingBasis
    requirements: tuple[str, ...]


def attribution_of(
    trace: Trace,
    points: tuple[SaidPoint, ...],
    structure: Structure,
    writings: Writings,
    version: int | None,
    bodies: dict[str, bytes],
    plans: dict[int, Plan],
) -> Attribution:
    """What every line is there for.

    Args:
        trace: From the brief's points to files, by ids.
        points: The brief's points with the messages that they come from.
        structure: What stands where.
        writings: Who recorded the files.
        version: Of the recording that stands; None before there is code.
        bodies: Texts of files by hash, as far as they could be read.
        plans: Every plan that files were written by, by version.
    """
    served = _Serving(trace, structure)
    paths = [file.path for file in trace.files] if version is not None else []
    files = []
    for path in paths:
        origins = origins_of(writings, version or 0, path, bodies)
        by_line = [one.writing for one in origins for _ in range(one.first, one.last + 1)]
        files.append(AttributedFile(path, tuple(served.segments(path, by_line))))
    named = {one.writing for file in files for one in file.segments if one.writing is not None}
    return Attribution(
        trace,
        points,
        structure.pieces,
        _importing(structure),
        tuple(files),
        {at: _written(writings.by_version[at], plans) for at in sorted(named)},
    )


def _written(writing: Writing, plans: Mapping[int, Plan]) -> Written:
    plan = plans.get(writing.plan) if writing.plan is not None else None
    tasks = {path: task.id for task in plan.tasks for path in task.writes} if plan else {}
    return Written(
        writing.version,
        writing.by,
        writing.round,
        writing.attempt,
        writing.model,
        writing.carried,
        {path: tasks[path] for path in writing.files if path in tasks},
    )


def _importing(structure: Structure) -> dict[str, tuple[str, ...]]:
    tests = sorted({piece.path for piece in structure.pieces if piece.kind is PieceKind.TEST})
    found: dict[str, list[str]] = {}
    for test in tests:
        for path in structure.imports.get(test, ()):
            found.setdefault(path, []).append(test)
    return {path: tuple(paths) for path, paths in found.items()}


def ids_in(piece: Piece, homes: Mapping[str, str]) -> tuple[str, ...]:
    """The requirements that a test's title names, by themselves or by a criterion.

    Args:
        piece: The test.
        homes: The requirement of each requirement's and criterion's id.
    """
    words = piece.name.replace(":", " ").replace(",", " ").split()
    named = (homes.get(word.strip("()[].;·-–—")) for word in words)  # noqa: RUF001
    return tuple(dict.fromkeys(one for one in named if one))


def homes_of(trace: Trace) -> dict[str, str]:
    """The requirement that each id stands for: its own, and those of its criteria."""
    return {
        ident: need.id
        for need in trace.requirements
        for ident in (need.id, *(criterion.id for criterion in need.criteria))
    }


class _Serving:
    """What pieces and files serve."""

    def __init__(self, trace: Trace, structure: Structure) -> None:
        self._order = {need.id: place for place, need in enumerate(trace.requirements)}
        self._homes = homes_of(trace)
        self._tasks = {task.id: self._ordered(task.requirements) for task in trace.tasks}
        self._files = {file.path: file for file in trace.files}
        self._pieces: dict[str, list[Piece]] = {}
        for piece in structure.pieces:
            self._pieces.setdefault(piece.path, []).append(piece)
        self._served: dict[str, _Served] = {}
        self._serve(structure.pieces)

    def segments(self, path: str, origins: Sequence[int | None]) -> Iterator[Segment]:
        """The lines of a file, in order, each once."""
        inside: list[Piece | None] = [None] * len(origins)
        # The smallest last: what stands inside of another is told by itself.
        spans = {(piece.first, piece.last): piece for piece in self._pieces.get(path, ())}
        for piece in sorted(spans.values(), key=lambda p: p.first - p.last):
            for line in range(piece.first, min(piece.last, len(origins)) + 1):
                inside[line - 1] = piece
        ids = [piece.id if piece else "" for piece in inside]
        first = 1
        for (part, writing), group in groupby(zip(ids, origins, strict=True)):
            size = sum(1 for _ in group)
            served = self._served.get(part) or self._whole(path)
            yield Segment(first, first + size - 1, served.basis, writing, part, served.requirements)
            first += size

    def _serve(self, pieces: Sequence[Piece]) -> None:
        by_tests: dict[str, set[str]] = {}
        for piece in pieces:
            if piece.kind is not PieceKind.TEST:
                continue
            named = ids_in(piece, self._homes)
            self._served[piece.id] = (
                _Served(ServingBasis.TEST, self._ordered(named))
                if named
                else self._whole(piece.path)
            )
            for used in piece.uses:
                by_tests.setdefault(used, set()).update(named)
        reached: dict[str, set[str]] = {}
        for piece in pieces:
            for task in self._tasks_of(piece.path):
                reached.setdefault(task, set()).update(by_tests.get(piece.id, ()))
        for piece in pieces:
            if piece.kind is not PieceKind.TEST:
                self._served[piece.id] = self._of(piece, by_tests.get(piece.id, set()), reached)
        self._serve_tables(pieces)

    def _of(self, piece: Piece, tested: set[str], reached: Mapping[str, set[str]]) -> _Served:
        if not tested or self._is_shared(tested):
            return self._whole(piece.path)
        # What no test of the task's code is named for may stand on any of it.
        unreached = {
            need
            for task in self._tasks_of(piece.path)
            if not self._is_shared(self._tasks[task])
            for need in self._tasks[task]
            if need not in reached.get(task, ())
        }
        return _Served(ServingBasis.TESTED, self._ordered([*tested, *unreached]))

    def _serve_tables(self, pieces: Sequence[Piece]) -> None:
        named: dict[str, set[str]] = {}
        for piece in pieces:
            if piece.kind is PieceKind.EXPORT:
                for used in piece.uses:
                    named.setdefault(used, set()).update(self._served[piece.id].requirements)
        for table, needs in named.items():
            served = self._served.get(table)
            if (
                served
                and served.basis is not ServingBasis.TESTED
                and needs
                and not self._is_shared(needs)
            ):
                self._served[table] = _Served(ServingBasis.NAMED, self._ordered(needs))

    def _whole(self, path: str) -> _Served:
        """What a file serves as a whole, where nothing narrower is known."""
        if path.rpartition("/")[2] in FULL_CODE.project_files:
            return _Served(ServingBasis.STACK, ())
        file = self._files.get(path)
        served = [self._homes[one] for one in file.serves if one in self._homes] if file else []
        if not served:
            return _Served(ServingBasis.NOT_KNOWN, ())
        if self._is_shared(set(served)):
            return _Served(ServingBasis.SHARED, ())
        return _Served(
            ServingBasis.TASK if file and file.tasks else ServingBasis.TEST, self._ordered(served)
        )

    def _tasks_of(self, path: str) -> tuple[str, ...]:
        file = self._files.get(path)
        return file.tasks if file else ()

    def _is_shared(self, needs: Sequence[str] | set[str]) -> bool:
        count = len(set(needs))
        return count >= FEWEST_SHARED and count > SHARED_FROM * len(self._order)

    def _ordered(self, needs: Sequence[str] | set[str]) -> tuple[str, ...]:
        known = {need for need in needs if need in self._order}
        return tuple(sorted(known, key=self._order.__getitem__))
