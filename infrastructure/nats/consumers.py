"""The durable consumer of each agent, held to its configuration.

Invariant: what the server holds equals what stands here; the server keeps old settings silently.
"""

from typing import Final

import structlog
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from domain.status import Agent
from infrastructure.nats import stream
from infrastructure.nats.announcement import tags_for

log = structlog.get_logger(__name__)

ACK_WAIT_SECONDS: Final = 30.0
MAX_DELIVER: Final = 3
MAX_ACK_PENDING: Final = 2_000

_COMPARED: Final = (
    "ack_policy",
    "ack_wait",
    "backoff",
    "deliver_policy",
    "deliver_subject",
    "filters",
    "max_ack_pending",
    "max_deliver",
)


def name_of(agent: Agent) -> str:
    """The consumer's name on the server."""
    return f"agent-{agent.value}"


def configuration(agent: Agent) -> ConsumerConfig:
    """What an agent's consumer is to be. No backoff: it would override the acknowledgement wait."""
    return ConsumerConfig(
        name=name_of(agent),
        durable_name=name_of(agent),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=MAX_DELIVER,
        max_ack_pending=MAX_ACK_PENDING,
        filter_subjects=[f"evt.*.{tag}.*" for tag in tags_for(agent)],
    )


async def ensure(streams: JetStreamContext, agent: Agent) -> None:
    """Create the consumer, or bring it to its configuration, in place if the server can.

    Recreated, it begins at the stream's first message: tasks made before are not made again.

    Raises:
        NotFoundError: the stream is not there.
    """
    wanted = configuration(agent)
    try:
        info = await streams.consumer_info(stream.NAME, name_of(agent))
    except NotFoundError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            raise
        await streams.add_consumer(stream.NAME, wanted)
        return
    differing = [key for key in _COMPARED if _value(info.config, key) != _value(wanted, key)]
    if not differing:
        return
    try:
        await streams.add_consumer(stream.NAME, wanted)
        log.warning("consumer_updated", consumer=name_of(agent), settings=differing)
    except APIError as error:
        log.warning(
            "consumer_recreated",
            consumer=name_of(agent),
            settings=differing,
            cause=str(error.description),
        )
        await streams.delete_consumer(stream.NAME, name_of(agent))
        await streams.add_consumer(stream.NAME, wanted)


_STREAM_NOT_FOUND: Final = 10059


def _value(config: ConsumerConfig, key: str) -> object:
    if key == "filters":
        one = [config.filter_subject] if config.filter_subject else []
        return sorted(config.filter_subjects or one)
    return getattr(config, key) or None
