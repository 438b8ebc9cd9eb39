"""What an auditor asks of the whole store: does the log hold, and which key signs for it."""

import re
from pathlib import Path
from typing import Final

from msgspec import to_builtins

from application.audit.orphans import orphan_files
from infrastructure.audit.orphans import PostgresOrphans
from infrastructure.transparency import (
    LogKeys,
    LogReport,
    NoteVerifier,
    VerifierKeyInvalid,
    verify_store,
)
from interface.cli.console import fail, progress, say, show
from interface.cli.operations import OperatorContext, act
from interface.foundation import master_key, store_of

ROLE: Final = "bp_sweeper"
KEY: Final = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+\S+")


def key() -> int:
    """Print the verifier key; made now if nothing was signed yet."""

    async def work(context: OperatorContext) -> int:
        keys = LogKeys(context.database)
        found = await keys.published()
        say(found or (await keys.signer(master_key(context.settings))).text())
        return 0

    return act(ROLE, work)


def verify_all(given: str | None, *, as_json: bool) -> int:
    """Verify every event against chains and tree heads."""
    try:
        kept = _given(given)
    except VerifierKeyInvalid as invalid:
        fail(str(invalid))
        return 1
    except (OSError, UnicodeDecodeError):
        fail(f"{given}: neither a public key, as `log key` prints it, nor a file that holds one.")
        return 1

    def told(events: int) -> None:
        if not as_json:
            progress(f"{events:,} events")

    async def work(context: OperatorContext) -> int:
        async with store_of(context.settings, context.addresses) as store:
            verifier = kept or await LogKeys(context.database).verifier()
            report = await verify_store(
                context.addresses.database, store.tree_heads(), verifier, progress=told
            )
        if as_json:
            show([to_builtins(report)], as_json=True, empty="")
        elif report.valid:
            say(_sentence(report, kept=kept is not None))
        else:
            fail(f"{report.broken} Events before it that hold: {report.events:,}.")
        return 0 if report.valid else 1

    return act(ROLE, work)


def _given(given: str | None) -> NoteVerifier | None:
    """A key as text, or a file that holds it. Raises VerifierKeyInvalid, OSError."""
    if given is None:
        return None
    text = given if KEY.fullmatch(given) else Path(given).read_text(encoding="ascii")
    return NoteVerifier.from_text(text)


def orphans(*, as_json: bool) -> int:
    """Name stored files and requests to models that are in no log."""

    async def work(context: OperatorContext) -> int:
        recorded = PostgresOrphans(context.database, context.ring())
        async with store_of(context.settings, context.addresses) as store:
            files = [each async for each in orphan_files(store, recorded)]
        calls = await recorded.calls()
        rows = [{"kind": "file", "what": each.key, "reason": each.reason} for each in files]
        rows += [
            {
                "kind": "request",
                "what": f"{each.tenant_id}/{each.feature_id}/{each.task_id}-{each.attempt}"
                f"-{each.turn}",
                "reason": f"no event announces it; {each.outcome or 'outcome unknown'}",
            }
            for each in calls
        ]
        show(rows, as_json=as_json, empty="Every stored file and every request is in the log.")
        return 0

    return act(ROLE, work)


def _sentence(report: LogReport, *, kept: bool) -> str:
    held = f"The log holds: {report.events:,} events of {report.features:,} features."
    if report.covered_at is None:
        return f"{held} No tree head has been signed yet: each feature's chain is all there is."
    after = report.events - report.covered
    rest = f" The {after:,} after it are covered by their chains only." if after else ""
    whose = "the key you gave" if kept else "the key in the database"
    return (
        f"{held} {report.checkpoints:,} tree heads, signed with {whose}; the newest covers "
        f"{report.covered:,} events, up to {report.covered_at:%Y-%m-%d %H:%M:%S} UTC.{rest}"
    )
