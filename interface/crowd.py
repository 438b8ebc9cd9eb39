"""The connections that are open: so many in all, and a fair share of them for each address.

Invariant: a connection that was let in is counted until it is lost, and only then.
"""

from collections.abc import Callable
from typing import Final

import structlog

from interface.addresses import network_of
from interface.limits import LARGEST_CONNECTIONS, REFUSED_AT_ONCE
from interface.refused import TOO_MANY, TOO_MANY_FROM_THERE, WrittenRefusal
from interface.shares import Shares

log = structlog.get_logger(__name__)

TOLD_EVERY: Final = 1_000
"""Refusals of a kind between two lines about them in the log."""


class Crowd:
    """Whoever is connected to one listener."""

    def __init__(
        self,
        in_all: int = LARGEST_CONNECTIONS,
        *,
        is_proxy: Callable[[str | None], bool] = lambda _: False,
    ) -> None:
        """Take how many connections there may be, and whose stand for many people."""
        self._shares = Shares(in_all)
        self.in_all = in_all
        self.is_proxy = is_proxy
        self.refused = 0
        """How many were not let in so far."""
        self._answered = 0

    @property
    def open(self) -> int:
        """Connections that were let in, and are not lost yet."""
        return self._shares.taken

    def enter(self, host: str | None) -> WrittenRefusal | None:
        """Let a connection in and count it, or say why not."""
        if self._shares.take(self._name(host)):
            return None
        refused = TOO_MANY if self._shares.full else TOO_MANY_FROM_THERE
        if self.refused % TOLD_EVERY == 0:
            # Whoever forgot to name their proxy reads here why nobody gets in.
            log.warning(
                "connections_refused",
                code=refused.code,
                address=network_of(host),
                open=self.open,
                refused=self.refused + 1,
            )
        self.refused += 1
        return refused

    def leave(self, host: str | None) -> None:
        """A connection that was let in is lost."""
        self._shares.give_back(self._name(host))

    def answers(self) -> bool:
        """Whether there is room to tell one more that it is refused; `answered` when it was."""
        if self._answered >= REFUSED_AT_ONCE:
            return False
        self._answered += 1
        return True

    def answered(self) -> None:
        """A connection that was told is lost."""
        self._answered -= 1

    def _name(self, host: str | None) -> str | None:
        return None if self.is_proxy(host) else network_of(host)
