"""The one write path: read and fold, decide, append. There is no second way to change a feature.

A folded feature is kept in memory as long as it is of use. That is safe because every append names
the version it was decided on and that version's hash: a stale copy, and one of a log that was set
back since, can only lead to another try, never to a wrong event; and a refusal is given only after
the copy was brought up to date.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from msgspec.structs import replace

from application.due_steps import due_steps
from application.ports import (
    Accepted,
    Conflict,
    Diverged,
    Effects,
    EventLog,
    Groundless,
    Live,
    Metadata,
    Receipt,
    Receipts,
    Unavailable,
    Unreadable,
)
from application.readings import Readings
from application.running.recent import Recent
from application.running.stretches import AT_ONCE, stretches
from application.running.turns import Turns
from domain.commands import (
    ConfirmBrief,
    CreateFeature,
    DeleteFeature,
    FeatureCommand,
    ForkFeature,
    RequestRewrite,
    ReviseBrief,
)
from domain.content import Content
from domain.decider import decide
from domain.errors import NotFound, NotNow, Refused
from domain.events import (
    BriefConfirmed,
    BriefRevised,
    FeatureDeleted,
    FeatureEvent,
    ImplementationCompleted,
    PartCarried,
    RewriteRequested,
    told,
)
from domain.feature import Feature, evolve
from domain.forking import fork_of
from domain.lifecycle import WRITTEN_AT
from domain.recorded import Recorded
from domain.status import Status

REMEMBERED_FEATURES = 2_000
"""How many folded features a process keeps; each is a few kilobytes."""
REMEMBERED_TEXTS = 2_000
"""How many events with documents a process keeps; each is some tens of kilobytes at most."""
WITH_TEXT = (
    BriefConfirmed,
    BriefRevised,
    RewriteRequested,
    *WRITTEN_AT,
    ImplementationCompleted,
    PartCarried,
)
"""Events that later steps read again, and that never change."""
TRIES = 20
"""How often a command is decided anew when others append in between."""
BEING_SET_BACK = "It is being set back."


class VersionMismatch(Exception):
    """The feature has moved on since you looked. Read it again, then decide."""

    def __init__(self, current_version: int) -> None:
        super().__init__(self.__doc__)
        self.current_version = current_version


class KeyReused(Exception):
    """The idempotency key was used for another request. Use a new key for a new request."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class RememberedFeature(NamedTuple):
    """A feature as a process remembers it."""

    feature: Feature = Feature()
    head: bytes = b""
    """Hash of the last event that is folded; empty before the first."""


NOTHING = RememberedFeature()


class CommandOutcome(NamedTuple):
    """What a command came to."""

    feature: Feature
    recorded: Sequence[Recorded]
    accepted: Accepted


