"""The library's application over features' streams: it keys, maps and records a batch of appends.

Invariant: built from arguments alone; no environment variable and no import path decides anything.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol, TAggregateID
from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
    TrackingRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType
from msgspec.structs import replace
from psycopg_pool import ConnectionPool
from typing_extensions import override

from application.ports import Unavailable, Unread, Unreadable, Why
from domain.recorded import Recorded
from infrastructure.event_log.mapper import FeatureMapper, NoTranscoder
from infrastructure.event_log.recorder import FeatureRecorder
from infrastructure.event_log.registry import Registry
from infrastructure.event_log.stored import (
    Append,
    AppendOutcome,
    Envelope,
    KeyDestroyed,
    Leases,
    StoredFeatureEvent,
    StreamId,
)
from infrastructure.postgres.database import BoundedConnection, Trust
from infrastructure.sealing import DataKey, MasterKeyUnusable, Unsealable
from infrastructure.sealing.data_keys import KeyRing


class FeatureFactory(InfrastructureFactory[TrackingRecorder]):
    """Makes the parts of the application, from what it is given."""

    def __init__(self, recorder: FeatureRecorder, mapper: FeatureMapper) -> None:
        super().__init__(Environment("features", {}))
        self._recorder = recorder
        self._mapper = mapper

    @override
    def transcoder(self) -> Transcoder:
        return NoTranscoder()

    @override
    def mapper(
        self,
        transcoder: Transcoder | None = None,
        mapper_class: type[Mapper[TAggregateID]] | None = None,
    ) -> Mapper[TAggregateID]:
        return cast("Mapper[TAggregateID]", self._mapper)

    @override
    def application_recorder(self) -> FeatureRecorder:
        return self._recorder

    @override
    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        raise NotImplementedError(
            "a feature is read in under a millisecond: there are no snapshots"
        )

    @override
    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        raise NotImplementedError("positions are kept by the projector")

    @override
    def process_recorder(self) -> ProcessRecorder:
        raise NotImplementedError("reads and writes never meet")

    @override
    def is_snapshotting_enabled(self) -> bool:
        return False


class FeatureStreams(Application[UUID]):
    """Appends and reads streams, synchronously: for threads."""

    def __init__(
        self,
        pool: ConnectionPool[BoundedConnection],
        ring: KeyRing,
        registry: Registry,
        trust: Trust | None = None,
    ) -> None:
        """Take a pool, opened and closed by its owner, the key ring, the registry, the trust."""
        self._ring = ring
        self._rows = FeatureRecorder(pool, trust)
        self._mapping = FeatureMapper(registry, self._find_key)
        super().__init__()

    @override
    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        return Environment(name, {})

    @override
    def construct_factory(self, env: Environment) -> FeatureFactory:
        return FeatureFactory(self._rows, self._mapping)

    def append(
        self, appends: Sequence[Append], leases: Leases | None = None
    ) -> list[AppendOutcome]:
        """Append all in one transaction; one outcome for each, in order.

        Tasks that they make are leased in it as `leases` asks.

        One that spoils the transaction for all gets the outcome `error`, and the others their
        own. Raises Unavailable.
        """
        try:
            return self._append(appends, leases)
        except Unavailable as error:
            # Somebody holds one of the streams: the others need not wait for it.
            if len(appends) > 1 and isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                return [outcome for append in appends for outcome in self.append([append], leases)]
            raise
        except (psycopg.errors.UniqueViolation, KeyDestroyed) as error:
            # Somebody began the same stream at the same moment, used an event id elsewhere, or
            # deleted the feature; or there is no such stream to go on with.
            spoilt = AppendOutcome("conflict", error=error)
        except (Unsealable, MasterKeyUnusable) as error:
            why = Why.LOCKED if isinstance(error, MasterKeyUnusable) else Why.DAMAGED
            unreadable = Unreadable("Its data key", why)
            unreadable.__cause__ = error
            spoilt = AppendOutcome("error", error=unreadable)
        except Exception as error:  # noqa: BLE001 - handed to the caller whose append it is.
            spoilt = AppendOutcome("error", error=error)
        if len(appends) == 1:
            return [spoilt]
        return [outcome for append in appends for outcome in self.append([append], leases)]

    def _append(self, appends: Sequence[Append], leases: Leases | None) -> list[AppendOutcome]:
        keyed = [self._keyed(append) for append in appends]
        envelopes = [
            Envelope(append.stream, append.expected + number, event_id, event, append.key)
            for append in keyed
            for number, (event_id, event) in enumerate(append.events, start=1)
        ]
        outcomes: list[AppendOutcome] = []
        self.events.put(
            cast("Sequence[DomainEventProtocol[UUID]]", envelopes),
            appends=keyed,
            outcomes=outcomes,
            leases=leases,
        )
        for append, outcome in zip(keyed, outcomes, strict=True):
            if outcome.word == "appended" and append.effects.destroy_key:
                self._ring.forget(append.origin.tenant_id, append.stream)
            elif outcome.word == "appended" and append.wrapped is not None and append.key:
                self._ring.keep(append.key)
        return outcomes

    def read(
        self, tenant_id: UUID, feature_id: UUID, after: int, upto: int | None, head: bytes | None
    ) -> list[Recorded]:
        """A stretch of a stream. Raises Unavailable, Diverged, KeyDestroyed, Unreadable."""
        stored = self._rows.select_events(
            StreamId(tenant_id, feature_id), gt=after, lte=upto, head=head
        )
        return [cast("Recorded", self._mapping.to_domain_event(one).recorded) for one in stored]

    def read_versions(
        self, tenant_id: UUID, feature_id: UUID, versions: Sequence[int]
    ) -> dict[int, Recorded]:
        """Single events of a stream, by version. Raises as `read` does."""
        stored = self._rows.select_versions(StreamId(tenant_id, feature_id), versions)
        found = [cast("Recorded", self._mapping.to_domain_event(one).recorded) for one in stored]
        return {recorded.version: recorded for recorded in found}

    def entries(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        after: int,
        upto: int | None,
        versions: Sequence[int] | None,
    ) -> list[Recorded | Unread]:
        """The same, with what cannot be read as such. Raises Unavailable, KeyDestroyed."""
        stream = StreamId(tenant_id, feature_id)
        if versions is None:
            stored = self._rows.select_events(stream, gt=after, lte=upto)
        else:
            stored = self._rows.select_versions(stream, versions)
        return [self._mapping.entry(one) for one in stored]

    def _keyed(self, append: Append) -> Append:
        """With the key to seal with; and its wrapped form if it begins with this append."""
        stream = append.stream
        if append.expected == 0:
            key, wrapped = self._ring.make(stream.tenant_id, stream)
            return replace(append, key=key, wrapped=wrapped)
        if not any(event.personal for _, event in append.events):
            return append
        kept = self._ring.kept(stream.tenant_id, stream)
        return replace(append, key=kept or self._load(stream))

    def _find_key(self, stored: StoredFeatureEvent) -> DataKey | None:
        stream = cast("StreamId", stored.originator_id)
        if stored.meta is None or not stored.meta.key_alive:
            self._ring.forget(stream.tenant_id, stream)
            return None
        kept = self._ring.kept(stream.tenant_id, stream)
        return kept if kept and kept.key_id == stored.key_id else self._load(stream)

    def _load(self, stream: StreamId) -> DataKey | None:
        found = self._rows.find_key(stream.tenant_id, str(stream))
        if found is None:
            self._ring.forget(stream.tenant_id, stream)
            return None
        return self._ring.opened(found[0], found[1], stream.tenant_id, stream)
