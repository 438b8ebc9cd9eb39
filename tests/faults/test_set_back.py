"""The database is set back under living processes: nothing is decided on what is in no log.

What is random about it is in `chaos.set_backs`, which `pytest -m campaign` runs.
"""

import asyncio
import contextlib
import json
import re
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from tests.faults import time_machine
from tests.faults.invariants import assert_invariants
from tests.faults.service import Service, until
from tests.faults.user import Problem, User

SIGNED = {"checkpoint_seconds": "0.2"}


async def told(user: User, ready: asyncio.Event) -> int:
    """Listen to the tenant's stream, and come again as browsers do, until it says `set_back`; at
    which position it goes on then."""
    last: dict[str, str] = {}
    while True:
        with contextlib.suppress(httpx2.HTTPError):
            async with user.http.stream("GET", "/api/live", headers=last) as answer:
                event = ""
                async for line in answer.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        event = value
                    elif name == "id":
                        last = {"Last-Event-ID": value}
                        ready.set()
                        if event == "set_back":
                            return int(value)
        await asyncio.sleep(0.05)


async def status_of(user: User, feature: UUID) -> int:
    return int((await user.http.get(f"/api/features/{feature}")).status_code)


def covered(service: Service, upto: int) -> bool:
    """Whether a signed tree head covers everything up to a position."""
    return bool(service.rows("SELECT noted_position FROM app.log_tree")[0][0] >= upto)


@pytest.mark.campaign
async def test_processes_that_live_on_forget_what_is_in_no_log(
    service: Service, tmp_path: Path
) -> None:
    for part in service.running("sweeper"):
        part.kill()
    await service.start("sweeper", **SIGNED)
    await service.start("worker")
    user = await service.user()
    doomed = await user.draft()
    feature = await user.create()
    await user.drive(feature, {"spec_ready"})
    kept = time_machine.keep(service.stack, tmp_path / "kept")

    # What will be lost: a plan, a feature, and a deletion.
    lost = await user.drive(feature, {"plan_ready"})
    plan = lost["deliverables"]["plan"]["content_sha256"]
    gone = await user.draft()
    await user.command("DELETE", f"/api/features/{doomed}")
    [(end,)] = service.rows("SELECT max(position) FROM es.events")
    await until(lambda: covered(service, end), "the end is signed")
    await until(
        lambda: service.rows("SELECT FROM app.removals WHERE noted_at IS NOT NULL"), "a note"
    )
    ready = asyncio.Event()
    told_again = asyncio.create_task(told(user, ready))
    await ready.wait()
    service.set_back(kept)
    service.faults += 1

    goes_on_at = await told_again
    [(present,)] = service.rows("SELECT max(position) FROM es.events")
    assert goes_on_at <= present  # Of the log as it is now, which may have outgrown what was lost.
    with pytest.raises(Problem) as refused:
        await user.command(
            "POST", f"/api/features/{feature}/approve", {"gate": "plan", "content_sha256": plan}
        )
    assert refused.value.status == 409
    assert (await user.show(feature))["status"] == "spec_ready"
    assert await status_of(user, gone) == 404
    assert await status_of(user, doomed) == 404  # What was deleted stays deleted,
    listed = (await user.read("/api/features"))["items"]
    assert [row["id"] for row in listed] == [str(feature)]
    assert not service.rows("SELECT FROM app.data_keys WHERE scope = %s", str(doomed))

    # Every process has noticed, and what is nowhere else is named.
    for name in ("api", "relay", "projector", "worker", "sweeper"):
        await until(
            lambda name=name: any(
                '"log_set_back"' in part.said() for part in service.running(name)
            ),
            f"{name} notices",
        )
    await until(lambda: service.told("orphans"), "orphans are looked for")
    code, said = await service.command("log", "verify", "--json")
    assert code == 1
    # Missing, or others in their places: those of before that were decided on by then.
    assert re.search(r"(missing|rewritten) between positions", json.loads(said)[0]["broken"])

    # And it goes on: nobody is stuck, and what is acknowledged now is in the log.
    await user.drive(feature, {"plan_ready"})
    user.features.remove(doomed)
    await assert_invariants(service)
    code, said = await service.command("log", "certify", "--all")
    assert code == 0, said


@pytest.mark.campaign
async def test_processes_that_start_after_it_honour_what_is_kept_outside(
    service: Service, tmp_path: Path
) -> None:
    user = await service.user()
    doomed, feature = await user.draft(), await user.draft()
    kept = time_machine.keep(service.stack, tmp_path / "kept")
    await user.command("DELETE", f"/api/features/{doomed}")
    await until(
        lambda: service.rows(
            "SELECT FROM app.removals WHERE noted_at IS NOT NULL AND feature_id = %s", doomed
        ),
        "a note",
    )
    for part in service.parts:
        if part.code is None:
            part.kill()
    before = len(service.told("log_set_back"))
    service.set_back(kept)
    await service.start("api", "projector", "relay", "sweeper")
    listed: list[str] = []
    while not listed:  # Lists follow the log; what was kept may be behind it.
        listed = [row["id"] for row in (await user.read("/api/features"))["items"]]
    assert listed == [str(feature)]
    assert await status_of(user, doomed) == 404
    assert len(service.told("log_set_back")) > before
    user.features.remove(doomed)
    await user.command("PATCH", f"/api/features/{feature}", {"title": "It goes on"})
    await assert_invariants(service)
