"""Checks an exported log offline: the hash chain of every feature, and each commitment to content.

One file of plain Python (3.8 or later) that needs nothing but the standard library, so that it can
be read, copied and run far from the service that wrote the log: `python verifier.py log.ndjson`.

A log is CloudEvents 1.0 lines. Each event's `hash` is the SHA-256 over all that is stored of it and
the hash before it; the sealed part takes part by its own hash. What is personal stands in the line
in plain, with its salt, and must be what the clear part's `personal_sha256` commits to. Events that
are missing at the end cannot be noticed here: note the last hash elsewhere and give it as `--head`.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any, Iterable, NamedTuple  # noqa: UP035  # As Python 3.8 has it.

TYPE_PREFIX = "build-practical."
FORMAT = b"\x00\x00\x00\x0abp-event-1"
NOTHING = b"\xff\xff\xff\xff"
ALWAYS = {
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence",
    "position", "tenantid", "schemaversion", "actor", "correlationid", "hash", "previoushash",
    "data",
}  # fmt: skip
ALLOWED = ALWAYS | {"causationid", "keyid", "sealedsha256"}
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z", re.ASCII)
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DIGEST = re.compile(r"[0-9a-f]{64}")
CHECKED, SEALED, NO_CONTENT = "checked", "sealed", "none"
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  # As Python 3.8 has it.
MICROSECOND = timedelta(microseconds=1)


class VerifierReport(NamedTuple):
    """What the check found."""

    valid: bool
    events: int
    """How many events were found good, up to the first bad place."""
    features: int
    head: str
    """The hash of the last good event, in hex."""
    opened: int
    """Events whose personal content was there and is what was recorded."""
    sealed: int
    """Events whose personal content is not in the export; the chain covers its sealed form."""
    line: int | None = None
    """The first bad line, from 1."""
    version: int | None = None
    """The version of the event that stands there, as far as it can be read."""
    reason: str = ""
    """What is wrong with it."""


class _Bad(Exception):
    """A line is not what was recorded."""


class _End(NamedTuple):
    """Where a feature's chain stands."""

    version: int
    hash: str
    position: int
    time: datetime
    tenant: str


