"""How far the log is announced, as anybody may ask."""

import nats.errors
from nats.js.errors import NotFoundError

from infrastructure.nats.connection import NatsConnection
from infrastructure.nats.stream import NAME


async def announced_upto(connection: NatsConnection) -> int | None:
    """The position of the last announced event; 0 if there is none, None if NATS is away."""
    try:
        last = await connection.streams.get_last_msg(NAME, ">")
    except NotFoundError:
        return 0
    except (nats.errors.Error, TimeoutError):
        return None
    return int((last.headers or {}).get("Bp-Seq", 0))
