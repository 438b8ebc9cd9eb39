"""Comparing two sets of texts where that holds up nobody, and once for each pair of them.

Invariant: texts are named by their hashes, so an answer that is remembered is never an old one. It
is remembered for its tenant alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from uuid import UUID

from application.delivery.diff import ChangedText, ComparedText, Kind, Shown, changes, differing
from application.running.computing import Computing, CouldNotCompute
from application.running.recent import Recent
from application.running.single_flight import SingleFlight

REMEMBERED_BYTES: Final = 16_000_000
"""Of diffs that are kept."""

Changes: TypeAlias = tuple[ChangedText, ...]
Hashes: TypeAlias = Mapping[str, str]
"""The SHA-256 of each text by its name."""
Sides: TypeAlias = tuple[dict[str, ComparedText], dict[str, ComparedText]]
_Question: TypeAlias = tuple[UUID, tuple[tuple[str, str | None, str | None], ...]]


class Comparisons:
    """What was compared lately."""

    def __init__(self, computing: Computing) -> None:
        self._computing = computing
        self._kept: Recent[_Question, Changes] = Recent(REMEMBERED_BYTES, _size)
        self._asked: SingleFlight[Changes] = SingleFlight()

    async def changes(
        self,
        tenant_id: UUID,
        before: Hashes,
        after: Hashes,
        read: Callable[[tuple[str, ...]], Awaitable[Sides]],
    ) -> Changes:
        """Every difference between two sets of texts, by name.

        Args:
            tenant_id: Whose they are.
            before: The texts of the first side.
            after: Those of the second.
            read: Gives the texts of these names, on both sides. Not asked for what is remembered.

        Raises:
            Crowded: too much of this tenant's waits already.
        """
        names = differing(before, after)
        if not names:
            return ()
        question = (tenant_id, tuple((n, before.get(n), after.get(n)) for n in names))
        known = self._kept.find(question)
        if known is not None:
            return known

        async def compared() -> Changes:
            sides = await read(names)
            found = await self._computing.run(tenant_id, changes, *sides)
            self._kept.keep(question, found)
            return found

        try:
            return await self._asked.do(question, compared)
        except CouldNotCompute:
            return tuple(_named(name, before.get(name), after.get(name)) for name in names)


def _size(found: Changes) -> int:
    return sum(len(change.diff) for change in found)


def _named(name: str, before: str | None, after: str | None) -> ChangedText:
    """A change that could not be looked at."""
    kind = Kind.ADDED if before is None else Kind.REMOVED if after is None else Kind.CHANGED
    return ChangedText(name, kind, Shown.TOO_LARGE, "", before, after)
