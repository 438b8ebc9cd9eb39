"""How long a step stands still whose worker was killed, or stopped by a deploy.

`python -m tests.bench.lost_worker [--times 10]` starts the real processes with the settings as they
are by default, has the model hold a worker's answer back, and ends that worker while another runs.
It prints one JSON line each for killing (`kill -9`) and stopping: seconds from then until another
worker has leased the step, and until its next attempt stands in the log. A killed worker's step
next runs in a process of its own, whose start is between the two.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from domain import events as e
from infrastructure.embedded import Stack
from interface.settings import Settings
from tests.faults.service import Part, Service, until

OTHERS = ("api", "relay", "projector", "sweeper")


async def once(service: Service, end: Callable[[Part], Awaitable[Any]]) -> tuple[float, float]:
    """Seconds until the step is leased again, and until its next attempt is announced."""
    [holder] = service.running("worker")
    service.model.script("spec", ["hold"])
    feature = await service.users[0].create()
    await service.until_held()
    await service.start("worker")
    began = time.monotonic()
    await end(holder)

    def leased() -> bool:
        rows = service.rows(
            "SELECT 1 FROM app.tasks WHERE feature_id = %s AND step = 'spec' AND attempt > 1"
            " AND status <> 'queued'",
            feature,
        )
        return bool(rows)

    await until(leased, "it is leased again")
    again = time.monotonic() - began
    await service.happened(feature, e.StepStarted, count=2)
    announced = time.monotonic() - began
    service.model.release()
    await service.users[0].drive(feature, {"spec_ready"})
    return again, announced


async def killed(part: Part) -> None:
    part.kill()


async def stopped(part: Part) -> None:
    part.tell()


def told(name: str, each: list[tuple[float, float]]) -> str:
    def of(values: list[float]) -> dict[str, float]:
        return {"median": round(statistics.median(values), 2), "most": round(max(values), 2)}

    again, announced = ([*one] for one in zip(*each, strict=True))
    figures = {"leased_again_s": of(again), "next_attempt_s": of(announced), "n": len(each)}
    return json.dumps({"worker": name, **figures})


async def measure(stack: Stack, folder: Path, times: int) -> None:
    default = {
        name: str(Settings.model_fields[name].default)
        for name in ("lease_seconds", "drain_seconds")
    }
    async with Service(stack, folder, **default) as service:
        await service.start(*OTHERS, "worker")
        (await service.user()).patience = 120.0
        for name, end in (("killed", killed), ("stopped", stopped)):
            print(told(name, [await once(service, end) for _ in range(times)]), flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--times", type=int, default=10)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "service").mkdir()
        with Stack(Path(folder) / "stack", durable=False) as stack:
            asyncio.run(measure(stack, Path(folder) / "service", given.times))


if __name__ == "__main__":
    main()
