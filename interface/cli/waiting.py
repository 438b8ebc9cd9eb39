"""What waits aside: features that a read model could not apply, dead letters, and all the rest.

Invariant: each line says what happened, what it means for people, and what to do next.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import to_builtins

from application.ports import CAUSES, Why
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.nats.dead_letters import DeadLetter, PostgresDeadLetters
from infrastructure.read_models import PostgresSource
from infrastructure.read_models.parked import ParkedFeature, parked, retry_parked
from interface.cli.console import fail, say, show
from interface.cli.operations import OperatorContext, act

LISTED: Final = 1_000

PARKED: Final[Mapping[str, tuple[str, str]]] = {
    "UnknownEvent": (
        "The event was written by a later version of this program.",
        "Nothing, if an update is under way: that version's projector applies it when it starts.",
    ),
    "WrongMasterKey": (
        "The feature is sealed under a master key that the projector was not given.",
        "Add that key to the key file; the projector tries again by itself.",
    ),
    "Spoilt": (
        "The row was written by a later version of this program, or was damaged.",
        "Nothing, if an update is under way; else `projections retry` makes the row anew.",
    ),
    "Unsealable": (
        "What was sealed does not open: it was changed, or the master key is another.",
        "`log verify FEATURE` tells which; with the right key, `projections retry`.",
    ),
    "ValidationError": (
        "The stored bytes are no such event: they were changed, or an upcaster is missing.",
        "`log verify FEATURE` tells which; with the upcaster, `projections retry`.",
    ),
    "DecodeError": (
        "The stored bytes are no JSON: they were changed.",
        "`log verify FEATURE` names the place; restore it from a backup.",
    ),
}
DEFECT: Final = (
    "The read model's own rule failed on this event: a defect of this program, not of the log.",
    "Start a version that mends it; then `projections retry`, or `projections rebuild NAME`.",
)

LETTERS: Final[Mapping[str, tuple[str, str]]] = {
    "UnknownType": (
        "The message announces an event that this version does not know.",
        "Nothing, if an update is under way: that version's relay handles it when it starts.",
    ),
    "is not a valid Step": (
        "The event resumes a step that this version does not know.",
        "Nothing, if an update is under way: that version's relay handles it when it starts.",
    ),
    "Unavailable": (
        "The database could not be reached at any delivery.",
        "Requeue once it is back; the reconciler may have made the tasks already.",
    ),
    "ValidationError": (
        "The message is not one of ours, or was damaged on its way.",
        "If its position is 0, discard it: whatever the log holds, the reconciler makes tasks of.",
    ),
}
REFUSED: Final = (
    "No delivery made a task of the event; the event itself is safe in the log.",
    "Mend the cause, then requeue; discard if the feature has moved on.",
)


def explained(waiting: ParkedFeature) -> tuple[str, str]:
    """What it means that a feature is parked, and what to do."""
    return PARKED.get(waiting.error.partition(" ")[0], DEFECT)


def explained_letter(letter: DeadLetter) -> tuple[str, str]:
    """What a dead letter means, and what to do."""
    return next((told for name, told in LETTERS.items() if name in letter.cause), REFUSED)


def projections_parked(*, as_json: bool) -> int:
    """Every feature that waits, with the event and what it means."""

    async def work(context: OperatorContext) -> int:
        rows: list[dict[str, Any]] = []
        for waiting in await parked(context.database):
            found = await context.ask.event_type(waiting.feature_id, waiting.version)
            means, then = explained(waiting)
            told = {**to_builtins(waiting), "event": found}
            rows.append({**told, "means": means, "next": then})
        show(rows, as_json=as_json, empty="No feature waits: every read model has applied all.")
        return 0

    return act("bp_projector", work)


def projections_retry(name: str) -> int:
    """Apply again what waits, after its cause was mended."""

    async def work(context: OperatorContext) -> int:
        source = PostgresSource(context.database, context.ring())
        chosen = None if name == "all" else name
        released, still = await retry_parked(context.database, source, chosen)
        say(f"{released} go on, {still} still wait")
        if still:
            fail("`projections parked` says why they wait.")
        return int(still > 0)

    return act("bp_projector", work)


STEPS: Final[Mapping[str, str]] = {
    Why.NEWER: "Nothing, if an update is under way: a worker of that version takes the step.",
    Why.DAMAGED: "`log verify FEATURE` names the place; restore it from a backup.",
    Why.LOCKED: "Add the master key that is missing to the key file of the workers.",
}
REMOVAL: Final = "Mend the cause; it is tried again by itself, and when a sweeper starts."


def everything(*, as_json: bool) -> int:
    """All that waits aside, in one table: what, since when, why, and when it is tried again."""

    async def work(context: OperatorContext) -> int:
        rows: list[dict[str, Any]] = []
        for feature in await parked(context.database):
            _, then = explained(feature)
            what, at = f"read model {feature.projection}", feature.at
            rows.append(
                _row(what, feature.feature_id, at, feature.tries, feature.error, feature.retry_at)
                | {"next": then}
            )
        for gone in await PostgresRemovals(context.database).postponed(LISTED):
            at, told = gone.requested_at, gone.error
            rows.append(
                _row("removal of files", gone.feature_id, at, gone.tries, told, gone.retry_at)
                | {"next": REMOVAL}
            )
        for step in await context.ask.put_off_steps(LISTED):
            what, about, why = f"step {step.step}", step.feature_id, CAUSES[step.why]
            rows.append(
                _row(what, about, step.since, step.tries, why, step.retry_at)
                | {"next": STEPS[step.why]}
            )
        for letter in await PostgresDeadLetters(context.database).list():
            _, then = explained_letter(letter)
            what = f"dead letter {letter.id}"
            rows.append(
                _row(what, letter.event_id, letter.at, letter.deliveries, letter.cause, None)
                | {"next": then}
            )
        show(rows, as_json=as_json, empty="Nothing waits aside.")
        return 0

    return act("bp_sweeper", work)


def _row(
    what: str, about: UUID, since: datetime, tries: int, why: str, again: datetime | None
) -> dict[str, Any]:
    return {
        "what": what,
        "about": str(about),
        "since": since.isoformat(timespec="seconds"),
        "tries": tries,
        "why": why,
        "again_at": again.isoformat(timespec="seconds") if again else None,
    }


def dead_letters_list(*, as_json: bool) -> int:
    """Every dead letter that waits, with what it means."""

    async def work(context: OperatorContext) -> int:
        rows = []
        for letter in await PostgresDeadLetters(context.database).list():
            means, then = explained_letter(letter)
            rows.append({**to_builtins(letter), "means": means, "next": then})
        show(rows, as_json=as_json, empty="There are no dead letters.")
        return 0

    return act("bp_worker", work)
