"""A process whose loop stands still ends, by its own time and not by the clock."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, itertools, os, signal, sys, time
from interface.watchdog import watched
async def main():
    async with watched(1.0):
        await asyncio.sleep(0)
        print("watched", flush=True)
        {stand}
        await asyncio.sleep(0)
asyncio.run(main())
"""


def started(stand: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this very interpreter.
        [sys.executable, "-c", PROGRAM.format(stand=stand)],
        env={"PYTHONPATH": str(PROJECT), "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("stand", "code"),
    [
        ("0 in itertools.repeat(1)", -signal.SIGVTALRM),  # Never lets go of the interpreter.
        ("time.sleep(3600)", 70),
    ],
)
def test_a_loop_that_stands_still_ends_its_process_and_says_where_it_stood(
    stand: str, code: int
) -> None:
    with started(stand) as process:
        _, said = process.communicate()
    assert process.returncode == code
    assert "in main" in said


def test_a_loop_that_comes_round_ends_by_itself() -> None:
    with started("await asyncio.sleep(1.2)") as process:
        _, said = process.communicate()
    assert (process.returncode, said) == (0, "")


def test_a_process_that_was_put_to_sleep_is_not_ended_for_that() -> None:
    with started("[await asyncio.sleep(0.05) for _ in range(10)]") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        time.sleep(1.5)  # Longer than its loop may stand still.
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate()
    assert (process.returncode, said) == (0, "")
