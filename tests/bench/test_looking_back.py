"""How going back, looking back, comparing and forking depend on the length of a history.

`python -m tests.bench.test_looking_back`, or `pytest -m bench -s`. Half of each history is messages
and replies, and every reply is a checkpoint. `cold` is a process that has not seen the feature.
"""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.features import Features
from application.ports import Metadata
from domain import commands as c
from domain import events as e
from domain.runs import Attempt, Run
from domain.status import Step
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from interface.http.features.fork import difference
from interface.http.pasts import Pasts
from interface.http.responses.as_of import AsOf, load_snapshot
from tests.given import done
from tests.integration.reading import USER, World, world

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

LENGTHS = (40, 400, 4_000)
ROUNDS = 20


class Files:
    """Every file is one line: what is measured is the history."""

    async def get(self, _key: str) -> bytes:
        return b"console.log(1)\n"


async def a_life(there: World, length: int) -> tuple[UUID, int]:
    """A finished feature with so many events; and the version where its specification waits."""
    first, *rest = done().events
    said: list[e.FeatureEvent] = []
    while len(said) + len(rest) + 1 < length:
        attempt = Attempt(Step.CONVERSE, 0, len(said))
        said.append(e.MessagePosted(uuid7(), "And it should print a list of all tools."))
        said.append(e.AgentReplied(attempt, uuid7(), "Who may print it?", Run()))
    feature_id = uuid7()
    events = [first, *said, *rest]
    await there.log.append(
        feature_id,
        [(uuid7(), event) for event in events],
        expected=0,
        origin=Metadata(there.tenant, USER, uuid7()),
    )
    await there.catch_up()
    spec = next(n for n, x in enumerate(events, 1) if isinstance(x, e.SpecGenerated))
    return feature_id, spec


async def timed(act: Callable[[], Awaitable[Any]], rounds: int = ROUNDS) -> float:
    """Milliseconds, the median."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await act()
        taken.append(1_000 * (time.perf_counter() - began))
    return statistics.median(taken)


async def test_time_against_length_of_history(database: str):
    columns = (
        "events",
        "replay",
        "replay cold",
        "as of, first",
        "diff, first",
        "diff again",
        "fork",
    )
    print("\n" + " ".join(f"{name:>12}" for name in columns))
    async with world(database) as there:

        def fresh() -> Features:
            live = NatsLive(None, Signal(None, "poke"))
            return Features(there.log, PostgresReceipts(there.reading), live, uuid7)

        warm = fresh()
        services: Any = SimpleNamespace(
            features=warm, reads=there.reads, log=there.log, artifacts=Files(), pasts=Pasts()
        )
        whose = {"tenant_id": there.tenant, "actor": USER, "correlation_id": uuid7()}
        for length in LENGTHS:
            feature_id, spec = await a_life(there, length)
            end = (await warm.load(there.tenant, feature_id)).version

            async def replay(features: Features, at: int = spec, of: UUID = feature_id) -> None:
                await features.do(of, c.ReplayFeature(at), **whose)

            async def back(at: int = spec, of: UUID = feature_id) -> None:
                services.pasts.forget(of)
                await load_snapshot(services, there.tenant, of, AsOf(at))

            async def diff(at: int = spec, upto: int = end, of: UUID = feature_id) -> None:
                begin = await load_snapshot(services, there.tenant, of, AsOf(at))
                finish = await load_snapshot(services, there.tenant, of, AsOf(upto))
                found = await difference(services, there.tenant, begin, finish)
                assert found.deliverables

            async def first(of: UUID = feature_id) -> None:
                services.pasts.forget(of)
                await diff()

            async def fork(at: int = spec, of: UUID = feature_id) -> None:
                await warm.fork(of, uuid7(), c.ForkFeature(at), **whose)

            figures = [
                await timed(lambda: replay(warm)),
                await timed(lambda: replay(fresh())),
                await timed(back),
                await timed(first),
                await timed(diff),
                await timed(fork, 5),
            ]
            print(f"{length:>12}" + "".join(f" {figure:>9.1f} ms" for figure in figures))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-m", "bench", "-s", "-q", "--assert=plain"]))
