"""The check of a log, event by event: chains, streams' ends, and the root at every tree head.

Invariant: it stops at the first bad place, and everything before the last tree head that agreed is
what was recorded.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.transparency.tree import CompactRange, event_leaf
from application.transparency.tree_head import SignedTreeHead
from infrastructure.event_log.chain import ChainBroken, Chains, StoredRow

HOLES_NAMED: Final = 10


class LogBroken(Exception):
    """The log is not what was recorded."""

    def __init__(
        self,
        reason: str,
        *,
        position: int | None = None,
        feature_id: UUID | None = None,
        version: int | None = None,
        between: tuple[int, int] | None = None,
    ) -> None:
        """Say what is wrong, and where: at an event, or in the positions from … to."""
        super().__init__(reason)
        self.position = position
        self.feature_id = feature_id
        self.version = version
        self.between = between


class LogReport(Struct, kw_only=True):
    """What was found."""

    valid: bool = True
    broken: str | None = None
    """The first bad place, in one sentence."""
    position: int | None = None
    feature_id: UUID | None = None
    version: int | None = None
    between: tuple[int, int] | None = None
    """Where no single event can be named: the first and last position of the bad range."""
    events: int = 0
    """That were read."""
    features: int = 0
    checkpoints: int = 0
    """Whose root was computed anew and is the signed one."""
    covered: int = 0
    """Events up to the newest of these tree heads."""
    covered_position: int = 0
    covered_at: datetime | None = None
    key: str | None = None
    """The verifier key that the tree heads were checked with."""


class Verifier:
    """Takes events in the order of positions, and stops at the first bad place."""

    def __init__(self, tree_heads: Iterable[SignedTreeHead], report: LogReport) -> None:
        """Take tree heads whose signatures are checked, smallest first, and what to fill in."""
        self._left = iter(tree_heads)
        self._next = next(self._left, None)
        self._chains = Chains()
        self._tree = CompactRange()
        self._recent: list[int] = []
        self._last = 0
        self._report = report

    def add(self, row: StoredRow) -> None:
        """Check one event, and the tree heads that end before it. Raises LogBroken."""
        while self._next is not None and row.position > self._next.position:
            self._compare(self._next)
        if row.position <= self._last:
            said = f"Position {row.position} is taken twice, or is none."
            raise LogBroken(said, position=row.position)
        try:
            self._chains.add(row)
        except ChainBroken as broken:
            raise LogBroken(
                f"The event at position {row.position} (feature {row.feature_id}, version "
                f"{row.version}, {row.type}) {broken.reason}.",
                position=row.position,
                feature_id=row.feature_id,
                version=row.version,
            ) from None
        self._tree.append(event_leaf(row.position, row.hash))
        self._last = row.position
        if self._next is not None:
            self._recent.append(row.position)
        self._report.events += 1

    def end(self, streams: Iterable[tuple[UUID, UUID, int, bytes]]) -> None:
        """Check what is left after the last event: tree heads, and streams' ends."""
        while self._next is not None:
            self._compare(self._next, at_end=self._last < self._next.position)
        ends = self._chains.ends
        self._report.features = len(ends)
        known = set()
        wrong: list[tuple[int, LogBroken]] = []
        for feature_id, tenant_id, version, head in streams:
            known.add(feature_id)
            end = ends.get(feature_id)
            if end and (end.tenant_id, end.version, end.hash) == (tenant_id, version, head):
                continue
            here = f"ends at version {end.version}" if end else "has no events"
            said = f"Feature {feature_id} {here}; it was recorded up to version {version}."
            place = LogBroken(said, feature_id=feature_id, version=end.version if end else 0)
            wrong.append((end.position if end else 0, place))
        for feature_id in ends.keys() - known:
            said = f"Feature {feature_id} has events, and its stream is gone."
            wrong.append((ends[feature_id].position, LogBroken(said, feature_id=feature_id)))
        if wrong:
            raise min(wrong, key=lambda found: found[0])[1]

    def _compare(self, signed: SignedTreeHead, *, at_end: bool = False) -> None:
        """Compare the tree with a tree head that covers exactly what was read so far."""
        report = self._report
        first, last = report.covered_position + 1, signed.position
        gone = signed.size - self._tree.size
        where = f"between positions {first} and {last}"
        if gone > 0 and at_end:
            said = (
                f"The log is cut off after position {self._last}: the tree head of "
                f"{signed.at:%Y-%m-%d %H:%M:%S} UTC covers {signed.size} events up to {last}"
                f"{self._holes(first, self._last)}."
            )
            raise LogBroken(said, between=(self._last + 1, last))
        if gone > 0:
            said = f"{_events(gone)} missing {where}{self._holes(first, last)}."
            raise LogBroken(said, between=(first, last))
        if gone < 0:
            said = f"{_events(-gone)} too many {where}: added after the tree head was signed."
            raise LogBroken(said, between=(first, last))
        if self._tree.root() != signed.root or self._last != signed.position:
            said = (
                f"The log was rewritten {where}: its chains fit, and its Merkle root is not the "
                f"one signed at {signed.at:%Y-%m-%d %H:%M:%S} UTC."
            )
            raise LogBroken(said, between=(first, last))
        report.checkpoints += 1
        report.covered, report.covered_position = signed.size, signed.position
        report.covered_at = signed.at
        self._recent.clear()
        self._next = next(self._left, None)

    def _holes(self, first: int, last: int) -> str:
        """Positions without an event: some may never have had one, after a rolled-back append."""
        there = set(self._recent)
        holes = [place for place in range(first, last + 1) if place not in there]
        if not holes:
            return ""
        named = ", ".join(map(str, holes[:HOLES_NAMED]))
        more = ", …" if len(holes) > HOLES_NAMED else ""
        return f"; no event stands at {named}{more}"


def _events(count: int) -> str:
    return "1 event is" if count == 1 else f"{count} events are"
