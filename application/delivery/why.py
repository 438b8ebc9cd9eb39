"""Why a line is there, and what stands on a sentence: the same chain, followed both ways.

Invariant: a line is among the places of a requirement exactly when the requirement is among the
reasons of the line.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from application.delivery.attribution import (
    Attribution,
    Segment,
    ServingBasis,
    Written,
    homes_of,
    ids_in,
)
from application.delivery.points_said import SaidPoint
from application.delivery.structure import Piece, PieceKind
from application.delivery.trace import TracedRequirement
from domain.errors import NotFound


class NamedTask(Struct, frozen=True):
    """A task of the plan."""

    id: str
    title: str


class TestPlace(Struct, frozen=True):
    """A test and its lines."""

    __test__ = False

    path: str
    title: str
    """Empty of a test file of which no test by itself is meant."""
    first: int
    last: int


class LineReason(Struct, frozen=True, omit_defaults=True):
    """Why a line is there; what is empty is not known."""

    path: str
    line: int
    first: int
    last: int
    """The lines around it with the same story."""
    basis: ServingBasis
    """How it is known which requirements it serves."""
    part_of: str = ""
    """The export, route, table or test that it belongs to."""
    written: Written | None = None
    """Null: it is not known who wrote it."""
    written_for: NamedTask | None = None
    """The task that it was written for, by the plan of that time."""
    tasks: tuple[NamedTask, ...] = ()
    """Those that the file belongs to now."""
    tests: tuple[TestPlace, ...] = ()
    """That use it, or else import its file."""
    requirements: tuple[TracedRequirement, ...] = ()
    points: tuple[SaidPoint, ...] = ()


class ServingLines(Struct, frozen=True):
    """Lines that serve something."""

    path: str
    first: int
    last: int
    requirements: tuple[str, ...]
    """Those that were asked about."""


class StandsOn(Struct, frozen=True):
    """What stands on words of a person."""

    points: tuple[SaidPoint, ...] = ()
    left_out: tuple[str, ...] = ()
    """Why points of these are not built, where the specification says so."""
    requirements: tuple[TracedRequirement, ...] = ()
    tasks: tuple[NamedTask, ...] = ()
    tests: tuple[TestPlace, ...] = ()
    places: tuple[ServingLines, ...] = ()
    shared: tuple[str, ...] = ()
    """Files with lines that everything stands on, and so this too."""


def reason_for(whole: Attribution, path: str, line: int) -> LineReason:
    """Why a line is there. Raises NotFound: there is no such file or line."""
    file = next((one for one in whole.files if one.path == path), None)
    segments = file.segments if file else ()
    at = next((one for one in segments if one.first <= line <= one.last), None)
    if at is None:
        raise NotFound
    piece = next((one for one in whole.pieces if at.piece and one.id == at.piece), None)
    written = whole.written.get(at.writing) if at.writing is not None else None
    then = written.tasks.get(path) if written else None
    traced = next(one for one in whole.trace.files if one.path == path)
    needs = [one for one in whole.trace.requirements if one.id in at.requirements]
    sources = {source for need in needs for source in need.sources}
    return LineReason(
        path=path,
        line=line,
        first=at.first,
        last=at.last,
        basis=at.basis,
        part_of=f"{piece.kind} {piece.name}" if piece else "",
        written=written,
        written_for=next(iter(_tasks(whole, [then])), NamedTask(then, "")) if then else None,
        tasks=tuple(_tasks(whole, traced.tasks)),
        tests=tuple(_tests_of(whole, path, at)),
        requirements=tuple(needs),
        points=tuple(point for point in whole.points if point.id in sources),
    )


def _tasks(whole: Attribution, ids: Iterable[str]) -> Iterator[NamedTask]:
    wanted = set(ids)
    for task in whole.trace.tasks:
        if task.id in wanted:
            yield NamedTask(task.id, task.title)


def _tests_of(whole: Attribution, path: str, at: Segment) -> Iterator[TestPlace]:
    """The tests that use a segment, or else those that import its file."""
    using = [p for p in _tests(whole) if at.piece and (at.piece in p.uses or at.piece == p.id)]
    if using:
        yield from map(_place, using)
        return
    for test in whole.imported_by.get(path, ()):
        yield TestPlace(test, "", 1, 1)


def _tests(whole: Attribution) -> Iterator[Piece]:
    return (piece for piece in whole.pieces if piece.kind is PieceKind.TEST)


def _place(piece: Piece) -> TestPlace:
    return TestPlace(piece.path, piece.name, piece.first, piece.last)


def standing_on(
    whole: Attribution, points: Sequence[str] = (), requirements: Sequence[str] = ()
) -> StandsOn:
    """What stands on points of the brief, and on requirements, by their ids."""
    asked = {*points}
    needs = [
        need
        for need in whole.trace.requirements
        if need.id in requirements or asked.intersection(need.sources)
    ]
    wanted = {need.id for need in needs}
    sources = asked or {source for need in needs for source in need.sources}
    homes = homes_of(whole.trace)
    return StandsOn(
        points=tuple(point for point in whole.points if point.id in sources),
        left_out=tuple(
            dict.fromkeys(
                why for point in whole.trace.points if point.id in asked for why in point.left_out
            )
        ),
        requirements=tuple(needs),
        tasks=tuple(_tasks(whole, (task for need in needs for task in need.tasks))),
        tests=tuple(
            _place(piece) for piece in _tests(whole) if wanted.intersection(ids_in(piece, homes))
        ),
        places=tuple(_places(whole, wanted)),
        shared=tuple(
            file.path
            for file in whole.files
            if needs and any(one.basis is ServingBasis.SHARED for one in file.segments)
        ),
    )


def _places(whole: Attribution, wanted: set[str]) -> Iterator[ServingLines]:
    """The lines that serve one of these requirements; neighbours that serve the same are one."""
    for file in whole.files:
        last: ServingLines | None = None
        for one in file.segments:
            served = tuple(need for need in one.requirements if need in wanted)
            if not served:
                continue
            if last and last.last == one.first - 1 and last.requirements == served:
                last = ServingLines(file.path, last.first, one.last, served)
                continue
            if last:
                yield last
            last = ServingLines(file.path, one.first, one.last, served)
        if last:
            yield last


def points_of_message(whole: Attribution, message: str) -> tuple[str, ...]:
    """The points that come from a message, by its id."""
    return tuple(
        point.id for point in whole.points if any(said.id == message for said in point.messages)
    )


def points_of_sentence(whole: Attribution, sentence: str) -> tuple[str, ...]:
    """The points with the very words of a sentence; else those of the messages that hold it."""
    said = _words(sentence)
    if not said:
        return ()
    exact = [
        point.id
        for point in whole.points
        if (text := _words(point.text)) and (said in text or text in said)
    ]
    if exact:
        return tuple(exact)
    return tuple(
        point.id
        for point in whole.points
        if any(said in _words(message.text) for message in point.messages)
    )


def _words(text: str) -> str:
    """A text as it is compared: one space between words, no stop at its end, in any case."""
    return " ".join(text.split()).rstrip(".!?…").casefold()
