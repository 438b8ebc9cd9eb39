"""What is understood of a brief, read where that holds up nobody.

Invariant: it is what `domain.reading` gives, wherever it was read.
"""

from typing import Final
from uuid import UUID

from application.running.computing import Computing, Here
from domain.reading import Reading, reading_of

AT_ONCE_CHARACTERS: Final = 2_000
"""A brief of so many is read in the process that was asked: it takes some milliseconds."""


class Readings:
    """Reads briefs."""

    def __init__(self, computing: Computing | None = None) -> None:
        """Take the places where long ones are read; without, they are read here."""
        self._computing: Computing = computing or Here()

    async def of(self, tenant_id: UUID, brief: str, wanted: tuple[str, ...] = ()) -> Reading:
        """What is understood of a brief.

        Args:
            tenant_id: Whose it is.
            brief: Its text.
            wanted: Sentences of the background that the person made points.

        Raises:
            Unavailable: it could not be read now.
        """
        if len(brief) <= AT_ONCE_CHARACTERS:
            return reading_of(brief, frozenset(wanted))
        return await self._computing.run(tenant_id, reading_of, brief, frozenset(wanted))
