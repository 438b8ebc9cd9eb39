"""Where a fork comes from: read from its first fact, and from nothing else."""

from uuid import UUID

from msgspec import Struct

from domain import events as e


class ForkedFrom(Struct, frozen=True):
    """A checkpoint of another feature."""

    id: UUID
    version: int


def origin_of(event: e.FeatureEvent) -> ForkedFrom | None:
    """The checkpoint that a fork began from; None for a feature that was begun from nothing."""
    if isinstance(event, e.FeatureForked):
        return ForkedFrom(event.parent, event.parent_version)
    return None
