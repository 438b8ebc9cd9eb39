"""A superuser rewrites the log: every way of it is noticed, and the first bad place is named."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from application.transparency.tree_head_signer import LogContradicted
from infrastructure.artifacts.tree_heads import name_of
from infrastructure.transparency import NoteSigner, verify_store
from tests.security.signed_log import FIRST, SIZE, SignedLog, signed_log, told


@pytest.fixture
async def kept(database: str, tmp_path: Path) -> AsyncIterator[SignedLog]:
    async with signed_log(database, tmp_path / "checkpoints") as store:
        await told(store)
        yield store


class Attack(NamedTuple):
    """Statements with {A} … for the features' ids."""

    name: str
    statements: tuple[str, ...]
    position: int | None
    """The first event at which the chain breaks; None where only a count or an end shows it."""
    says: str
    between: tuple[int, int]
    """What is named when the chains were made to fit again."""
    then: str = "was rewritten"
    """What is said then; empty where making the hashes fit undoes the attack."""
    fits: bool = True
    """Whether hashes can be made to fit at all."""


def update(change: str, position: int) -> str:
    return f"UPDATE es.events SET {change} WHERE position = {position}"  # noqa: S608


def changed(
    name: str, change: str, says: str = "is not what was recorded", *, fits: bool = True
) -> Attack:
    return Attack(name, (update(change, 3),), 3, says, (1, 6), fits=fits)


SWAPPED_PLACES = (
    update("position = 100", 3),
    update("position = 3", 4),
    update("position = 4", 100),
)
SWAPPED_EVENTS = (
    update("version = 100", 3),
    "UPDATE es.events SET version = 2 WHERE stream_id = '{A}' AND version = 3",
    "UPDATE es.events SET version = 3 WHERE stream_id = '{A}' AND version = 100",
)
SWAPPED_CONTENTS = (
    """UPDATE es.events a SET payload = b.payload, sealed = b.sealed, type = b.type
       FROM es.events b WHERE (a.position, b.position) IN ((3, 6), (6, 3))""",
)
FORGED = (
    "INSERT INTO es.events SELECT {position}, tenant_id, stream_id, 100, gen_random_uuid(), type,"
    " schema_version, payload, sealed, key_id, correlation_id, causation_id, actor, recorded_at,"
    " previous_hash, hash FROM es.events WHERE position = 3"
)

ATTACKS = [
    changed("payload", "payload = payload || ' '"),
    changed("content", "sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))"),
    changed("content replaced", "sealed = (SELECT sealed FROM es.events WHERE position = 6)"),
    changed("actor", "actor = 'user:mallory'"),
    changed("type", "type = 'brief_confirmed'"),
    changed("schema version", "schema_version = 2"),
    changed("event id", "event_id = gen_random_uuid()"),
    changed("correlation", "correlation_id = gen_random_uuid()"),
    changed("causation", "causation_id = gen_random_uuid()"),
    changed("key", "key_id = gen_random_uuid()"),
    changed("tenant", "tenant_id = gen_random_uuid()", "was moved from another place", fits=False),
    changed(
        "back-dated", "recorded_at = recorded_at - interval '1 day'", "is dated before", fits=False
    ),
    changed("post-dated", "recorded_at = recorded_at + interval '1 microsecond'"),
    Attack(
        "back-dated beginning",
        (update("recorded_at = recorded_at - interval '1 day'", 1),),
        1,
        "is not what was recorded",
        (1, 6),
    ),
    Attack(
        "moved to another feature",
        (update("stream_id = '{C}', version = 3", 4),),
        4,
        "follows version 0",
        (1, 6),
    ),
    Attack("removed event", ("DELETE FROM es.events WHERE position = 3",), 6, "follows version 1",
           (1, 6), "1 event is missing"),
    Attack("removed beginning", ("DELETE FROM es.events WHERE position = 2",), 4,
           "follows version 0", (1, 6), "1 event is missing"),
    Attack("removed last event of a feature", ("DELETE FROM es.events WHERE position = 9",), None,
           "1 event is missing between positions 7 and 10; no event stands at 9", (7, 10),
           "1 event is missing"),
    Attack("removed stream", ("DELETE FROM es.events WHERE stream_id = '{C}'",), None,
           "1 event is missing between positions 1 and 6; no event stands at 5", (1, 6),
           "1 event is missing"),
    Attack("removed stream, whole", ("DELETE FROM es.events WHERE stream_id = '{D}'",
                                     "DELETE FROM es.streams WHERE stream_id = '{D}'"), None,
           "1 event is missing between positions 7 and 10; no event stands at 10", (7, 10),
           "1 event is missing"),
    Attack("reordered over features", SWAPPED_PLACES, 3, "is not what was recorded", (1, 6)),
    Attack("reordered versions", SWAPPED_EVENTS, 3, "follows version 1", (1, 6),
           ""),
    Attack("reordered contents", SWAPPED_CONTENTS, 3, "is not what was recorded", (1, 6)),
    Attack("slipped in between", (
        "UPDATE es.events SET position = position + 1000 WHERE position > 3",
        "UPDATE es.events SET position = position - 999 WHERE position > 1000",
        FORGED.format(position=4),
    ), 4, "follows version 2", (1, 6)),
    Attack("feature moved to another tenant", (
        "UPDATE es.events SET tenant_id = gen_random_uuid() WHERE stream_id = '{D}'",
    ), 10, "is not what was recorded", (7, 10)),
    Attack("feature back-dated", (
        """UPDATE es.events SET recorded_at = recorded_at - interval '1 day'
           WHERE stream_id = '{A}'""",
    ), 1, "is not what was recorded", (1, 6)),
    Attack("tail cut off", ("DELETE FROM es.events WHERE position > 8",), None,
           "The log is cut off after position 8: the tree head of", (9, 10), "is cut off"),
]  # fmt: skip
NAMES = [attack.name for attack in ATTACKS]


