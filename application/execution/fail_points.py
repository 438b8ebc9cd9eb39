"""Places where a test has a worker killed or stopped, to show what the log says of it afterwards.

Invariant: nothing happens anywhere unless the operator names a place, and none is named by default.
"""

import os
import signal
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Final


def _be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _spin() -> None:
    """Compute for ever without letting go of the interpreter, as a pattern that backtracks does."""
    _ = 0 in repeat(1)


PLACES: Final[Mapping[str, Callable[[], None]]] = {
    "at_work": _spin,
    "before_announcement": _sleep,
    "before_request": _be_killed,
    "after_answer": _be_killed,
}
"""An agent works on an attempt that is announced, and hangs the process; a request is about to be
written down, and the process sleeps until it is woken; a request stands in the ledger and has not
left; an answer is stored and no result recorded."""


class FailPoint:
    """The one place, if any, where this process ends or sleeps as if its machine had."""

    def __init__(self, armed: str) -> None:
        """Arm one of `PLACES`, at one step as `PLACE@STEP` or at any; empty is nowhere."""
        self._place, _, self._step = armed.partition("@")

    def reached(self, place: str, step: str) -> None:
        """Do to this process what belongs to the place, if it is armed for it and the step."""
        if place == self._place and self._step in {"", step}:
            PLACES[place]()


NOWHERE: Final = FailPoint("")
