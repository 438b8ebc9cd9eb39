"""Features under random faults, one seed deciding all of them.

`python -m tests.faults.chaos [--seed N] [--features N] [--faults N]` runs a campaign as long as
wanted; the suite runs a small one.
"""

import argparse
import asyncio
import random
import secrets
import socket
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from infrastructure.embedded import Stack
from tests.faults.invariants import assert_invariants
from tests.faults.service import EVERYTHING, Part, Service
from tests.faults.spoiling import rot, write_later

PAUSE_SECONDS = (0.1, 0.8)
ASLEEP_SECONDS = 2.5
"""Longer than a lease."""
PATIENCE_SECONDS = 60.0

Fault = Callable[[Service, random.Random], Coroutine[Any, Any, None]]

AT_ONCE = 8
"""What a worker's orderly end or a fault of the database may cost at most: every request that the
one tenant can have under way (BP_TENANT_STEPS_AT_ONCE). The tests of single faults count."""
LOOKS = 5
LOOK_SECONDS = 0.1


async def under_way(service: Service, worker: Part) -> int:
    """How many requests a worker that does nothing any more has in the ledger without an answer.

    Nothing else of it can be paid twice: what is announced later is refused. Looked at for a while,
    for its last transactions may still be on their way, and before its leases run out.
    """
    most = 0
    for _ in range(LOOKS):
        [(count,)] = service.rows(
            "SELECT count(*) FROM app.model_calls c JOIN app.tasks t USING (task_id)"
            " WHERE c.settled_at IS NULL AND t.status = 'running' AND t.lease_owner = %s",
            f"{socket.gethostname()}-{worker.pid}",
        )
        most = max(most, count)
        await asyncio.sleep(LOOK_SECONDS)
    return most


async def kill(service: Service, dice: random.Random) -> None:
    """End any process, and start another in its place."""
    part = dice.choice([p for p in service.parts if p.code is None])
    part.kill()
    service.faults += await under_way(service, part) if part.name == "worker" else 1
    service.launch(part.name)


async def drain(service: Service, dice: random.Random) -> None:
    """Tell a worker to stop, as a deployment does, and start another."""
    part = dice.choice(service.running("worker"))
    await service.ready(part)
    service.faults += AT_ONCE
    service.launch("worker")
    assert await part.stop() == 0, (part.code, part.said()[-3000:])


async def sleep(service: Service, dice: random.Random) -> None:
    """Let a worker sleep past its lease."""
    part = dice.choice(service.running("worker"))
    part.pause()
    service.faults += await under_way(service, part)
    await asyncio.sleep(ASLEEP_SECONDS)
    part.resume()


async def wipe(service: Service, _: random.Random) -> None:
    """Take NATS away with all it holds, and bring it back empty."""
    service.stack.restart_nats(wipe=True)


async def crash(service: Service, _: random.Random) -> None:
    """Kill PostgreSQL, and start it again."""
    service.faults += AT_ONCE
    service.stack.kill_postgres()
    service.stack.restart_postgres()


FAULTS: list[Fault] = [kill, kill, kill, kill, drain, sleep, wipe, crash]


async def campaign(service: Service, *, seed: int, features: int, faults: int) -> None:
    """Features from brief to code while processes and servers die; then the invariants."""
    print(f"chaos: seed {seed}, {features} features, {faults} faults")  # noqa: T201 - to repeat it.
    dice = random.Random(seed)  # noqa: S311 - a schedule, no secret.
    service.faults = 0
    await service.start("worker")
    # Before anything dies: what must hurt nobody all the while.
    stranger = await service.user()
    stranger.patience = PATIENCE_SECONDS
    spoilt = {await write_later(service, stranger), await rot(service, stranger)}
    user = await service.user()
    user.patience = PATIENCE_SECONDS + faults * 2

    async def one() -> None:
        feature = await user.create()
        shown = await user.drive(feature, {"done", "failed"})
        while shown["status"] != "done":
            # Workers that die too often fail a step: a person retries.
            await user.retry(feature)
            shown = await user.drive(feature, {"done", "failed"})

    driving = [asyncio.create_task(one()) for _ in range(features)]
    for _ in range(faults):
        await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))
        fault = dice.choice(FAULTS)
        print(f"chaos: {fault.__name__}")  # noqa: T201
        await fault(service, dice)
    await asyncio.gather(*driving)
    await assert_invariants(service)
    _, said = await service.command("log", "certify", "--all")
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    assert [line for line in errors if not any(name in line for name in spoilt)] == []


async def _alone(seed: int, features: int, faults: int, stack: Stack, folder: Path) -> None:
    async with Service(stack, folder) as service:
        await service.start(*EVERYTHING)
        await campaign(service, seed=seed, features=features, faults=faults)


def main() -> None:
    """A campaign from the command line."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    asked.add_argument("--features", type=int, default=50)
    asked.add_argument("--faults", type=int, default=100)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "service").mkdir()
        with Stack(Path(folder) / "stack", durable=False) as stack:
            asyncio.run(
                _alone(given.seed, given.features, given.faults, stack, Path(folder) / "service")
            )
    print("chaos: every invariant holds")  # noqa: T201


if __name__ == "__main__":
    main()