async def test_an_untouched_log_verifies_and_says_what_only_the_chains_cover(
    kept: SignedLog,
) -> None:
    report = await kept.verify()
    assert report.valid, report.broken
    assert (report.events, report.features, report.checkpoints) == (12, 4, 2)
    assert (report.covered, report.covered_position) == (SIZE, SIZE)
    await kept.seal()
    report = await kept.verify()
    assert report.valid
    assert (report.covered, report.checkpoints) == (12, 3)


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
async def test_a_change_is_named_by_its_event(kept: SignedLog, attack: Attack) -> None:
    kept.attack(*(statement.format(**kept.features) for statement in attack.statements))
    report = await kept.verify()
    assert not report.valid
    assert report.broken is not None
    assert attack.says in report.broken
    if attack.position is None:
        assert report.between == attack.between
    else:
        assert report.position == attack.position


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
async def test_a_change_with_all_hashes_made_anew_is_named_by_its_tree_head(
    kept: SignedLog, attack: Attack
) -> None:
    kept.attack(
        *(statement.format(**kept.features) for statement in attack.statements), rechain=True
    )
    report = await kept.verify()
    if not attack.then:
        assert report.valid
        return
    assert not report.valid
    assert report.broken is not None
    if attack.fits:
        assert attack.then in report.broken
        assert report.between == attack.between
    else:
        assert (report.position, attack.says in report.broken) == (attack.position, True)


async def test_of_several_changes_the_first_is_named(kept: SignedLog) -> None:
    kept.attack(update("actor = 'user:mallory'", 8), update("actor = 'user:mallory'", 4))
    assert (await kept.verify()).position == 4


async def test_a_forged_range_before_a_clumsy_change_is_what_is_named(kept: SignedLog) -> None:
    kept.attack(update("actor = 'user:mallory'", 3), rechain=True)
    kept.attack(update("actor = 'user:mallory'", 8))
    report = await kept.verify()
    assert (report.position, report.between) == (None, (1, 6))


async def test_a_rewritten_log_is_noticed_also_when_the_tree_is_rewritten_with_it(
    kept: SignedLog,
) -> None:
    """Whoever starts the tree anew gets nothing signed: stored tree heads are in the way."""
    kept.attack(update("actor = 'user:mallory'", 3), rechain=True)
    kept.sql("UPDATE app.log_tree SET size = 0, position = 0, peaks = '{}', noted_size = 0")
    with pytest.raises(LogContradicted):
        await kept.seal()
    assert sorted(path.name for path in kept.folder.iterdir()) == [name_of(6), name_of(SIZE)]
    report = await kept.verify()
    assert report.between == (1, 6)


async def test_what_no_tree_head_covers_yet_can_be_rewritten_unnoticed_and_is_said_to_be_so(
    kept: SignedLog,
) -> None:
    kept.attack(update("actor = 'user:mallory'", 12), rechain=True)
    report = await kept.verify()
    assert report.valid
    assert report.events - report.covered == 2


async def test_the_end_of_a_feature_is_checked_against_what_the_database_remembers(
    kept: SignedLog,
) -> None:
    kept.attack("DELETE FROM es.events WHERE position = 12")
    report = await kept.verify()
    assert report.broken is not None
    assert "ends at version 3; it was recorded up to version 4" in report.broken
    assert report.feature_id == kept.features["B"]


