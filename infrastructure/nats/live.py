"""Ephemeral messages between processes: what an agent is writing, and how far the views are.

Invariant: nobody waits for a listener or a broken connection; what is lost, the log still has.
"""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

import msgspec
import structlog
from nats.aio.msg import Msg

from infrastructure.nats.connection import LOST, NatsConnection
from infrastructure.nats.signals import Signal, SignalSubscription

log = structlog.get_logger(__name__)

WAITING: Final = 256
"""Messages kept for a slow listener; beyond it the oldest delta goes first."""
BODY_BYTES: Final = 200_000

Key: TypeAlias = tuple[UUID, UUID | None]


class LiveMessage(msgspec.Struct, frozen=True):
    """A message: who sent it, so that its own process does not receive it twice, and the body."""

    origin: str
    body: msgspec.Raw


class Watcher:
    """What one listener has not read yet; iterate over it. Cancelling loses nothing."""

    def __init__(self) -> None:
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._subscription = SignalSubscription()

    def put(self, body: Mapping[str, Any]) -> None:
        if len(self._waiting) >= WAITING:
            fleeting = (
                place
                for place, message in enumerate(self._waiting)
                if message.get("kind") == "delta"
            )
            del self._waiting[next(fleeting, 0)]
        self._waiting.append(body)
        self._subscription.notify()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        while not self._waiting:
            await anext(self._subscription)
        return self._waiting.popleft()


class Topic:
    """All watchers of one feature, or of one tenant, behind one subscription."""

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self.subscriptions = contextlib.AsyncExitStack()
        self.followed = False

    def put(self, body: Mapping[str, Any]) -> None:
        for watcher in self.watchers:
            watcher.put(body)


class NatsLive:
    """The port `Live` over core NATS and, at once, inside this process.

    Without a connection it reaches this process only.
    """

    def __init__(
        self,
        connection: NatsConnection | None,
        log_grown: Signal,
        work: Signal | None = None,
        cancel: Signal | None = None,
    ) -> None:
        """Take the connection, and the signals `poke`, `work` and `cancel` of `Signal`."""
        self._connection = connection
        self._log_grown = log_grown
        self._work = work
        self._cancel = cancel
        self._origin = connection.origin if connection is not None else ""
        self._topics: dict[Key, Topic] = {}

    async def say(self, tenant_id: UUID, feature_id: UUID, body: Mapping[str, Any]) -> None:
        """Tell whoever watches this feature. Never raises, never waits for a broken connection."""
        await self._say("live", tenant_id, feature_id, body)

    async def applied(self, tenant_id: UUID, feature_id: UUID, version: int, position: int) -> None:
        """Say that the read models hold a feature up to a version. Otherwise as `say`."""
        body = {"kind": "view", "version": version, "position": position}
        await self._say("view", tenant_id, feature_id, body)

    async def grown(self) -> None:
        """Say that the log has grown."""
        self._log_grown.notify()

    async def due(self) -> None:
        """Say that there are new tasks."""
        if self._work is not None:
            self._work.notify()

    async def cancelled(self) -> None:
        """Say that steps were cancelled which somebody may be working on."""
        if self._cancel is not None:
            self._cancel.notify()

    @contextlib.asynccontextmanager
    async def watch(
        self, tenant_id: UUID, feature_id: UUID | None
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """What is said about one feature, or all of the tenant's, with its `feature_id`."""
        watcher = Watcher()
        key = (UUID(str(tenant_id)), None if feature_id is None else UUID(str(feature_id)))
        topic = self._topics.setdefault(key, Topic())
        topic.watchers.add(watcher)
        try:
            if self._connection is not None:
                await self._follow(self._connection, key, topic)
            yield watcher
        finally:
            topic.watchers.discard(watcher)
            if not topic.watchers and self._topics.get(key) is topic:
                del self._topics[key]
                await topic.subscriptions.aclose()

    @contextlib.asynccontextmanager
    async def watch_log(self) -> AsyncIterator[AsyncIterator[None]]:
        """Wake-ups; several may be folded into one."""
        async with self._log_grown.listen() as subscription:
            yield subscription

    async def _follow(self, connection: NatsConnection, key: Key, topic: Topic) -> None:
        """Subscribe once for all watchers of a topic."""

        async def on_message(message: Msg) -> None:
            self._on_message(topic, message)

        if not topic.followed:
            topic.followed = True
            for kind in ("live", "view"):
                subject = f"{kind}.{key[0]}.{key[1] or '*'}"
                await topic.subscriptions.enter_async_context(
                    connection.subscribe(subject, on_message)
                )
        await connection.settle()  # For a second watcher, whose topic's subscription is under way.

    async def _say(
        self, kind: str, tenant_id: UUID, feature_id: UUID, body: Mapping[str, Any]
    ) -> None:
        try:
            encoded = msgspec.json.encode(body)
        except (TypeError, msgspec.MsgspecError) as error:
            log.error("live_message_unfit", kind=body.get("kind"), cause=str(error))  # noqa: TRY400
            return
        topics = [
            topic
            for key in ((tenant_id, feature_id), (tenant_id, None))
            if (topic := self._topics.get(key)) is not None
        ]
        if topics:
            # Through JSON, so that a listener here and one elsewhere receive the same.
            message = {**msgspec.json.decode(encoded), "feature_id": str(feature_id)}
            for topic in topics:
                topic.put(message)
        if self._connection is None or len(encoded) > BODY_BYTES or self._connection.choked:
            return
        try:
            await self._connection.client.publish(
                f"{kind}.{UUID(str(tenant_id))}.{UUID(str(feature_id))}",
                msgspec.json.encode(LiveMessage(self._origin, msgspec.Raw(encoded))),
            )
        except LOST:
            return
        except Exception:  # A defect costs this message, and nobody the work it is about.
            log.exception("live_message_lost", kind=kind)

    def _on_message(self, topic: Topic, message: Msg) -> None:
        try:
            sent = msgspec.json.decode(message.data, type=LiveMessage)
            body = msgspec.json.decode(sent.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            log.warning("live_message_unreadable", subject=message.subject)
            return
        if sent.origin != self._origin:
            topic.put({**body, "feature_id": message.subject.rsplit(".", 1)[1]})
