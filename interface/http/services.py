"""Everything that HTTP needs, in one struct of ports. The composition root fills it.

Invariant: no handler reaches for anything that is not here, and nothing here is a global.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from application.audit.estimates import Estimates
from application.audit.events import AuditLog, Chain, Changes
from application.audit.usage import Expenses, Usages
from application.continuity.watch import Continuity
from application.delivery.attributions import Attributions
from application.delivery.comparing import Comparisons
from application.delivery.parcel import Parcel
from application.execution.standing import Standings
from application.identity.accounts import Accounts
from application.identity.api_keys import KeySettings
from application.identity.rate_limit import Allowance, RateLimiter
from application.identity.security_log import SecurityLog
from application.ports import Accepted, ArtifactStore, EventLog, Live
from application.readings import Readings
from application.running.computing import Computing, Here
from application.running.turns import Turns
from application.transparency.export import StoredLog
from domain.commands import EditDocument, FeatureCommand, ForkFeature, RecordEdit
from domain.feature import Feature
from domain.recorded import Recorded
from interface.http.metrics import Metrics
from interface.http.pasts import Pasts
from interface.http.places import AllPlaces
from interface.http.requests.cursors import Cursors
from interface.http.requests.ranges import Lengths
from interface.limits import (
    LARGEST_COUNTED,
    LOOKS_AT_ONCE,
    LOOKS_PER_SECOND,
    RATES,
    ROOMS,
    Capacity,
    Rate,
    Room,
)
from projections.certificate import Certifier
from projections.store import ReadStore


class Caller(Protocol):
    """Whoever is asking, as a checked token says."""

    @property
    def user_id(self) -> UUID:
        """Our id of the person."""

    @property
    def tenant_id(self) -> UUID:
        """Whose data they may see."""

    @property
    def session_id(self) -> UUID | None:
        """The session they signed in with; None with a foreign issuer."""

    @property
    def expires_at(self) -> float:
        """When their token ends, in seconds since 1970."""


class Bearers(Protocol):
    """The check of access tokens."""

    async def whose(self, token: str, address: str = "") -> Caller | None:
        """Who a token stands for; None if it is not good. Raises Unavailable.

        `address` is where it comes from, for the log.
        """

    async def ended(self, caller: Any) -> None:  # noqa: ANN401 - what `whose` gave.
        """Wait until the session of a caller has ended."""

    async def expired(self, caller: Any) -> None:  # noqa: ANN401 - what `whose` gave.
        """Wait until the token that a caller came with has ended."""


class FeatureUseCases(Protocol):
    """The one write path, and the texts it wrote (`application.features.Features`)."""

    async def load(self, tenant_id: UUID, feature_id: UUID) -> Feature:
        """The feature as the log has it now; with version 0 if there is none."""

    async def as_of(self, tenant_id: UUID, feature_id: UUID, version: int) -> Feature:
        """The feature as it was at a version."""

    async def since(self, tenant_id: UUID, feature_id: UUID, version: int) -> Sequence[Recorded]:
        """A feature's events after a version, in order."""

    async def do(
        self,
        feature_id: UUID,
        command: FeatureCommand | Callable[[], Awaitable[FeatureCommand]],
        *,
        tenant_id: UUID,
        actor: str,
        correlation_id: UUID,
        if_match: int | None = None,
        idempotency: tuple[str, bytes] | None = None,
        permitted: Callable[[], Awaitable[None]] | None = None,
    ) -> Accepted:
        """Carry out a command, or what finds it, once."""

    async def fork(
        self,
        parent_id: UUID,
        fork_id: UUID,
        command: ForkFeature,
        *,
        tenant_id: UUID,
        actor: str,
        correlation_id: UUID,
        if_match: int | None = None,
        idempotency: tuple[str, bytes] | None = None,
    ) -> Accepted:
        """Begin a feature under a new id from a checkpoint of another."""

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at these versions."""


class Edits(Protocol):
    """The check of edited documents (`application.execution.edits.DocumentEdits`)."""

    async def checked(self, tenant_id: UUID, feature_id: UUID, command: EditDocument) -> RecordEdit:
        """The command that records it. Raises Refused, FaultyDocument among them."""


class Archive(Protocol):
    """A finished feature as one file: its zip, or its history as a git bundle."""

    async def __call__(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> Parcel:
        """The file. Raises NotFound, and NotNow when there is nothing to download yet."""


class LetterOf(Protocol):
    """The page about a finished feature for whoever will run it."""

    async def __call__(
        self, tenant_id: UUID, feature_id: UUID, form: str, version: int | None = None
    ) -> tuple[str, bytes]:
        """A name and its bytes, as `md` or `html`. Raises NotFound and NotNow."""


class PublishedKey(Protocol):
    """The public key that signs for the log (`infrastructure.transparency.LogKeys`)."""

    async def published(self) -> str | None:
        """The verifier key, `origin+id+key`; None before the first. Raises Unavailable."""


class Readiness(Struct, frozen=True):
    """What answers at this moment."""

    postgres: bool
    nats: bool
    artifacts: bool
    relay_lag_events: int | None
    """Committed events that are not published yet; null when it cannot be told."""
    projection_lag_events: int | None
    """Committed events that the read models have not applied yet."""
    checkpoint_lag_seconds: float | None = None
    """Since the oldest event without a signed tree head was recorded; 0 if all have one."""
    database: str = "ready"
    """`ready`, `read_only`, `unreachable`, `refused` or `too_old`."""
    jetstream: bool = True
    """Whether NATS keeps the stream of announcements."""
    conditional_writes: bool | None = None
    """Whether the object store keeps what must not be overwritten; null as long as it is not known.
    Without them no tree head of the log is signed."""


class Health(Protocol):
    """How the service's dependencies are."""

    async def report(self) -> Readiness:
        """Ask them all, within two seconds. Never raises."""


