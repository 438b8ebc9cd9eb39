"""What an auditor asks of the log: is it what was written, and what happened to features."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from domain import events as e
from domain.events import tag_of
from domain.runs import Tokens


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

    async def living(self, tenant_id: UUID, feature_id: UUID) -> int | None:
        """The version of a feature that is not deleted, without reading an event; else None.

        Raises Unavailable.
        """


class FeatureChange(Struct, frozen=True):
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

    async def since(
        self, tenant_id: UUID, after: int, upto: int, limit: int
    ) -> Sequence[FeatureChange]:
        """Changes with positions in (after, upto], in order, at most `limit`. Raises Unavailable.

        `upto` must be a position that a projection has reached: nothing below it is still to come.
        """


PROBLEMS: Final = frozenset(
    tag_of(kind) for kind in (e.AttemptFailed, e.RunDiscarded, e.StepAbandoned, e.FeatureFailed)
)
"""Events that tell of trouble. A verdict that is not a pass is trouble, too."""

VERDICT: Final = tag_of(e.VerdictReached)


class SearchTerm(Struct, frozen=True):
    """A word that is searched, and what it stands for in the language of whoever asks."""

    text: str
    """In lower case."""
    types: tuple[str, ...] = ()
    """Events whose name, as the reader knows it, holds the word."""
    actors: tuple[str, ...] = ()
    """The same of actors; whole, or the part before the colon."""


class EventFilter(Struct, frozen=True):
    """Which events an auditor wants to see. All that is given must hold."""

    types: tuple[str, ...] = ()
    """Only these; empty is all."""
    not_types: tuple[str, ...] = ()
    """None of these."""
    actor: str | None = None
    """`user:<uuid>`, `agent:<name>`, …; or only the part before the colon, for all of its kind."""
    feature_id: UUID | None = None
    since: datetime | None = None
    """Recorded then or later."""
    until: datetime | None = None
    """Recorded before then."""
    problems: bool = False
    """Only events that tell of trouble."""
    words: tuple[SearchTerm, ...] = ()
    """Each is found somewhere: in the type, the actor, a code of what went wrong, the title that
    the feature has now, or at the start of the event's id, its feature's id or its hash. Texts are
    sealed, and are not searched."""


class AuditEntry(Struct, frozen=True):
    """An event without its content: who did what, when, and because of what."""

    position: int
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    actor: str
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    hash: str


class Found(Struct, frozen=True):
    """What was found, and how far the search went."""

    entries: Sequence[AuditEntry]
    titles: Mapping[UUID, str]
    """Of the features among them that still exist."""
    looked_to: AuditEntry | None = None
    """The last event looked at, where the bound on the work ended the search before the log did."""


class ModelCall(Struct, frozen=True):
    """A request to a model, from the ledger: written down before it left."""

    attempt: int
    turn: int
    request_sha256: str
    announced: int
    """How often this very request was sent: more than once after a lost answer."""
    announced_at: datetime
    settled_at: datetime | None
    outcome: str
    """`answered`, an error's code, or `outcome_unknown` as long as nothing came back."""
    tokens: Tokens
    model: str | None = None
    """As the answer names it; None without one, or if the feature was deleted."""
    request_id: str | None = None
    """The provider's own name for the request, to quote when asking it for help."""


class Caused(Struct, frozen=True):
    """An event, the requests that were made for it, and what it caused in turn."""

    event: AuditEntry
    calls: tuple[ModelCall, ...] = ()
    """Of an announced attempt."""
    caused: tuple["Caused", ...] = ()


class Causation(Struct, frozen=True):
    """All that followed from one command in a feature."""

    correlation_id: UUID
    actor: str
    """Who gave the command."""
    events: int
    calls: int
    tokens: Tokens
    """Of all the calls, as the provider counted them."""
    roots: tuple[Caused, ...]
    """What the command itself recorded; everything else is below."""


class AuditLog(Protocol):
    """The log of a tenant with filters, and what followed from what."""

    async def entries(
        self,
        tenant_id: UUID,
        wanted: EventFilter,
        *,
        beyond: int | None,
        limit: int,
        ascending: bool,
    ) -> Found:
        """Events beyond a position, at most `limit`. Raises Unavailable.

        One call looks at a bounded number of events: it may find fewer, and say where it ended.

        Args:
            tenant_id: Whose.
            wanted: Which.
            beyond: The position where the page before ended; None begins.
            limit: How many at most.
            ascending: Oldest first, and only as far as nothing can appear in between any more;
                otherwise newest first.
        """

    async def titles(self, tenant_id: UUID, features: Collection[UUID]) -> Mapping[UUID, str]:
        """What features are called now; deleted ones are missing. Raises Unavailable."""

    async def causation(
        self, tenant_id: UUID, feature_id: UUID, event_id: UUID
    ) -> Causation | None:
        """What followed from the command that an event belongs to; None without that event."""


def tree_of(
    entries: Sequence[AuditEntry], calls_of: dict[UUID, tuple[ModelCall, ...]]
) -> tuple[Caused, ...]:
    """Events of one command as a tree by their causation ids, each level in order."""
    known = {entry.event_id for entry in entries}
    below: dict[UUID | None, list[AuditEntry]] = {}
    for entry in entries:
        cause = entry.causation_id if entry.causation_id in known else None
        below.setdefault(cause, []).append(entry)

    # Causes are recorded before what they cause: from the last event on, all below is made.
    made: dict[UUID, Caused] = {}
    for entry in sorted(entries, key=lambda one: one.position, reverse=True):
        children = tuple(made[child.event_id] for child in below.get(entry.event_id, ()))
        made[entry.event_id] = Caused(entry, calls_of.get(entry.event_id, ()), children)
    return tuple(made[entry.event_id] for entry in below.get(None, ()))
