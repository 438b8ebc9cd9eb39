"""What an auditor asks of the log: is it what was written, and what happened to features."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class ChainReport(Struct, frozen=True):
    """Whether a feature's log is what was written."""

    valid: bool
    events: int
    """How many events there are."""
    head: str
    """The last event's hash, in hex: note it elsewhere, and a rewritten log shows, too."""
    first_broken_version: int | None = None


class Chain(Protocol):
    """The check of the hash chain over the stored bytes; works for deleted features, too."""

    async def verify(self, tenant_id: UUID, feature_id: UUID) -> ChainReport | None:
        """Compute every hash anew; None if there is no such stream. Raises Unavailable."""


class Change(Struct, frozen=True):
    """That something happened to one of the tenant's features; what, its own log says."""

    position: int
    """Place in the whole log: the id to resume after."""
    feature_id: UUID
    version: int
    type: str
    """The event's tag."""
    actor: str
    at: datetime


class Changes(Protocol):
    """The log of a whole tenant, without content."""

    async def since(self, tenant_id: UUID, after: int, upto: int, limit: int) -> Sequence[Change]:
        """Changes with positions in (after, upto], in order, at most `limit`. Raises Unavailable.

        `upto` must be a position that a projection has reached: nothing below it is still to come.
        """