class Features:
    """All features of all tenants; every call says whose."""

    def __init__(
        self,
        log: EventLog,
        receipts: Receipts,
        live: Live,
        new_id: Callable[[], UUID],
        turns: Turns | None = None,
        doubt: Callable[[], None] = lambda: None,
        readings: Readings | None = None,
        in_hand: Callable[[UUID], bool] = lambda _: False,
    ) -> None:
        """Take the log and what goes with it.

        `doubt` is told when the log seems to be set back; `in_hand` says whether a task that an
        append made is in a worker's hands already, so that nobody need be woken for it.
        """
        self._log = log
        self._long = turns or Turns()
        self._receipts = receipts
        self._live = live
        self._new_id = new_id
        self._doubt = doubt
        self._readings = readings or Readings()
        self._in_hand = in_hand
        self._folded: Recent[tuple[UUID, UUID], RememberedFeature] = Recent(REMEMBERED_FEATURES)
        self._texts: Recent[tuple[UUID, UUID, int], Recorded] = Recent(REMEMBERED_TEXTS)
        self._turns: WeakValueDictionary[tuple[UUID, UUID], asyncio.Lock] = WeakValueDictionary()

    def remembered(self, tenant_id: UUID, feature_id: UUID) -> RememberedFeature | None:
        """The feature as this process last knew it, without asking anybody.

        Good enough to act on, for every append names what it was decided on.
        """
        return self._folded.find((tenant_id, feature_id))

    def forget(self) -> None:
        """Remember nothing: the log was set back."""
        self._folded.clear()
        self._texts.clear()

    async def load(self, tenant_id: UUID, feature_id: UUID) -> Feature:
        """The feature as it is now; with version 0 if there is none."""
        return (await self.known(tenant_id, feature_id)).feature

    async def known(self, tenant_id: UUID, feature_id: UUID) -> RememberedFeature:
        """The same, with the hash of its last event."""
        name = (tenant_id, feature_id)
        for _ in range(TRIES):
            before = self._folded.find(name) or NOTHING
            try:
                known = await self._fold(name, before)
            except Diverged:
                self._diverged(name)
                continue
            self._remember(name, known)
            if known.head != before.head and known.feature.status is Status.DELETED:
                self._forget_texts(feature_id)
            return known
        raise Unavailable("the log", BEING_SET_BACK)

    async def as_of(self, tenant_id: UUID, feature_id: UUID, version: int) -> Feature:
        """The feature as it was at a version, or as it is if it never got there."""
        name = (tenant_id, feature_id)
        for _ in range(TRIES):
            known = self._folded.find(name) or NOTHING
            begin = known if known.feature.version <= version else NOTHING
            try:
                return (await self._fold(name, begin, version)).feature
            except Diverged:
                self._diverged(name)
        raise Unavailable("the log", BEING_SET_BACK)

    async def _fold(
        self, name: tuple[UUID, UUID], known: RememberedFeature, upto: int | None = None
    ) -> RememberedFeature:
        """Go on from what is known. Raises Diverged when the log does not hold that."""
        after = known.feature.version
        end = _end(after, upto)
        first = await self._log.read(*name, after=after, upto=end, head=known.head or None)
        known = await self._gone_on(known, first)
        if len(first) == AT_ONCE:
            async with self._long.long(name[0]):
                after, head = known.feature.version, known.head
                rest = stretches(self._log, *name, after=after, upto=upto, head=head)
                async for stretch in rest:
                    known = await self._gone_on(known, stretch)
        return known

    async def _gone_on(
        self, known: RememberedFeature, newer: Sequence[Recorded]
    ) -> RememberedFeature:
        # Texts too: of two histories with the same versions, the one that is folded counts.
        self._keep_texts(newer)
        feature = await self._after(known.feature, [recorded.event for recorded in newer])
        return RememberedFeature(feature, newer[-1].hash if newer else known.head)

    def _diverged(self, name: tuple[UUID, UUID]) -> None:
        """What is remembered of a feature is in no log."""
        self._folded.forget(name)
        self._forget_texts(name[1])
        self._doubt()

    async def _after(self, feature: Feature, events: Sequence[FeatureEvent]) -> Feature:
        def step(event: FeatureEvent) -> None:
            nonlocal feature
            feature = evolve(feature, event)

        await self._long.through(events, step)
        return feature

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at these versions, which hold the documents and messages.

        What a fork brought along is told as the event that was carried.
        """
        found = await self._recorded(tenant_id, feature_id, versions)
        return {version: _told(recorded) for version, recorded in found.items()}

    async def _recorded(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        kept = {v: self._texts.find((tenant_id, feature_id, v)) for v in versions}
        known = {version: recorded for version, recorded in kept.items() if recorded}
        if len(known) == len(set(versions)):
            return known
        missing = [version for version in versions if version not in known]
        found = await self._log.at(tenant_id, feature_id, missing)
        self._keep_texts(found.values())
        return {**known, **found}

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
        """Carry out a person's command, once.

        Args:
            feature_id: Whose life it changes.
            command: What the person asks for; or what finds it, unless the same request was
                answered before.
            tenant_id: Whose feature it is.
            actor: `user:<id>`.
            correlation_id: Names this request; all that follows from it carries it on.
            if_match: The version the person saw; another one now is refused.
            idempotency: A key, and the bytes of the request it stands for.
            permitted: Raises what speaks against a request that was not answered before.

        Raises:
            Refused: the state machine refuses; nothing was recorded.
            VersionMismatch: the feature is not at `if_match`.
            KeyReused: the key stands for another request.
            Unavailable: the database does not answer.
        """

        async def work(receipt: Receipt | None) -> Accepted:
            if permitted is not None:
                await permitted()
            given = await command() if callable(command) else command
            origin = Metadata(tenant_id, actor, correlation_id)
            effects = Effects(receipt=receipt)
            written = await self.write(feature_id, given, origin, effects, if_match=if_match)
            return written.accepted

        return await self._once(tenant_id, idempotency, work)

    async def history(
        self, tenant_id: UUID, feature_id: UUID, upto: int | None = None
    ) -> Sequence[Recorded]:
        """All events of a feature, or those up to a version, in order. Raises as the log does."""
        for _ in range(TRIES):
            parts = stretches(self._log, tenant_id, feature_id, upto=upto)
            try:
                return [recorded async for stretch in parts for recorded in stretch]
            except Diverged:  # Set back while we read: all of it anew.
                self._diverged((tenant_id, feature_id))
        raise Unavailable("the log", BEING_SET_BACK)

    async def since(self, tenant_id: UUID, feature_id: UUID, version: int) -> Sequence[Recorded]:
        """A feature's events after a version, in order. Raises as the log does."""
        return await self._log.read(tenant_id, feature_id, after=version)

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
        """Begin a feature under a new id from a checkpoint of another, which is only read.

        Raises as `do` does.
        """

        async def work(receipt: Receipt | None) -> Accepted:
            for _ in range(TRIES):
                # Again after a conflict: the parent was deleted now, and nothing is forked;
                # or the log was set back, and what was to be forked is not there.
                parent = await self.load(tenant_id, parent_id)
                _matches(parent, if_match)
                history = await self.history(tenant_id, parent_id, command.version)
                head = history[-1] if history else None
                # As many events as the parent has messages: the loop goes on meanwhile.
                events = await asyncio.to_thread(
                    fork_of,
                    command,
                    parent_id,
                    parent,
                    history,
                    head.hash.hex() if head else "",
                )
                cause = head.event_id if head else None
                origin = Metadata(tenant_id, actor, correlation_id, cause)
                effects = Effects(receipt=receipt, forked_from=(parent_id, command.version))
                try:
                    begun = await self._append(fork_id, NOTHING, events, origin, effects)
                except (Conflict, Groundless):
                    continue
                return begun.accepted
            raise NotNow("Too much happens to this feature at once. Try again.")

        return await self._once(tenant_id, idempotency, work)

    async def write(
        self,
        feature_id: UUID,
        command: FeatureCommand,
        origin: Metadata,
        effects: Effects = Effects(),
        *,
        if_match: int | None = None,
    ) -> CommandOutcome:
        """Decide and append, again for as long as others append in between.

        Those of this process take turns, so that only other processes come in between.

        Raises:
            LeaseLost: `effects.task` is not ours any more.
            Groundless: what it answers, or `effects.rests_on`, is in no log any more.
            Refused, VersionMismatch, ReceiptExists, Unavailable: as for `do`.
        """
        name = (origin.tenant_id, feature_id)
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = asyncio.Lock()
        async with turn:
            return await self._write(feature_id, command, origin, effects, if_match)

    async def _write(
        self,
        feature_id: UUID,
        command: FeatureCommand,
        origin: Metadata,
        effects: Effects,
        if_match: int | None,
    ) -> CommandOutcome:
        owner = origin.tenant_id
        reading = None
        if isinstance(command, ConfirmBrief | ReviseBrief):
            reading = await self._readings.of(owner, command.brief, command.wanted)
        known = self._folded.find((owner, feature_id))
        fresh = known is None
        if known is None:
            creating = isinstance(command, CreateFeature)
            known = NOTHING if creating else await self._decidable(owner, feature_id, command)
        for _ in range(TRIES):
            try:
                _matches(known.feature, if_match)
                shown = await self._shown(owner, feature_id, known.feature, command)
                events = decide(command, known.feature, reading, shown)
            except (Refused, VersionMismatch):
                if fresh:
                    raise
                known, fresh = await self._decidable(owner, feature_id, command), True
                continue
            try:
                return await self._append(feature_id, known, events, origin, effects)
            except Conflict:
                known, fresh = await self._decidable(owner, feature_id, command), True
        raise NotNow("Too much happens to this feature at once. Try again.", known.feature.status)

    async def _shown(
        self, tenant_id: UUID, feature_id: UUID, feature: Feature, command: FeatureCommand
    ) -> FeatureEvent | None:
        """The event of the document that a command is about parts of."""
        made = (
            feature.content.deliverable(command.gate)
            if isinstance(command, RequestRewrite)
            else None
        )
        if made is None:
            return None
        found = await self.texts(tenant_id, feature_id, {made.version})
        return found[made.version].event if made.version in found else None

    async def _decidable(
        self, tenant_id: UUID, feature_id: UUID, command: FeatureCommand
    ) -> RememberedFeature:
        """The feature that a command is decided on.

        What cannot be read here can still be deleted: that needs no more than where the log ends.

        Raises:
            Unreadable: the log cannot be read, and the command needs it.
        """
        try:
            return await self.known(tenant_id, feature_id)
        except Unreadable:
            if not isinstance(command, DeleteFeature):
                raise
        last = (await self._log.entries(tenant_id, feature_id))[-1]
        return RememberedFeature(
            Feature(version=last.version, content=Content(status=Status.DRAFTING)), last.hash
        )

    async def _append(
        self,
        feature_id: UUID,
        known: RememberedFeature,
        events: Sequence[FeatureEvent],
        origin: Metadata,
        effects: Effects,
    ) -> CommandOutcome:
        feature = known.feature
        after = await self._after(feature, events)
        accepted = Accepted(feature_id, after.version, str(after.status))
        superseding = after.epoch != feature.epoch
        deleted = any(isinstance(event, FeatureDeleted) for event in events)
        named = [(self._new_id(), event) for event in events]
        due = due_steps(feature_id, feature.version, named, origin, after.content.mode)
        recorded = await self._log.append(
            feature_id,
            named,
            expected=feature.version,
            origin=origin,
            effects=replace(
                effects,
                cancel_tasks=superseding or deleted,
                destroy_key=deleted,
                due=due,
                accepted=accepted if effects.receipt else None,
                answers=origin.causation_id,
            ),
            head=known.head,
        )
        head = recorded[-1].hash if recorded else known.head
        self._remember((origin.tenant_id, feature_id), RememberedFeature(after, head))
        self._keep_texts(recorded)
        if deleted:
            self._forget_texts(feature_id)
        if not all(
            self._in_hand(each.task_id) for each in due
        ):  # First, for who follows the log can wait for who does the work.
            await self._live.due()
        await self._live.grown()
        if feature.running and (superseding or deleted):
            await self._live.cancelled()
        return CommandOutcome(after, recorded, accepted)

    async def _once(
        self,
        tenant_id: UUID,
        idempotency: tuple[str, bytes] | None,
        work: Callable[[Receipt | None], Awaitable[Accepted]],
    ) -> Accepted:
        """Do a request's work, or give the answer that the same request got, then or meanwhile."""
        if idempotency is None:
            return await work(None)
        key, body = idempotency
        receipt = Receipt(key, sha256(body).hexdigest())
        answered = await self._answered(tenant_id, receipt)
        if answered is not None:
            return answered
        try:
            return await work(receipt)
        except Exception:
            # The twin may be what is in the way: it was accepted while this one was looked at.
            answered = await self._answered(tenant_id, receipt)
            if answered is None:
                raise
            return answered

    async def _answered(self, tenant_id: UUID, receipt: Receipt) -> Accepted | None:
        found = await self._receipts.find(tenant_id, receipt.key)
        if found is None:
            return None
        request_sha256, accepted = found
        if request_sha256 != receipt.request_sha256:
            raise KeyReused
        return accepted

    def _remember(self, name: tuple[UUID, UUID], now: RememberedFeature) -> None:
        if now.feature.version == 0:
            return
        known = self._folded.find(name) or now
        self._folded.keep(name, now if now.feature.version >= known.feature.version else known)

    def _keep_texts(self, recorded: Iterable[Recorded]) -> None:
        for each in recorded:
            if isinstance(each.event, WITH_TEXT):
                self._texts.keep((each.tenant_id, each.feature_id, each.version), each)

    def _forget_texts(self, feature_id: UUID) -> None:
        self._texts.forget_all(lambda key: key[1] == feature_id)


def _end(after: int, upto: int | None) -> int:
    return after + AT_ONCE if upto is None else min(upto, after + AT_ONCE)


def _told(recorded: Recorded) -> Recorded:
    if isinstance(recorded.event, PartCarried):
        return replace(recorded, event=told(recorded.event))
    return recorded


def _matches(feature: Feature, if_match: int | None) -> None:
    if if_match is None:
        return
    if feature.version == 0:
        raise NotFound
    if feature.version != if_match:
        raise VersionMismatch(feature.version)
