"""What was asked of the demo model. Invariant: no header but the idempotency key is kept."""

import time
from pathlib import Path

import msgspec
from msgspec import Struct


class ServedRequest(Struct):
    """One request."""

    number: int
    """1 for the first request of this server."""
    at: float
    """Seconds since the epoch, when it arrived."""
    path: str
    agent: str
    """Name from the first system block; empty if there is none."""
    idempotency_key: str
    sha256: str
    """Of the body's bytes."""
    fault: str = ""
    """The scripted fault it met; empty if none."""
    outcome: str = "pending"
    """`answered`, `disconnected`, `cut`, `stopped`, or the HTTP status of an error."""
    input_tokens: int = 0
    output_tokens: int = 0


class RequestLedger:
    """Entries in memory, and in a file of JSON lines when given a path."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[ServedRequest] = []
        self._path = path

    def arrived(self, path: str, agent: str, idempotency_key: str, sha256: str) -> ServedRequest:
        """Write a request down before anything is answered."""
        entry = ServedRequest(
            len(self.entries) + 1, time.time(), path, agent, idempotency_key, sha256
        )
        self.entries.append(entry)
        self._append(entry)
        return entry

    def settled(self, entry: ServedRequest, outcome: str) -> None:
        """Write down what became of it."""
        entry.outcome = outcome
        self._append(entry)

    def _append(self, entry: ServedRequest) -> None:
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")


def read_ledger(path: Path) -> list[ServedRequest]:
    """Read a ledger file of one server run: each request once, as it stood last."""
    if not path.exists():
        return []
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    last = {
        entry.number: entry for entry in (msgspec.json.decode(x, type=ServedRequest) for x in lines)
    }
    return [last[number] for number in sorted(last)]