class HttpSettings(Struct, frozen=True):
    """Values that change what HTTP answers."""

    version: str
    """Of the service."""
    public_url: str
    """Where people reach it; `https://…` switches HSTS on."""
    demo_model: bool = False
    """Whether a built-in, scripted model answers instead of the real one."""
    web: Path | None = None
    """The folder of the built web app; without one, a plain page is served."""
    rooms: Mapping[Room, Capacity] = msgspec.field(default_factory=lambda: ROOMS)
    """Places for what keeps a connection for long."""
    rates: Mapping[Rate, Allowance] = msgspec.field(default_factory=lambda: RATES)
    """How often a tenant may do what."""
    poll_seconds: float = 1.0
    """How often a stream looks into the log by itself, should no wake-up come; many look less."""
    ping_seconds: float = 15.0
    """After so much silence a stream sends a comment."""
    stream_seconds: float = 900.0
    """How long a stream lasts before the client is asked to come again, with a fresh token."""


@dataclass(frozen=True, slots=True)
class Services:
    """The ports of the HTTP API."""

    features: FeatureUseCases
    reads: ReadStore
    changes: Changes
    chain: Chain
    log: EventLog
    stored: StoredLog
    audit: AuditLog
    expenses: Expenses
    """Asked through `usages`."""
    estimates: Estimates
    attributions: Attributions
    edits: Edits
    standings: Standings
    """What a changed brief would touch."""
    certifier: Certifier
    live: Live
    artifacts: ArtifactStore
    archive: Archive
    """The zip."""
    bundle: Archive
    """The history, for git."""
    letter: LetterOf
    bearers: Bearers
    cursors: Cursors
    """Where lists go on; the same keys in every process of the API."""
    log_key: PublishedKey
    accounts: Accounts | None
    """None when a foreign issuer is configured: then `/auth` is not there."""
    keys: KeySettings
    health: Health
    settings: HttpSettings
    new_id: Callable[[], UUID]
    """uuid7."""
    clock: Callable[[], datetime]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is about to stop: streams say goodbye, readiness turns false."""
    metrics: Metrics = field(default_factory=Metrics)
    security: SecurityLog = field(default_factory=SecurityLog)
    continuity: Continuity = field(default_factory=Continuity)
    """Whether the log is still the one that streams have told of."""
    pasts: Pasts = field(default_factory=Pasts)
    turns: Turns = field(default_factory=Turns)
    comparisons: Comparisons = field(default_factory=lambda: Comparisons(Here()))
    readings: Readings = field(default_factory=Readings)
    computing: Computing = field(default_factory=Here)
    usages: Usages = field(init=False)
    throttle: RateLimiter = field(
        default_factory=lambda: RateLimiter(time.monotonic, LARGEST_COUNTED)
    )
    """Counts what tenants do, in this process."""
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE))
    """Held by a stream while it looks into the log, so that decisions never stand behind many."""
    places: AllPlaces = field(init=False)
    """Streams, answers and downloads that are open in this process."""
    not_passed: Archive | None = None
    """The zip of code whose reviews came to no verdict; None where the operator allows none."""
    lengths: Lengths = field(default_factory=Lengths)
    """Of downloads that were made whole."""

    def __post_init__(self) -> None:
        """Make the places that the settings allow."""
        object.__setattr__(self, "places", AllPlaces(self.settings.rooms))
        object.__setattr__(self, "usages", Usages(self.expenses, self.turns))

    @property
    def look_seconds(self) -> float:
        """How long a stream without messages waits until it looks by itself, spread a little."""
        shortest = max(self.settings.poll_seconds, self.places.taken / LOOKS_PER_SECOND)
        return shortest * random.uniform(0.75, 1.25)  # noqa: S311 - no secret.


def of(state: Any) -> Services:  # noqa: ANN401 - Litestar's state is untyped.
    """The services of the application that answers."""
    services: Services = state.services
    return services
