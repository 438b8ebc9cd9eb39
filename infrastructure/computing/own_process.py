"""Runs one leased step in a process of its own, and knows how that process ended.

Secrets go to it over its standard input, which nobody else can read: never by its command line or
its environment. Invariants: whatever is started is ended before its claim is; a process that ended
before it had begun with the step says nothing about the step.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from application.execution.attempt import HAND_BACK_SECONDS
from application.execution.worker import CrashedAlone
from application.ports import Claim, Unavailable

log = structlog.get_logger(__name__)

BEGUN: Final = b"begun"
OVER: Final = b"over"
"""The step has come to its end with a word; what follows is the closing of connections."""
STOP: Final = b"stop"
"""Hand the step back: we are being stopped."""
CANCEL: Final = b"drop"
"""Let the step go: it is not ours any more."""

UNAVAILABLE: Final = os.EX_TEMPFAIL
"""The exit code of one that met an outage: it says so, and that is a word."""
START_SECONDS: Final = 120.0
"""For starting, on a machine that has much else to do."""
END_SECONDS: Final = 2 * HAND_BACK_SECONDS + 2
"""How long it may take to hand its step back, before it is killed."""

ENDINGS: Final[Mapping[int, str]] = {
    signal.SIGKILL: "the system killed it, as it does with what takes too much memory",
    signal.SIGVTALRM: "it computed without a pause and answered nothing any more",
    signal.SIGXCPU: "it computed for too long",
    signal.SIGSEGV: "it crashed",
    signal.SIGABRT: "it crashed",
}


class OwnProcess:
    """Starts a process for each claim; one instance serves any number at once."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        order: Callable[[Claim], bytes],
        seconds: Callable[[Claim], float],
    ) -> None:
        """Describe the process.

        Args:
            command: What is started.
            environment: All of its environment; no secret belongs in it.
            order: What it is told first, in one line without a line break.
            seconds: How long it may work on a claim, at most.
        """
        self._command = command
        self._environment = environment
        self._order = order
        self._seconds = seconds
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for processes whose step is over, and that are still closing what they opened."""
        await asyncio.gather(*self._closing)

    async def run(
        self, claim: Claim, on_progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        """Carry out a claim to its end.

        Raises:
            CrashedAlone: the process ended without a word, or had to be ended.
            Unavailable: it could not be started, or met an outage.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                env=dict(self._environment),
                start_new_session=True,  # Ctrl-C is for us, who tell it.
            )
        except OSError as error:
            raise Unavailable("a process of its own", error.strerror or "") from None
        try:
            await self._follow(process, claim, on_progress)
        except asyncio.CancelledError:
            await asyncio.shield(self._end(process, STOP if stopping() else CANCEL))
            raise
        except (CrashedAlone, Unavailable):
            await asyncio.shield(self._end(process))
            raise
        closing = asyncio.create_task(self._end(process))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _end(self, process: Process, word: bytes = b"") -> None:
        """See to it that the process ends: by itself, if there is time for its last words."""
        if word:
            await _tell(process, word)
            _close(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        if process.returncode is None:
            _kill(process)
            await process.wait()
        _close(process)

    async def _follow(
        self, process: Process, claim: Claim, on_progress: Callable[[], None]
    ) -> None:
        begun = False
        try:
            async with asyncio.timeout(START_SECONDS) as limit:
                await _tell(process, self._order(claim))
                assert process.stdout is not None  # noqa: S101 - it was asked for.
                async for line in process.stdout:
                    if line.strip() == OVER:
                        return
                    if line.strip() == BEGUN:
                        begun = True
                        now = asyncio.get_running_loop().time()
                        limit.reschedule(now + self._seconds(claim))
                    on_progress()
                code = await process.wait()
        except TimeoutError:
            _kill(process)
            if not begun:
                raise Unavailable("a process of its own", "It did not start in time.") from None
            raise CrashedAlone("it did not come to an end in time") from None
        if code == UNAVAILABLE:
            raise Unavailable("what the step needs")
        if not begun:
            log.error("process_did_not_start", code=code, step=claim.step)
            raise Unavailable("a process of its own", f"It ended with code {code}.")
        raise CrashedAlone(ENDINGS.get(-code, f"it ended with code {code}"))


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _close(process: Process) -> None:
    """There is nothing more to say."""
    if process.stdin is not None:
        process.stdin.close()


async def _tell(process: Process, word: bytes) -> None:
    """Send it a line; one that is gone receives nothing."""
    assert process.stdin is not None  # noqa: S101 - it was asked for.
    with contextlib.suppress(ConnectionError, RuntimeError):  # uvloop's word for a closed pipe.
        process.stdin.write(word + b"\n")
        await process.stdin.drain()
