"""Features under random faults, one seed deciding all of them.

`python -m tests.faults.chaos [--seed N] [--features N] [--faults N]` runs a campaign as long as
wanted; the suite runs a small one.
"""

import argparse
import asyncio
import contextlib
import random
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from domain import events as e
from domain.runs import OURS
from infrastructure.embedded import Stack
from tests.faults import time_machine
from tests.faults.briefs import BRIEF
from tests.faults.callers import Callers
from tests.faults.invariants import assert_invariants
from tests.faults.lag import longest_held
from tests.faults.service import EVERYTHING, Part, Service, until
from tests.faults.spoiling import rot, write_later
from tests.faults.user import Problem
from tests.growth.shapes import HARSH, SHAPES

PAUSE_SECONDS = (0.1, 0.8)
ASLEEP_SECONDS = 2.5
"""Longer than a lease."""
PATIENCE_SECONDS = 60.0
READY = "Application startup complete."
FAULT_SECONDS = 60.0
"""What a fault may take: a deploy starts five processes, one after the other."""

Fault = Callable[[Service, random.Random], Coroutine[Any, Any, None]]

AT_ONCE = 8
"""What a worker's orderly end or a fault of the database may cost at most: every request that the
one tenant can have under way (BP_TENANT_STEPS_AT_ONCE). The tests of single faults count."""
LONGEST_BRIEF = 39_000
MOST_HELD_SECONDS = 0.25
"""Twice the bound for what one text may do, for two may come between two looks."""
SPOILT: set[str] = set()
"""Features that no log certifies any more: one database serves all campaigns of a process."""
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


async def replace_api(service: Service, _: random.Random) -> None:
    """Start an API beside another one, which is stopped when both answer."""
    [old] = service.running("api")
    await service.ready(old)
    new = service.launch("api")
    await until(lambda: '"listener_shared"' in old.said(), "it is given the listener")
    await until(lambda: READY in new.said(), "both answer", PATIENCE_SECONDS)
    assert await old.stop() == 0, (old.code, old.said()[-3000:])


async def deploy(service: Service, dice: random.Random) -> None:
    """Replace every process by another one, one after the other, as a new version is deployed."""
    await drain(service, dice)
    await replace_api(service, dice)
    for name in ("relay", "projector", "sweeper"):
        [old] = service.running(name)
        await service.start(name)
        assert await old.stop() == 0, (old.code, old.said()[-3000:])


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


FAULTS: list[Fault] = [kill, kill, kill, kill, drain, replace_api, sleep, wipe, crash]
DEPLOYS: list[Fault] = [deploy]
"""What operators do on purpose: it may cost no attempt, and nobody an answer."""


async def deploys(service: Service, *, seed: int, features: int, times: int) -> None:
    """Features from brief to code, while new versions are deployed one after the other.

    None of them fails, no step uses up an attempt, and nobody who asks is refused or cut off.
    """
    await service.start("worker")
    service.model.script("*", ["slow:0.02"] * 1_000)  # So that every deploy meets work under way.
    watcher = await service.user()
    callers = Callers(service.url, dict(watcher.http.headers))
    async with callers.asking():
        await campaign(service, seed=seed, features=features, faults=times, kinds=DEPLOYS)
    assert set(callers.came_to) == {"200"}, callers.came_to
    handed_back = 0
    for feature_id in service.features():
        events = [recorded.event for recorded in await service.events(feature_id)]
        assert not [x for x in events if isinstance(x, e.FeatureFailed | e.StepAbandoned)]
        codes = [x.code for x in events if isinstance(x, e.AttemptFailed)]
        assert set(codes) <= OURS
        handed_back += len(codes)
    print(f"chaos: {handed_back} steps were handed back, {callers.came_to}")  # noqa: T201


