"""A stream in stretches, so that reading a long one takes no thread and no memory for long.

Invariant: together they are the stream, in order and without a gap; each goes on from the very
event that the one before ended with.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from application.ports import EventLog
from domain.recorded import Recorded

AT_ONCE: Final = 500
"""Events of one read: about 15 ms of a thread, most of it for opening what is sealed."""


async def stretches(
    log: EventLog,
    tenant_id: UUID,
    feature_id: UUID,
    *,
    after: int = 0,
    upto: int | None = None,
    head: bytes | None = None,
) -> AsyncIterator[Sequence[Recorded]]:
    """Events with versions in (after, upto]. Raises as `EventLog.read` does.

    `head` is the hash of the event at version `after`, for whoever remembers it.
    """
    while upto is None or after < upto:
        end = after + AT_ONCE if upto is None else min(upto, after + AT_ONCE)
        found = await log.read(tenant_id, feature_id, after=after, upto=end, head=head)
        if found:
            yield found
            head = found[-1].hash
        if len(found) < end - after:
            return
        after = end
