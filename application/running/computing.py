"""Work over long texts that must not hold up the process it is asked in: a port.

Invariant: what is computed is a pure function of what is handed over; it can be asked again.
"""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from application.ports import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


class CouldNotCompute(Unavailable):
    """The work took more time or memory than it may have, or ended its process."""

    def __init__(self, what: str) -> None:
        super().__init__("computing", f"{what} took more time or memory than it may have.")


class Crowded(Unavailable):
    """Too much work of this tenant waits already."""

    def __init__(self) -> None:
        super().__init__("computing", "Too much of yours is being computed. Try again in a moment.")


class Computing(Protocol):
    """Places to compute in, shared fairly between tenants."""

    async def run(
        self, whose: object, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """What a function gives for these arguments. Giving up ends the work.

        Args:
            whose: The tenant whose places are used; others do not wait for it.
            work: A public function of a module, whose arguments and result msgspec can encode by
                their annotations.
            args: What it is called with.
            kwargs: None: it is called by position.

        Raises:
            CouldNotCompute: it took too long or too much memory.
            Crowded: too much of the same tenant's waits.
        """


class Here:
    """Computes at once and in this process: for tests, and where nobody else waits."""

    async def run(
        self,
        whose: object,  # noqa: ARG002 - there is no queue here.
        work: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """What the function gives."""
        return work(*args, **kwargs)
