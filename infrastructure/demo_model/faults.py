"""Faults that a test scripts, one per request. Invariant: a script is consumed in its order."""

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

REFUSED: Mapping[str, tuple[int, str, str]] = {
    "429": (429, "rate_limit_error", "This request would exceed the rate limit."),
    "429_without_retry_after": (429, "rate_limit_error", "Number of requests is too high."),
    "spend_limit": (429, "rate_limit_error", "You have reached your monthly spend limit."),
    "500": (500, "api_error", "Internal server error"),
    "529": (529, "overloaded_error", "Overloaded"),
    "400": (400, "invalid_request_error", "max_tokens: Field required"),
    "401": (401, "authentication_error", "invalid x-api-key"),
    "403": (403, "permission_error", "Your API key may not use this model."),
    "echo_key_in_error": (400, "invalid_request_error", "The key {key} cannot be used here."),
}
"""Faults answered by an error at once: HTTP status, type and message."""

BROKEN = frozenset({"overloaded_mid_stream", "stall", "cut_clean", "cut_hard"})
"""Faults that break the stream in its middle."""

CUT = frozenset({"truncated_tool", "malformed_json", "refusal", "empty_answer"})
"""Faults in the shape of the answer."""

SPOILT = frozenset(
    {
        "prose_instead_of_tool",
        "bad_paths",
        "missing_file",
        "placeholder",
        "review_fail",
        "wrong_ids",
    }
)
"""Faults in what the answer says."""

FAULTS = frozenset({*REFUSED, *BROKEN, *CUT, *SPOILT, "timeout", "slow", "hold", "ok"})
"""Every fault a script may name."""


class UnknownFault(ValueError):
    """A script names a fault that does not exist."""


class InjectedFault(Struct, frozen=True):
    """A fault, with its number where it takes one (`429:2` waits 2 s, `slow:0.1` per chunk)."""

    name: str = "ok"
    number: float | None = None

    @classmethod
    def parse(cls, text: str) -> "InjectedFault":
        """Read `name` or `name:number`.

        Raises:
            UnknownFault: there is no such fault, or its number is none.
        """
        name, _, number = text.partition(":")
        if name not in FAULTS:
            raise UnknownFault(f"There is no fault {name!r}; known are {', '.join(sorted(FAULTS))}")
        try:
            return cls(name, float(number) if number else None)
        except ValueError:
            raise UnknownFault(f"{number!r} is no number") from None


class Script:
    """What will go wrong next, for each agent; `*` speaks for those with no script of their own."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[InjectedFault]] = {}

    def add(self, agent: str, faults: Iterable[str]) -> None:
        """Append faults to an agent's script.

        Raises:
            UnknownFault: one of them does not exist; none was added.
        """
        parsed = [InjectedFault.parse(fault) for fault in faults]
        self._queues.setdefault(agent, deque()).extend(parsed)

    def clear(self) -> None:
        """Forget everything scripted."""
        self._queues.clear()

    def next(self, agent: str) -> InjectedFault:
        """Take the fault for the next request of this agent: its own first, then that of `*`."""
        for name in (agent, "*"):
            if queue := self._queues.get(name):
                return queue.popleft()
        return InjectedFault()
