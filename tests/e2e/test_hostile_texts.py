"""What one person writes holds up nobody, not for a tenth of a second, and not after a restart.

`up` runs everything in one process, the demo model beside it: whatever reads a text badly would
hold the loop that answers everybody. The loop's own measure says so, whatever else this machine
does meanwhile.
"""

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from infrastructure.observability.loop_lag import BOUND_SECONDS
from tests.e2e.service import up
from tests.faults.lag import complaints
from tests.faults.user import User
from tests.growth.shapes import SHAPES

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

LONGEST_BRIEF, LONGEST_MESSAGE = 40_000, 20_000
HARSH = ("units '- a\\n'", "units 'We need to:\\n'")
PATIENCE_SECONDS = 240.0
"""For a step on a machine that has other things to do."""


def s1(length: int) -> str:
    """The brief that hung the whole service, and again after each restart."""
    return "# a" + " " * (length - 4) + "x"


async def somebody(url: str) -> User:
    user = User(url)
    user.patience = PATIENCE_SECONDS
    await user.sign_up(f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(16))
    return user


async def talk(user: User, text: str) -> list[str]:
    """What comes back of a message, by the names of its events."""
    feature = await user.draft()
    return [name async for name, _ in user.say(feature, text)]


async def drive(user: User, brief: str) -> Any:
    return await user.drive(await user.create(brief), {"spec_ready", "failed"})


def lagged(data: Path) -> list[Any]:
    """The loop's own complaints."""
    return list(complaints(data.with_name(f"{data.name}.log").read_text()))


async def attack(url: str) -> None:
    """One person writes what takes readers long; another one gets their work done meanwhile."""
    ann, ben = await somebody(url), await somebody(url)
    texts = [s1(LONGEST_BRIEF), *(SHAPES[name](39_000) for name in HARSH)]
    hostile = [asyncio.create_task(drive(ann, text)) for text in texts]
    hostile.append(asyncio.create_task(talk(ann, s1(LONGEST_MESSAGE))))
    done = 0
    while not all(task.done() for task in hostile) or not done:
        assert (await drive(ben, "- BF-1 A person can lend a tool."))["status"] == "spec_ready"
        done += 1
    *shown, answer = (task.result() for task in hostile)
    assert {one["status"] for one in shown} == {"spec_ready"}
    assert "done" in answer
    await ann.close()
    await ben.close()


async def leave_behind(url: str) -> None:
    """Somebody sends it, and the service is stopped at that moment."""
    ann = await somebody(url)
    await ann.create(s1(LONGEST_BRIEF))
    await ann.close()


@pytest.mark.campaign
def test_hostile_texts_hold_up_nobody_also_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for _ in range(2):
        with up(data, BP_LOG_FORMAT="json", BP_RETRY_SECONDS="0.1,0.1,0.1") as url:
            asyncio.run(attack(url))
            asyncio.run(leave_behind(url))
        assert lagged(data) == [], f"the loop was held for more than {BOUND_SECONDS} s"
    assert re.search(r"\S", data.with_name("data.log").read_text()), "nothing was logged at all"