async def test_a_stream_without_its_head_is_named(kept: SignedLog) -> None:
    kept.attack(f"DELETE FROM es.streams WHERE stream_id = '{kept.features['C']}'")  # noqa: S608
    report = await kept.verify()
    assert report.broken == f"Feature {kept.features['C']} has events, and its stream is gone."


async def test_a_log_emptied_to_its_last_event_is_cut_off_from_the_beginning(
    kept: SignedLog,
) -> None:
    kept.attack("TRUNCATE es.events, es.streams")
    report = await kept.verify()
    assert report.between == (1, len(FIRST))
    assert report.broken is not None
    assert "cut off after position 0" in report.broken


async def test_an_event_slipped_into_a_hole_is_counted(kept: SignedLog) -> None:
    kept.sql("SELECT nextval('es.positions')")
    await kept.record("E")
    await kept.seal()
    assert (await kept.verify()).valid
    forged = FORGED.format(position=13).replace("stream_id, 100", "gen_random_uuid(), 100")
    streams = (
        "INSERT INTO es.streams SELECT tenant_id, stream_id, version, hash, recorded_at"
        " FROM es.events WHERE position = 13"
    )
    kept.attack(forged, streams, rechain=True)
    report = await kept.verify()
    assert report.broken is not None
    assert "1 event is too many between positions 11 and 14" in report.broken
    assert report.between == (11, 14)


async def test_two_events_at_one_position_are_named(kept: SignedLog) -> None:
    kept.attack(
        "ALTER TABLE es.events DROP CONSTRAINT events_position_key",
        FORGED.format(position=4),
    )
    report = await kept.verify()
    assert report.position == 4


async def test_rows_that_cannot_be_read_are_a_broken_log_and_no_crash(kept: SignedLog) -> None:
    kept.attack(update("recorded_at = 'infinity'", 4))
    report = await kept.verify()
    assert report.broken == "An event after the first 3 is unreadable."


@pytest.mark.parametrize(
    "change", ["position = -1", "schema_version = -1", "recorded_at = '0001-01-01 BC'"]
)
async def test_values_that_no_append_makes_are_a_broken_log_and_no_crash(
    kept: SignedLog, change: str
) -> None:
    kept.attack(update(change, 4))
    assert not (await kept.verify()).valid


async def test_a_deleted_feature_whose_key_is_destroyed_still_verifies(kept: SignedLog) -> None:
    await kept.record("A", deleting=True)
    await kept.seal()
    report = await kept.verify()
    assert report.valid, report.broken
    assert report.covered == 13
    gone = kept.sql("SELECT count(*) FROM app.data_keys WHERE scope = %s", str(kept.features["A"]))
    assert gone == [(0,)]


async def test_a_missing_newest_tree_head_is_noticed(kept: SignedLog) -> None:
    (kept.folder / name_of(SIZE)).unlink()
    report = await kept.verify()
    assert report.broken == f"The newest tree head is gone from the store: it was of {SIZE} events."


async def test_an_older_tree_head_that_is_gone_costs_precision_only(kept: SignedLog) -> None:
    (kept.folder / name_of(6)).unlink()
    assert (await kept.verify()).valid
    kept.attack(update("actor = 'user:mallory'", 3), rechain=True)
    assert (await kept.verify()).between == (1, SIZE)


async def test_a_forged_tree_head_is_refused(kept: SignedLog) -> None:
    path = kept.folder / name_of(SIZE)
    note = path.read_bytes()
    path.write_bytes(note.replace(b"\nposition 10\n", b"\nposition 11\n"))
    report = await kept.verify()
    assert report.broken is not None
    assert "its signature does not verify" in report.broken
    path.write_bytes((kept.folder / name_of(6)).read_bytes())
    report = await kept.verify()
    assert report.broken == f"The tree head of {SIZE} events stands in the place of another."


async def test_an_auditor_who_kept_the_key_sees_that_all_was_signed_anew(
    kept: SignedLog,
) -> None:
    """Whoever holds database and store can make a new key: only the key kept elsewhere tells."""
    kept_key = await kept.keys.verifier()
    assert kept_key is not None
    log_id = kept.sql("SELECT log_id FROM app.log_keys")[0][0]
    forged = NoteSigner.generate(log_id)
    for path in kept.folder.iterdir():
        path.write_bytes(forged.sign(kept_key.read(path.read_bytes())))
    kept.sql("UPDATE app.log_keys SET public_key = %s", forged.public)
    assert (await kept.verify()).valid
    report = await verify_store(kept.url, kept.store, kept_key)
    assert report.broken is not None
    assert "not signed by the key of this log" in report.broken
