"""Everything that HTTP needs, in one struct of ports. The composition root fills it.

Invariant: no handler reaches for anything that is not here, and nothing here is a global.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from application.accounts import Accounts
from application.ports import Accepted, ArtifactStore, EventLog, Live, Recorded
from domain.commands import FeatureCommand
from domain.feature import Feature
from interface.http.flow import Places
from interface.http.metrics import Metrics
from projections.store import ReadStore


class Caller(Protocol):
    """Whoever is asking, as a checked token says."""

    @property
    def user_id(self) -> UUID:
        """Our id of the person."""

    @property
    def tenant_id(self) -> UUID:
        """Whose data they may see."""


class Bearers(Protocol):
    """The check of access tokens."""

    async def whose(self, token: str) -> Caller | None:
        """Who a token stands for; None if it is not good. Raises Unavailable."""


class FeatureUseCases(Protocol):
    """The one write path, and the texts it wrote (`application.features.Features`)."""

    async def load(self, tenant_id: UUID, feature_id: UUID) -> Feature:
        """The feature as the log has it now; with version 0 if there is none."""

    async def do(
        self,
        feature_id: UUID,
        command: FeatureCommand,
        *,
        tenant_id: UUID,
        actor: str,
        correlation_id: UUID,
        if_match: int | None = None,
        idempotency: tuple[str, bytes] | None = None,
    ) -> Accepted:
        """Carry out a command, once."""

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at these versions."""


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
        """Changes with positions in (after, upto], in order, at most `limit`."""


class ChainReport(Struct, frozen=True):
    """Whether a feature's log is what was written."""

    valid: bool
    events: int
    """How many events were checked."""
    head: str
    """The last event's hash, in hex: note it elsewhere, and a cut-off tail shows, too."""
    first_broken_version: int | None = None


class Chain(Protocol):
    """The check of the hash chain over the stored bytes; works for deleted features, too."""

    async def verify(self, tenant_id: UUID, feature_id: UUID) -> ChainReport | None:
        """Compute every hash anew; None if there is no such stream."""


class Archive(Protocol):
    """The zip of a finished feature (`application.download.archive`)."""

    def __call__(self, tenant_id: UUID, feature_id: UUID) -> AsyncIterator[bytes]:
        """The zip's bytes. Raises NotFound, and NotNow when there is nothing to download yet."""


class KeyDescription(Struct, frozen=True):
    """What may be told of a tenant's API key: never the key."""

    configured: bool
    last4: str | None = None
    """Its last four characters."""
    verified: bool | None = None
    """Whether the provider accepted it; null if the provider could not be asked."""
    updated_at: datetime | None = None


class KeySettings(Protocol):
    """A tenant's own key for the model."""

    @property
    def needed(self) -> bool:
        """Whether the model takes a key at all; the demo model takes none."""

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored."""

    async def check(self, api_key: str) -> bool | None:
        """Whether the provider accepts the key; None when it cannot be reached."""

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool | None) -> None:
        """Seal and store, in place of an earlier one."""

    async def delete(self, tenant_id: UUID) -> None:
        """Forget it. Without a key, nothing happens."""


class Readiness(Struct, frozen=True):
    """What answers at this moment."""

    postgres: bool
    nats: bool
    artifacts: bool
    relay_lag_events: int | None
    """Committed events that are not published yet; null when it cannot be told."""
    projection_lag_events: int | None
    """Committed events that the read models have not applied yet."""


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
    streams_per_tenant: int = 40
    streams_at_once: int = 2_000
    poll_seconds: float = 1.0
    """How often a stream looks into the log by itself, should no wake-up come."""
    ping_seconds: float = 15.0
    """After so much silence a stream sends a comment."""
    stream_seconds: float = 900.0
    """How long a live stream lasts before the client is asked to come again, with a fresh token."""


@dataclass(frozen=True, slots=True)
class Services:
    """The ports of the HTTP API."""

    features: FeatureUseCases
    reads: ReadStore
    changes: Changes
    chain: Chain
    log: EventLog
    live: Live
    artifacts: ArtifactStore
    archive: Archive
    bearers: Bearers
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
    places: Places = field(init=False)
    """Streams open in this process."""

    def __post_init__(self) -> None:
        """Make the places that the settings allow."""
        limits = self.settings
        places = Places(limits.streams_per_tenant, limits.streams_at_once)
        object.__setattr__(self, "places", places)


def of(state: Any) -> Services:  # noqa: ANN401 - Litestar's state is untyped.
    """The services of the application that answers."""
    services: Services = state.services
    return services
