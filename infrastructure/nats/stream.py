"""The stream that announces the log: bounded, disposable, and never purged.

Invariant: it is rebuilt by deleting and creating it. A purge would keep the server's memory of
message ids, and then refuse to announce the same events again.
"""

from typing import Final

import structlog
from msgspec import Struct
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

log = structlog.get_logger(__name__)

NAME: Final = "EVENTS"
SUBJECTS: Final = ("evt.>",)


class StreamLimits(Struct, frozen=True):
    """What the stream may take. What it drops is in the log, and the reconciler works it off."""

    max_age_seconds: float = 3 * 86_400.0
    max_bytes: int = 256_000_000
    """About half a million announcements."""
    duplicate_window_seconds: float = 120.0
    replicas: int = 1
    """3 on a cluster."""


DEFAULT_LIMITS: Final = StreamLimits()


def configuration(limits: StreamLimits) -> StreamConfig:
    """What the stream is to be."""
    return StreamConfig(
        name=NAME,
        description="Announces the event log: ids only, rebuilt from it.",
        subjects=list(SUBJECTS),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=limits.max_age_seconds,
        max_bytes=limits.max_bytes,
        duplicate_window=limits.duplicate_window_seconds,
        num_replicas=limits.replicas,
        deny_delete=True,
        deny_purge=True,
    )


async def ensure(streams: JetStreamContext, limits: StreamLimits) -> StreamInfo:
    """Create the stream, or bring it to its configuration; what it is now."""
    wanted = configuration(limits)
    try:
        info = await streams.stream_info(NAME)
    except NotFoundError:
        log.warning("stream_created", stream=NAME, consequence="the log is announced again")
        return await _made(streams, wanted)
    differing = [
        key
        for key in (
            "subjects",
            "discard",
            "max_age",
            "max_bytes",
            "duplicate_window",
            "num_replicas",
        )
        if getattr(info.config, key) != getattr(wanted, key)
    ]
    if differing:
        log.warning("stream_configuration_repaired", stream=NAME, settings=differing)
        return await streams.update_stream(wanted)
    return info


async def rebuild(streams: JetStreamContext, limits: StreamLimits) -> StreamInfo:
    """Delete the stream with its consumers, and create it empty."""
    try:
        await streams.delete_stream(NAME)
    except NotFoundError:
        log.info("stream_was_gone", stream=NAME)
    return await _made(streams, configuration(limits))


async def _made(streams: JetStreamContext, wanted: StreamConfig) -> StreamInfo:
    try:
        return await streams.add_stream(wanted)
    except APIError as error:
        log.error(  # noqa: TRY400 - the server's word, no defect.
            "stream_refused",
            stream=NAME,
            replicas=wanted.num_replicas,
            cause=str(error.description),
            change="BP_NATS_REPLICAS, if the cluster has fewer servers",
        )
        raise


def wrong_last_sequence(error: BaseException) -> bool:
    """Whether JetStream refused a message because another stands where it should."""
    return isinstance(error, APIError) and error.err_code == 10071  # noqa: PLR2004 - server's code.
