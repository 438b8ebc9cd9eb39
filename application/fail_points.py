"""Places where a test has a worker killed, to show what the log says of it afterwards.

Invariant: nothing happens anywhere unless the operator names a place, and none is named by default.
"""

import os
import signal
from typing import Final

PLACES: Final = ("before_request", "after_answer")
"""A request stands in the ledger and has not left; an answer is stored and no result recorded."""


class FailPoint:
    """The one place, if any, where this process ends as if its machine had."""

    def __init__(self, armed: str) -> None:
        """Arm one of `PLACES`, at one step as `PLACE@STEP` or at any; empty is nowhere."""
        self._place, _, self._step = armed.partition("@")

    def reached(self, place: str, step: str) -> None:
        """Kill this process if it is armed for this place and step."""
        if place == self._place and self._step in {"", step}:
            os.kill(os.getpid(), signal.SIGKILL)


NOWHERE: Final = FailPoint("")
