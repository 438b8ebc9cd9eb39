"""A step in a process of its own: how it is told, watched and ended, with programs that play it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest
import uvloop
from uuid_utils.compat import uuid7

from application.execution.worker import CrashedAlone
from application.ports import Claim, Unavailable
from domain.status import Step
from infrastructure.computing.own_process import OwnProcess, _tell

SECRET = "sk-ant-canary"  # noqa: S105 - what must not be seen.
CLAIM = Claim(uuid7(), uuid7(), uuid7(), Step.SPEC, uuid7(), 1, uuid7(), 1, 1, alone=True)
BEGIN = "import os, sys\norder = sys.stdin.readline()\nprint('begun', flush=True)\n"


def own(program: str, seconds: float = 3_600.0) -> OwnProcess:
    return OwnProcess(
        (sys.executable, "-c", program),
        {"PATH": os.defpath},
        lambda _: SECRET.encode(),
        lambda _: seconds,
    )


def ours() -> list[psutil.Process]:
    """The processes that play a step; servers of other tests are not among them."""
    return [one for one in psutil.Process().children() if BEGIN in " ".join(one.cmdline())]


async def run(program: str, seconds: float = 3_600.0) -> int:
    """How many signs of life there were, once it has come to its end."""
    signs: list[None] = []
    process = own(program, seconds)
    await process.run(CLAIM, lambda: signs.append(None), lambda: False)
    await process.close()
    return len(signs)


async def test_one_that_ends_with_a_word_has_done_its_step() -> None:
    assert await run(BEGIN + "print('.', flush=True); print('over', flush=True)") == 2


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os.kill(os.getpid(), 9)", "too much memory"),
        ("os.kill(os.getpid(), 26)", "without a pause"),
        ("os.abort()", "crashed"),
        ("sys.exit(1)", "code 1"),
        ("sys.exit(0)", "code 0"),
    ],
)
async def test_one_that_ends_without_a_word_crashed(end: str, how: str) -> None:
    assert signal.SIGVTALRM == 26
    with pytest.raises(CrashedAlone, match=how):
        await run(BEGIN + end)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit(1)", "sys.exit(0)"])
async def test_one_that_never_began_says_nothing_about_the_step(end: str) -> None:
    with pytest.raises(Unavailable):
        await run("import os, sys\n" + end)


async def test_one_that_cannot_be_started_says_nothing_about_the_step() -> None:
    nothing = OwnProcess(("/nonexistent",), {}, lambda _: b"", lambda _: 1.0)
    with pytest.raises(Unavailable):
        await nothing.run(CLAIM, lambda: None, lambda: False)


async def test_one_that_meets_an_outage_says_so() -> None:
    with pytest.raises(Unavailable):
        await run(BEGIN + f"sys.exit({os.EX_TEMPFAIL})")


async def test_one_that_does_not_end_in_time_is_ended() -> None:
    with pytest.raises(CrashedAlone, match="in time"):
        await run(BEGIN + "sys.stdin.read()", seconds=0.05)


async def test_a_secret_is_told_where_nobody_else_can_read_it(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = BEGIN + (
        f"open({str(seen)!r}, 'w').write(order)\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    )
    task = asyncio.create_task(own(program).run(CLAIM, lambda: None, lambda: False))
    while not seen.exists() or not seen.read_text():
        await asyncio.sleep(0.01)
    [process] = ours()
    said = " ".join(process.cmdline()) + str(process.environ())
    assert seen.read_text().strip() == SECRET
    assert SECRET not in said
    assert not [name for name in process.environ() if name.startswith("BP_")]
    task.cancel()
    await asyncio.wait({task})
    assert not process.is_running()


@pytest.mark.parametrize(("stopping", "word"), [(True, "stop"), (False, "drop")])
async def test_one_whose_worker_lets_go_is_told_why_and_gone_when_that_is_over(
    tmp_path: Path, *, stopping: bool, word: str
) -> None:
    heard = tmp_path / "heard"
    program = BEGIN + f"open({str(heard)!r}, 'w').write(sys.stdin.readline())"
    begun = asyncio.Event()
    task = asyncio.create_task(own(program).run(CLAIM, begun.set, lambda: stopping))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard.read_text().strip() == word
    assert ours() == []


def test_one_that_is_gone_is_told_nothing_by_the_loop_of_the_service_too() -> None:
    async def too_late() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdin=PIPE)
        await process.wait()
        await _tell(process, b"stop")

    uvloop.run(too_late())
