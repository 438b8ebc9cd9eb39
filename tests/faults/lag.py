"""How long the processes' event loops were held, as they say so themselves in their logs."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.faults.service import Part


def complaints(text: str) -> Iterator[dict[str, Any]]:
    """The warnings of the loop in a log of JSON lines."""
    for line in text.splitlines():
        if line.startswith("{") and "loop_lagged" in line:
            yield json.loads(line)


def longest_held(parts: Iterable[Part]) -> tuple[float, str]:
    """The longest stretch in seconds for which work held a loop, and whose; 0 if none was told."""
    told = [(said["held_seconds"], part.name) for part in parts for said in complaints(part.said())]
    return max(told, default=(0.0, "nobody"))
