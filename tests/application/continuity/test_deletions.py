"""What was destroyed stays destroyed: notes of deletions, written soon and honoured for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.continuity.deletions import (
    Deletion,
    DeletionNotes,
    NotADeletion,
    Undone,
    delete_again,
)
from application.ports import ArtifactMissing, Metadata, Unavailable
from domain import events as e
from infrastructure.transparency import NoteSigner
from tests.fakes import Clock, MemoryLog

AT = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)
ORIGIN = "build-practical/log/x"


def deletion(feature_id: UUID | None = None, **what: Any) -> Deletion:
    known = {"key_id": uuid7(), "position": 7, "hash": bytes(range(32)), "at": AT, **what}
    return Deletion(uuid7(), feature_id or uuid7(), **known)


@dataclass
class Store:
    """Notes by number, never overwritten."""

    notes: dict[int, bytes] = field(default_factory=dict)
    away: bool = False
    conditional: bool = True

    async def fit(self) -> bool:
        return self.conditional

    async def put_new(self, size: int, note: bytes) -> bool:
        if self.away:
            raise Unavailable("the object store")
        return self.notes.setdefault(size, note) is note

    async def list(self, after: int = 0) -> Sequence[int]:
        if self.away:
            raise Unavailable("the object store")
        return sorted(number for number in self.notes if number > after)

    async def get(self, size: int) -> bytes:
        if size not in self.notes:
            raise ArtifactMissing
        return self.notes[size]


@dataclass
class Deletions:
    """What a database knows of them."""

    waiting: list[Deletion] = field(default_factory=list)
    noticed: dict[UUID, int] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    destroyed: list[Deletion] = field(default_factory=list)
    again: list[Undone] = field(default_factory=list)
    waits: bool = True
    """Whether files are removed only after their note."""

    def expect_no_notes(self) -> None:
        self.waits = False

    async def unnoted(self, limit: int) -> Sequence[Deletion]:
        return [each for each in self.waiting if each.feature_id not in self.noticed][:limit]

    async def noted(self, feature_id: UUID, number: int) -> None:
        self.noticed[feature_id] = number

    async def newest(self) -> int:
        return max(self.known, default=0)

    async def unknown(self, numbers: Sequence[int]) -> Sequence[int]:
        return [number for number in numbers if number not in self.known]

    async def destroy(self, deletions: Sequence[tuple[int, Deletion]]) -> int | None:
        self.destroyed += [each for _, each in deletions]
        self.known |= {number for number, _ in deletions}
        return max((each.position for _, each in deletions), default=None)

    async def undone(self) -> Sequence[Undone]:
        return self.again


SIGNER = NoteSigner.generate(uuid7())


async def signer() -> NoteSigner:
    return SIGNER


@forall(
    at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2999, 1, 1)),  # noqa: DTZ001
    position=st.integers(0, 2**62),
    hashed=st.one_of(st.just(b""), st.binary(min_size=32, max_size=32)),
    keyed=st.booleans(),
)
def test_a_note_reads_back(at: datetime, position: int, hashed: bytes, *, keyed: bool) -> None:
    one = deletion(
        at=at.replace(tzinfo=UTC),
        position=position,
        hash=hashed,
        key_id=uuid7() if keyed else None,
    )
    assert Deletion.parse(one.text(ORIGIN), ORIGIN) == one


def test_a_note_of_another_log_or_form_is_none() -> None:
    text = deletion().text(ORIGIN)
    for wrong in (text + "\n", text.replace("position 7", "position 07"), text[:-2], "", "x\n"):
        with pytest.raises(NotADeletion):
            Deletion.parse(wrong, ORIGIN)
    with pytest.raises(NotADeletion):
        Deletion.parse(text, "build-practical/log/another")


async def test_every_deletion_gets_one_note_however_often_it_is_tried() -> None:
    store, known = Store(), Deletions([deletion(), deletion(at=AT + timedelta(seconds=1))])
    notes = DeletionNotes(known, store, signer)
    assert await notes.write_all() == 2
    assert await notes.write_all() == 0
    known.noticed.clear()  # Killed between the note and the mark.
    assert await notes.write_all() == 2
    assert len(store.notes) == 2
    told = [Deletion.parse(SIGNER.body(note), SIGNER.origin) for note in store.notes.values()]
    assert told == known.waiting


async def test_two_at_the_same_moment_have_a_note_each() -> None:
    store, known = Store(), Deletions([deletion(), deletion(), deletion()])
    await DeletionNotes(known, store, signer).write_all()
    assert sorted(known.noticed.values()) == sorted(store.notes)
    assert len(store.notes) == 3


async def test_as_long_as_the_store_is_away_nothing_counts_as_noted() -> None:
    store, known = Store(away=True), Deletions([deletion()])
    notes = DeletionNotes(known, store, signer)
    with pytest.raises(Unavailable):
        await notes.write_all()
    assert not known.noticed
    store.away = False
    assert await notes.write_all() == 1


async def test_one_that_cannot_be_noted_holds_up_no_other_and_is_tried_again() -> None:
    rotten, good = deletion(), deletion(at=AT + timedelta(seconds=1))
    store, known = Store(), Deletions([rotten, good])
    held = store.get

    async def breaks(number: int) -> bytes:
        if number == rotten.number:
            raise ArtifactMissing
        return await held(number)

    store.notes[rotten.number] = b"somebody else's"
    store.get = breaks  # type: ignore[method-assign]
    notes = DeletionNotes(known, store, signer)
    with capture_logs() as said:
        assert await notes.write_all() == 1
        assert await notes.write_all() == 0
    assert [(line["event"], line["feature"]) for line in said] == [
        ("deletion_put_aside", str(rotten.feature_id))
    ]
    assert list(known.noticed) == [good.feature_id]
    store.get = held  # type: ignore[method-assign]
    assert await notes.write_all() == 1


async def restored(known: Deletions, store: Store, log: MemoryLog | None = None) -> int | None:
    @asynccontextmanager
    async def log_of() -> AsyncIterator[MemoryLog]:
        assert log is not None
        yield log

    return await delete_again(known, store, SIGNER, log_of, uuid7)


async def test_where_notes_could_be_overwritten_none_is_kept_and_that_is_said() -> None:
    store, known, stop = Store(conditional=False), Deletions([deletion()]), asyncio.Event()
    notes = DeletionNotes(known, store, signer)
    with capture_logs() as said:
        running = asyncio.create_task(notes.run(stop))
        while notes.pulse.rounds < 2:
            notes.wake()
            await asyncio.sleep(0)
        stop.set()
        await running
    assert (store.notes, known.noticed, known.waits) == ({}, {}, False)
    assert [line["event"] for line in said] == ["deletions_unnoted"]


async def test_what_a_database_has_lost_is_destroyed_in_it_again() -> None:
    store, before = Store(), Deletions([deletion(), deletion(position=9)])
    await DeletionNotes(before, store, signer).write_all()
    after = Deletions(known={min(store.notes)})
    assert await restored(after, store) == 9
    assert after.destroyed == [before.waiting[1]]
    assert await restored(after, store) is None


async def test_the_log_says_so_again_and_once() -> None:
    log, feature_id, tenant_id = MemoryLog(Clock()), uuid7(), uuid7()
    [first] = await log.append(
        feature_id,
        [(uuid7(), e.FeatureCreated("A"))],
        expected=0,
        origin=Metadata(tenant_id, "user:x", uuid7()),
    )
    undone = Undone(tenant_id, feature_id, 1, first.hash, 12, bytes(32))
    known, store = Deletions(again=[undone]), Store()
    assert await restored(known, store, log) == 12
    assert await restored(known, store, log) == 12  # Another process, at the same moment.
    assert [(r.type, r.actor) for r in log.events[1:]] == [("feature_deleted", "system:continuity")]


async def test_a_stream_that_moved_meanwhile_is_looked_at_again() -> None:
    log, feature_id, tenant_id = MemoryLog(Clock()), uuid7(), uuid7()
    asked = [(uuid7(), e.FeatureCreated("A")), (uuid7(), e.FeatureRenamed("B"))]
    recorded = await log.append(
        feature_id, asked, expected=0, origin=Metadata(tenant_id, "user:x", uuid7())
    )
    undone = Undone(tenant_id, feature_id, 1, recorded[0].hash, 12, bytes(32))
    with pytest.raises(Unavailable):
        await restored(Deletions(again=[undone]), Store(), log)


async def test_a_note_that_this_log_did_not_sign_destroys_nothing_and_is_named() -> None:
    store, forged = Store(), deletion()
    stranger = NoteSigner.generate(SIGNER.log_id)
    store.notes = {
        1: stranger.note(forged.text(stranger.origin)),
        2: SIGNER.note(forged.text(SIGNER.origin)).replace(b"position 7", b"position 8"),
        3: b"rubbish",
    }
    known = Deletions()
    with capture_logs() as said:
        assert await restored(known, store) is None
    assert known.destroyed == []
    assert [line["event"] for line in said] == ["destroyed_note_refused"] * 3
