"""What waits for an operator: features that a read model could not apply, and dead letters.

Invariant: each line says what happened, what it means for people, and what to do next.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import to_builtins

from infrastructure.dead_letters import DeadLetter, PostgresDeadLetters
from infrastructure.read_models import PostgresSource
from infrastructure.read_models.parked import ParkedFeature, parked, retry_parked
from interface.cli.console import fail, say, show
from interface.cli.operations import Desk, act

TYPE: Final = "SELECT e.type FROM es.events e WHERE e.stream_id = %s AND e.version = %s"

PARKED: Final[Mapping[str, tuple[str, str]]] = {
    "UnknownEvent": (
        "The event was written by a later version of this program.",
        "Start that version's projector; then `projections retry`.",
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
        "Start the later version; then requeue.",
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

    async def work(desk: Desk) -> int:
        rows: list[dict[str, Any]] = []
        for waiting in await parked(desk.database):
            async with desk.database.system() as connection:
                asked = (waiting.feature_id, waiting.version)
                found = await (await connection.execute(TYPE, asked)).fetchone()
            means, then = explained(waiting)
            told = {**to_builtins(waiting), "event": found[0] if found else None}
            rows.append({**told, "means": means, "next": then})
        show(rows, as_json=as_json, empty="No feature waits: every read model has applied all.")
        return 0

    return act("bp_projector", work)


def projections_retry(name: str) -> int:
    """Apply again what waits, after its cause was mended."""

    async def work(desk: Desk) -> int:
        source = PostgresSource(desk.database, desk.ring())
        chosen = None if name == "all" else name
        released, still = await retry_parked(desk.database, source, chosen)
        say(f"{released} go on, {still} still wait")
        if still:
            fail("`projections parked` says why they wait.")
        return int(still > 0)

    return act("bp_projector", work)


def dead_letters_list(*, as_json: bool) -> int:
    """Every dead letter that waits, with what it means."""

    async def work(desk: Desk) -> int:
        rows = []
        for letter in await PostgresDeadLetters(desk.database).list():
            means, then = explained_letter(letter)
            rows.append({**to_builtins(letter), "means": means, "next": then})
        show(rows, as_json=as_json, empty="There are no dead letters.")
        return 0

    return act("bp_worker", work)
