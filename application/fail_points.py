"""Places where a test has a worker killed or stopped, to show what the log says of it afterwards.

Invariant: nothing happens anywhere unless the operator names a place, and none is named by default.
"""

import os
import signal
from collections.abc import Mapping
from typing import Final

PLACES: Final[Mapping[str, signal.Signals]] = {
    "before_announcement": signal.SIGSTOP,
    "before_request": signal.SIGKILL,
    "after_answer": signal.SIGKILL,
}
"""A request is about to be written down, and the process sleeps until it is woken; a request stands
in the ledger and has not left; an answer is stored and no result recorded."""


class FailPoint:
    """The one place, if any, where this process ends or sleeps as if its machine had."""

    def __init__(self, armed: str) -> None:
        """Arm one of `PLACES`, at one step as `PLACE@STEP` or at any; empty is nowhere."""
        self._place, _, self._step = armed.partition("@")

    def reached(self, place: str, step: str) -> None:
        """Do to this process what belongs to the place, if it is armed for it and the step."""
        if place == self._place and self._step in {"", step}:
            os.kill(os.getpid(), PLACES[place])


NOWHERE: Final = FailPoint("")
