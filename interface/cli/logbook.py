"""A feature's log outside the service: exported, checked, read back, held against what is shown.

Checking and reading a file need neither database nor network; the other commands do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zipfile import is_zipfile

import msgspec

from application.delivery import checker
from application.ports import Unavailable
from application.transparency.export import lines_of
from application.transparency.verifier import sentence, verify
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.event_log.imports import ImportRefused, read_export
from infrastructure.event_log.registry import UnknownEvent
from infrastructure.read_models.certifying import PostgresCertifier
from interface.cli.console import fail, say, show, write_lines
from interface.cli.operations import OperatorContext, act
from projections.certificate import Certificate, fingerprints, fold

ROLE: Final = "bp_projector"


def export(feature_id: UUID, out: Path | None) -> int:
    """Write the log to a file, or to the output."""
    chunks: list[bytes] = []

    async def work(context: OperatorContext) -> int:
        head = await context.ask.stream(feature_id)
        log = PostgresStoredLog(context.database, context.ring())
        lines = lines_of(log, head.tenant_id, feature_id, head.version)
        chunks.extend([chunk async for chunk in lines])
        return 0

    failed = act(ROLE, work)
    if failed:
        return failed
    if out is None:
        write_lines(b"".join(chunks))
        return 0
    try:
        out.write_bytes(b"".join(chunks))
    except OSError as error:
        fail(f"{out}: {error.strerror}")
        return 1
    events = sum(chunk.count(b"\n") for chunk in chunks)
    say(f"{events} events in {out}")
    return 0


def verify_file(path: Path, head: str | None, *, as_json: bool) -> int:
    """Check an exported log, or a whole delivery: a zip, or the folder it was unpacked into."""
    if path.is_dir() or is_zipfile(path):
        return _verify_delivery(path, head, as_json=as_json)
    try:
        with path.open("rb") as file:
            report = verify(file, head)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
        return 1
    if as_json:
        show([report._asdict()], as_json=True, empty="")
    elif report.valid:
        say(sentence(report))
    else:
        fail(sentence(report))
    return 0 if report.valid else 1


def _verify_delivery(path: Path, head: str | None, *, as_json: bool) -> int:
    """The check of the program inside, by one that nobody could change together with it."""
    try:
        files = checker.read(path)
        good = checker.check(files, head)
    except checker.Wrong as wrong:
        if as_json:
            show([{"valid": False, "place": wrong.place}], as_json=True, empty="")
        else:
            fail(f"NOT valid: {wrong}")
        return 1
    if as_json:
        told = {"valid": True, "checked": good, "notes": checker.notes(files)}
        show([told], as_json=True, empty="")
    else:
        for line in (*good, *checker.notes(files), checker.summary(files, head)):
            say(line)
    return 0


def import_file(path: Path, head: str | None, out: Path | None, *, as_json: bool) -> int:
    """Check an exported log, fold it in memory, and say what the read models come to."""
    try:
        imported = read_export(path.read_bytes().splitlines(keepends=True), head)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
        return 1
    except (ImportRefused, UnknownEvent) as refused:
        fail(str(refused))
        return 1
    by_feature: dict[UUID, list[Any]] = {}
    for fact in imported.facts:
        by_feature.setdefault(fact.feature_id, []).append(fact)
    folded = {feature_id: fold(facts) for feature_id, facts in by_feature.items()}
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(folded), indent=1) + b"\n")
    rows = [
        {
            "feature_id": str(feature_id),
            "events": imported.report.events,
            **msgspec.to_builtins(one),
        }
        for feature_id, tables in folded.items()
        for one in fingerprints(tables)
    ]
    if not as_json:
        say(sentence(imported.report))
    show(rows, as_json=as_json, empty="Nothing of this log can be shown: its feature was deleted.")
    return 0


def certify(feature_id: UUID | None, *, as_json: bool) -> int:
    """Compare what is shown with the log: of one feature, or of all."""

    async def work(context: OperatorContext) -> int:
        certifier = PostgresCertifier(context.database, context.ring())
        if feature_id is None:
            streams = await context.ask.streams()
        else:
            streams = [((await context.ask.stream(feature_id)).tenant_id, feature_id)]
        found, crashed = await _certified(certifier, streams)
        rows = [_line(one) for one in found] if len(streams) > 1 else _table(found)
        if as_json:
            rows = [msgspec.to_builtins(one) for one in found]
        show(rows, as_json=as_json, empty="There is nothing to certify: no projector has run.")
        for one in found:
            for projection in one.projections:
                for difference in projection.differences:
                    fail(f"{one.feature_id}: {projection.projection}: {difference}")
            if one.unread_from is not None:
                fail(f"{one.feature_id}: not certified from event {one.unread_from} on: {one.why}")
        for line in crashed:
            fail(line)
        whole = all(one.equal and one.unread_from is None for one in found)
        return 0 if whole and not crashed else 1

    return act(ROLE, work)


async def _certified(
    certifier: PostgresCertifier, streams: Sequence[tuple[UUID, UUID]]
) -> tuple[list[Certificate], list[str]]:
    """Certificates, and what is to be said of those that there are none of: each for itself."""
    found: list[Certificate] = []
    crashed: list[str] = []
    for tenant_id, feature_id in streams:
        try:
            one = await certifier.certify(tenant_id, feature_id)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a defect at one is told, and the others certified.
            crashed.append(f"{feature_id}: cannot be certified ({type(error).__name__})")
        else:
            found += [one] if one is not None else []
    return found, crashed


def _line(one: Certificate) -> dict[str, Any]:
    return {
        "feature_id": str(one.feature_id),
        "equal": one.equal,
        "events": one.events,
        "model_calls": one.model_calls,
        "head": one.head,
    }


def _table(found: list[Certificate]) -> list[dict[str, Any]]:
    return [
        {
            "projection": each.projection,
            "equal": each.equal,
            "rows": each.rows,
            "sha256": each.folded_sha256,
            "events": one.events,
            "model_calls": one.model_calls,
        }
        for one in found
        for each in one.projections
    ]
