"""A loop that ends by a defect begins again, and the process lives on."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from application.ports import Unavailable
from application.running.outage import Outage
from infrastructure.sealing import WrongMasterKey
from interface import lasting
from interface.lasting import Running, keep_running, once_there


async def test_a_loop_that_crashes_begins_again_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lasting, "PAUSE_SECONDS", (0.001, 0.002))
    began, stop = 0, asyncio.Event()

    async def run(stop: asyncio.Event) -> None:
        nonlocal began
        began += 1
        if began < 4:
            raise ZeroDivisionError
        await stop.wait()

    with capture_logs() as lines:
        keeping = asyncio.create_task(keep_running(Running("sweeper", run), stop))
        while began < 4:
            await asyncio.sleep(0.001)
        stop.set()
        await keeping
    assert [(line["event"], line["loop"]) for line in lines] == [("loop_ended", "sweeper")]


async def test_a_loop_that_ends_by_itself_is_not_begun_again() -> None:
    began = 0

    async def run(_: asyncio.Event) -> None:
        nonlocal began
        began += 1

    await keep_running(Running("x", run), asyncio.Event())
    assert began == 1


async def test_a_start_waits_for_a_server_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "PAUSE_SECONDS", (0.001, 0.002))
    asked = 0

    async def work() -> str:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise Unavailable("database")
        return "there"

    with capture_logs() as lines:
        assert await once_there(work, asyncio.Event()) == "there"
    assert [line["event"] for line in lines] == ["start_waits", "start_waits_over"]
    stop = asyncio.Event()
    stop.set()
    asked = 0
    with pytest.raises(Unavailable):
        await once_there(work, stop)


def test_an_outage_is_told_when_it_begins_now_and_then_and_when_it_ends() -> None:
    class Log:
        def __init__(self) -> None:
            self.lines: list[tuple[str, str]] = []

        def __getattr__(self, level: str) -> object:
            return lambda event, **_: self.lines.append((level, event))

    log, now = Log(), 0.0
    outage = Outage(log, "waits", again_seconds=60, monotonic=lambda: now)
    outage.over()
    for _ in range(100):
        outage.on(Unavailable("database"))
        now += 1.0
    outage.on(ZeroDivisionError())
    outage.over()
    outage.over()
    assert log.lines == [
        ("warning", "waits"),
        ("warning", "waits"),
        ("error", "waits"),
        ("info", "waits_over"),
    ]


def test_what_an_operator_has_to_put_right_is_said_without_a_trace() -> None:
    with capture_logs() as logged:
        Outage(structlog.get_logger("loop"), "loop_waits").on(WrongMasterKey("one", ("another",)))
    [line] = logged
    assert (line["log_level"], "exc_info" in line) == ("error", False)
    assert "sealed under master key one" in line["reason"]
