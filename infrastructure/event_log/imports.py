"""An exported log, read back as facts: without a database, a key, or a network.

Invariant: nothing is imported that the verifier did not find whole.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from application.transparency.export import StoredEvent, read_line
from application.transparency.verifier import VerifierReport, verify
from domain.recorded import Recorded
from infrastructure.event_log.registry import REGISTRY, Registry


class Imported(NamedTuple):
    """A log that was checked and read."""

    report: VerifierReport
    facts: Sequence[Recorded]
    """Without those whose content is sealed and lost, as the read models are folded, too."""


class ImportRefused(Exception):
    """The log is not what was recorded, so nothing was made of it."""

    def __init__(self, report: VerifierReport) -> None:
        super().__init__(f"{self.__doc__} Line {report.line} {report.reason}.")
        self.report = report


def read_export(
    lines: Iterable[bytes], head: str | None = None, *, registry: Registry = REGISTRY
) -> Imported:
    """Check an export, then read its events.

    Raises:
        ImportRefused: the check failed.
        UnknownEvent: the log was written by a later version of this program.
    """
    kept = list(lines)
    report = verify(kept, head)
    if not report.valid:
        raise ImportRefused(report)
    stored = (read_line(line) for line in kept)
    alive = (one for one in stored if one.sealed_sha256 is None or one.personal is not None)
    try:
        return Imported(report, [_fact(one, registry) for one in alive])
    except msgspec.MsgspecError as error:
        # Chained and committed to, yet no event of ours: whoever wrote it was not this program.
        raise ImportRefused(
            report._replace(valid=False, reason=f"cannot be read ({type(error).__name__})")
        ) from None


def _fact(one: StoredEvent, registry: Registry) -> Recorded:
    return Recorded(
        position=one.position,
        tenant_id=one.tenant_id,
        feature_id=one.feature_id,
        version=one.version,
        event_id=one.event_id,
        type=one.type,
        schema_version=one.schema_version,
        event=registry.decode(one.type, one.schema_version, one.clear, one.personal),
        actor=one.actor,
        correlation_id=one.correlation_id,
        causation_id=one.causation_id,
        recorded_at=one.recorded_at,
        hash=one.hash,
        previous_hash=one.previous_hash,
    )
