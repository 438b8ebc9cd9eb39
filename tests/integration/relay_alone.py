"""A relay as a process of its own, to be killed: `python -m tests.integration.relay_alone`.

Reads the two URLs from its standard input, a line each.
"""

import asyncio
import sys

from infrastructure.event_log import LogReader
from infrastructure.nats import NatsConnection, Relay, Signal
from infrastructure.postgres.cursors import PostgresCursors
from infrastructure.postgres.database import Database


async def main(database_url: str, nats_url: str) -> None:
    async with (
        Database(database_url, "bp_relay", max_size=2) as database,
        NatsConnection(nats_url, name="relay", on_closed=sys.exit) as connection,
        Signal(connection, "poke") as log_grown,
    ):
        positions = PostgresCursors(database)
        relay = Relay(
            connection,
            LogReader(database),
            floor=lambda: positions.get("reconciler"),
            log_grown=log_grown,
        )
        await relay.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.stdin.readline().strip(), sys.stdin.readline().strip()))