def event_hash(
    previous_hash: bytes,
    position: int,
    tenant_id: bytes,
    feature_id: bytes,
    version: int,
    event_id: bytes,
    tag: str,
    schema_version: int,
    payload: bytes,
    sealed_sha256: bytes | None,
    key_id: bytes | None,
    correlation_id: bytes,
    causation_id: bytes | None,
    actor: str,
    recorded_at: datetime,
) -> bytes:
    """The SHA-256 of an event; every field is framed by its length, or has a fixed one."""
    kind, who = tag.encode(), actor.encode()
    return sha256(
        b"".join(
            (
                FORMAT,
                len(previous_hash).to_bytes(4, "big"),
                previous_hash,
                position.to_bytes(8, "big"),
                tenant_id,
                feature_id,
                version.to_bytes(4, "big"),
                event_id,
                len(kind).to_bytes(4, "big"),
                kind,
                schema_version.to_bytes(4, "big"),
                sha256(payload).digest(),
                NOTHING if sealed_sha256 is None else b"\x00\x00\x00\x20" + sealed_sha256,
                NOTHING if key_id is None else b"\x00\x00\x00\x10" + key_id,
                correlation_id,
                NOTHING if causation_id is None else b"\x00\x00\x00\x10" + causation_id,
                len(who).to_bytes(4, "big"),
                who,
                ((recorded_at - EPOCH) // MICROSECOND).to_bytes(8, "big", signed=True),
            )
        )
    ).digest()


def verify(lines: Iterable[bytes], head: str | None = None) -> VerifierReport:
    """Check a log from its first event on; features may be interleaved.

    Args:
        lines: The export, line by line.
        head: The hash in hex that the log must end at, as it was noted elsewhere.
    """
    ends: dict[str, _End] = {}
    events = opened = sealed = 0
    last = ""

    def stopped(line: int, reason: str, shown: object = None) -> VerifierReport:
        version = None
        if isinstance(shown, dict) and str(shown.get("sequence", "")).isdecimal():
            version = int(shown["sequence"])
        return VerifierReport(
            valid=False,
            events=events,
            features=len(ends),
            head=last,
            opened=opened,
            sealed=sealed,
            line=line,
            version=version,
            reason=reason,
        )

    for number, line in enumerate(lines, start=1):
        shown = None
        try:
            shown = json.loads(line)
            end = _check(shown, ends)
            content = _content(shown)
        except _Bad as bad:
            return stopped(number, str(bad), shown)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            return stopped(number, f"is no event of this log ({type(error).__name__})", shown)
        ends[shown["subject"]] = end
        events += 1
        opened += content is CHECKED
        sealed += content is SEALED
        last = end.hash
    if not events:
        return stopped(1, "is missing: there is no event at all")
    if head is not None and head.strip().lower() != last:
        return stopped(events + 1, "is missing: the log does not end at the hash that was noted")
    return VerifierReport(
        valid=True, events=events, features=len(ends), head=last, opened=opened, sealed=sealed
    )


def _check(shown: dict[str, Any], ends: dict[str, _End]) -> _End:
    """Where the chain stands after this event. Raises _Bad for the first thing that is wrong."""
    if not ALWAYS <= shown.keys() <= ALLOWED:
        raise _Bad("has fields that an event of this log has not, or lacks some")
    feature, tag, previous = shown["subject"], shown["type"], shown["previoushash"]
    before = ends.get(feature)
    version, position = int(shown["sequence"]), int(shown["position"])
    time = _time(shown["time"])
    told = ("1.0", f"/api/features/{feature}", "application/json", f"{version:010d}", str(position))
    names = ("specversion", "source", "datacontenttype", "sequence", "position")
    if tuple(shown[name] for name in names) != told:
        raise _Bad("is not written as this log writes its events")
    if not tag.startswith(TYPE_PREFIX):
        raise _Bad("is of a type that this log does not have")
    if version != (before.version + 1 if before else 1):
        raise _Bad(
            f"follows version {before.version if before else 0}: something is missing or moved"
        )
    if previous != (before.hash if before else ""):
        raise _Bad("does not continue the event before it")
    if before and (position <= before.position or shown["tenantid"] != before.tenant):
        raise _Bad("was moved from another place")
    if before and time < before.time:
        raise _Bad("is dated before the event before it")
    sealed, key, cause = shown.get("sealedsha256"), shown.get("keyid"), shown.get("causationid")
    computed = event_hash(
        bytes.fromhex(previous),
        position,
        _id(shown["tenantid"]),
        _id(feature),
        version,
        _id(shown["id"]),
        tag[len(TYPE_PREFIX) :],
        shown["schemaversion"],
        shown["data"]["clear"].encode(),
        None if sealed is None else _digest(sealed),
        None if key is None else _id(key),
        _id(shown["correlationid"]),
        None if cause is None else _id(cause),
        shown["actor"],
        time,
    )
    if computed.hex() != shown["hash"]:
        raise _Bad("is not what was recorded")
    return _End(version, shown["hash"], position, time, shown["tenantid"])


def _content(shown: dict[str, Any]) -> str:
    """How the personal content stands: CHECKED, SEALED or NO_CONTENT. Raises _Bad."""
    data = shown["data"]
    if not {"clear"} <= data.keys() <= {"clear", "personal"}:
        raise _Bad("has data that an event of this log has not, or lacks some")
    personal = data.get("personal")
    if "sealedsha256" not in shown:
        if personal is not None:
            raise _Bad("has personal content that was not recorded")
        return NO_CONTENT
    if personal is None:
        return SEALED
    if sha256(personal.encode()).hexdigest() != json.loads(data["clear"])["personal_sha256"]:
        raise _Bad("has personal content that is not what was recorded")
    return CHECKED


def _id(text: str) -> bytes:
    if not ID.fullmatch(text):
        raise _Bad("has an id that is none")
    return bytes.fromhex(text.replace("-", ""))


def _digest(text: str) -> bytes:
    if not DIGEST.fullmatch(text):
        raise _Bad("has a hash that is none")
    return bytes.fromhex(text)


def _time(text: str) -> datetime:
    found = TIME.fullmatch(text)
    if not found:
        raise _Bad("has a time that is none")
    return datetime.fromisoformat(f"{found[1]}.{found[2] or '':0<6}+00:00")


def sentence(report: VerifierReport) -> str:
    """The report in a line for people."""
    if report.valid:
        return (
            f"valid: {report.events} events of {report.features} feature(s); content of "
            f"{report.opened} checked, of {report.sealed} sealed; head {report.head}"
        )
    place = "" if report.version is None else f" (version {report.version})"
    return f"NOT valid: line {report.line}{place} {report.reason}; {report.events} events are good"


def main(arguments: list[str]) -> int:
    """Check a file; 0 if it is what was recorded, 1 if not, 2 for wrong usage."""
    name, head = [*arguments, "", ""][0], None
    if arguments[1:2] == ["--head"] and len(arguments) == 3:  # noqa: PLR2004
        head = arguments[2]
    elif len(arguments) != 1:
        sys.stderr.write("usage: verifier.py LOG [--head HASH]\n")
        return 2
    try:
        with Path(name).open("rb") as file:
            report = verify(file, head)
    except OSError as error:
        sys.stderr.write(f"error: {name}: {error.strerror}\n")
        return 2
    sys.stdout.write(sentence(report) + "\n")
    return 0 if report.valid else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