async def campaign(
    service: Service,
    *,
    seed: int,
    features: int,
    faults: int,
    kinds: Sequence[Fault] = FAULTS,
) -> None:
    """Features from brief to code while processes and servers die; then the invariants."""
    print(f"chaos: seed {seed}, {features} features, {faults} faults")  # noqa: T201 - to repeat it.
    dice = random.Random(seed)  # noqa: S311 - a schedule, no secret.
    service.faults = 0
    await service.start("worker")
    # Before anything dies: what must hurt nobody all the while.
    stranger = await service.user()
    stranger.patience = PATIENCE_SECONDS * 4  # The model may be slow, so that deploys meet work.
    SPOILT.update({await write_later(service, stranger), await rot(service, stranger)})
    user = await service.user()
    user.patience = PATIENCE_SECONDS + faults * FAULT_SECONDS

    async def one() -> None:
        feature = await user.create()
        shown = await user.drive(feature, {"done", "failed"})
        while shown["status"] != "done":
            # Workers that die too often fail a step: a person retries.
            await user.retry(feature)
            shown = await user.drive(feature, {"done", "failed"})

    driving = [asyncio.create_task(one()) for _ in range(features)]
    driving.append(asyncio.create_task(hostile(service, dice, rounds=max(1, features // 5))))
    for _ in range(faults):
        await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))
        fault = dice.choice(kinds)
        print(f"chaos: {fault.__name__}")  # noqa: T201
        await fault(service, dice)
    service.model.forget()  # If it was slow, that was for the faults.
    await asyncio.gather(*driving)
    held, whose = longest_held(service.parts)
    print(f"chaos: hostile texts held a loop for {held:.3f} s at most ({whose})")  # noqa: T201
    assert held <= MOST_HELD_SECONDS
    await assert_invariants(service)
    _, said = await service.command("log", "certify", "--all")
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    wrong = [line for line in errors if not any(name in line for name in SPOILT)]
    assert wrong == [], (wrong, said[-3000:])


async def hostile(service: Service, dice: random.Random, *, rounds: int) -> None:
    """Somebody writes what readers take long over, while everybody else works and things die."""
    user = await service.user()
    user.patience = PATIENCE_SECONDS * 4
    for _ in range(rounds):
        # With a wish before it, for a brief without any is refused at once.
        brief = f"- Lend tools.\n\n{SHAPES[dice.choice(HARSH)](LONGEST_BRIEF)}"
        await user.drive(await user.create(brief), {"spec_ready", "failed"})


class Turns:
    """Lets people's commands pass, or none of them."""

    def __init__(self) -> None:
        self._under_way = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def command(self) -> AsyncIterator[None]:
        """Give a command, unless the world stands still."""
        async with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            async with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def nobody(self) -> AsyncIterator[None]:
        """Wait for every command that is under way, and let nobody begin another."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way == 0)
            yield


async def set_backs(
    service: Service, folder: Path, *, seed: int, features: int, times: int
) -> None:
    """Features from brief to code while the database is set back and processes die.

    An acknowledged command that was given after the last set-back is in the log; what was lost with
    one is given anew, and every feature gets done.
    """
    print(f"chaos: seed {seed}, {features} features, {times} set-backs")  # noqa: T201 - as above.
    dice = random.Random(seed)  # noqa: S311 - a schedule, no secret.
    turns, user = Turns(), await service.user()
    user.patience = PATIENCE_SECONDS + times * 20
    user.turn = turns.command
    quiet = time_machine.keep(service.stack, folder / "first")

    async def finish(feature: UUID) -> None:
        while True:
            match (await user.drive(feature, {"done", "failed", "drafting"}))["status"]:
                case "drafting":  # The brief was lost: it is said again.
                    brief = {"brief": BRIEF}
                    await user.command("POST", f"/api/features/{feature}/brief", brief)
                case "failed":
                    await user.retry(feature)
                case _:
                    return

    async def one() -> None:
        feature = await user.draft()
        while True:
            try:
                await finish(feature)
            except Problem as problem:
                # It went with the log; or what was to be decided there is not there any more.
                assert problem.status in {404, 409, 412}, problem  # noqa: PT017 - all others are faults.
                if problem.status == 404:
                    feature = await user.draft()
            else:
                return

    driving = [asyncio.create_task(one()) for _ in range(features)]
    for number in range(times):
        await asyncio.sleep(dice.uniform(0.5, 3.0))
        if dice.random() < 0.5:  # To the copy before, or to one of just now.
            quiet = time_machine.keep(service.stack, folder / str(number))
            await asyncio.sleep(dice.uniform(0.5, 3.0))
        if dice.random() < 0.5:
            await kill(service, dice)
            await service.ready(service.parts[-1])  # A start needs the database,
            await user.read("/health")  # which an API that only listens is still asking.
        async with turns.nobody():
            service.set_back(quiet)
            service.faults += AT_ONCE
        print("chaos: set back")  # noqa: T201
    await asyncio.gather(*driving)
    # A feature that was given up for a moment may have come along after all.
    user.features = [UUID(row["id"]) for row in (await user.read("/api/features"))["items"]]
    for feature in user.features:
        await finish(feature)
    await assert_invariants(service)
    assert service.told("log_set_back"), "nobody noticed"
    code, said = await service.command("log", "certify", "--all")
    assert code == 0, said


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
