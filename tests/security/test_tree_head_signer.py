"""The tree head signer: one tree whoever is at it, heads for all of it, no signature on a lie."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from application.ports import Unavailable
from application.transparency import CompactRange, MerkleTree, event_leaf, verify_consistency
from application.transparency.tree_head_signer import LogContradicted
from infrastructure.artifacts.tree_heads import FolderTreeHeads, name_of
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey, WrongMasterKey
from infrastructure.transparency import LogKeys
from tests.integration.logs import MASTER_TEXT
from tests.security.signed_log import FIRST, SECOND, SIZE, SignedLog, signed_log, told


@pytest.fixture
async def kept(database: str, tmp_path: Path) -> AsyncIterator[SignedLog]:
    async with signed_log(database, tmp_path / "checkpoints") as store:
        yield store


class Flaky:
    """A store that can be switched off, also between its work and its answer."""

    def __init__(self, store: FolderTreeHeads) -> None:
        self._store = store
        self.down = False
        self.answer_lost = False
        self.puts = 0

    async def fit(self) -> bool:
        return True

    async def put_new(self, size: int, note: bytes) -> bool:
        self._check()
        self.puts += 1
        done = await self._store.put_new(size, note)
        if self.answer_lost:
            raise Unavailable("the store")
        return done

    async def list(self, after: int = 0) -> Sequence[int]:
        self._check()
        return await self._store.list(after)

    async def get(self, size: int) -> bytes:
        self._check()
        return await self._store.get(size)

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store")


async def leaves(kept: SignedLog) -> list[bytes]:
    rows = kept.sql("SELECT position, hash FROM es.events ORDER BY position")
    return [event_leaf(position, bytes(hashed)) for position, hashed in rows]


async def test_every_growth_has_a_signed_tree_head_with_the_root_over_all_events(
    kept: SignedLog,
) -> None:
    await told(kept)
    key = await kept.keys.verifier()
    assert key is not None
    tree = MerkleTree(await leaves(kept))
    for size in (len(FIRST), SIZE):
        note = await kept.store.get(size)
        said = key.read(note)
        assert (said.size, said.position, said.root) == (size, size, tree.root(size))
        assert note.decode().splitlines()[:3] == [key.origin, str(size), note.decode().split()[2]]
    roots = tree.root(len(FIRST)), tree.root(SIZE)
    assert verify_consistency(len(FIRST), SIZE, *roots, tree.consistency(len(FIRST), SIZE))


async def test_a_log_at_rest_gets_no_further_tree_heads(kept: SignedLog) -> None:
    assert await kept.store.list() == []
    await kept.seal()
    assert await kept.store.list() == []
    await kept.record(FIRST)
    await kept.seal()
    await kept.seal()
    assert await kept.store.list() == [len(FIRST)]


async def test_a_tree_head_waits_for_its_time_and_not_longer(kept: SignedLog) -> None:
    await kept.record(FIRST)
    tree_head_signer = kept.tree_head_signer()
    assert not await tree_head_signer.round(45)
    await kept.record(SECOND)
    assert not await tree_head_signer.round(45)
    assert await kept.store.list() == [len(FIRST)]
    kept.sql("UPDATE app.log_tree SET grown_at = grown_at - interval '46 seconds'")
    await tree_head_signer.round(45)
    assert await kept.store.list() == [len(FIRST), SIZE]


async def test_a_tree_head_signer_that_is_told_to_stop_signs_what_is_there(kept: SignedLog) -> None:
    await kept.record(FIRST)
    stop = asyncio.Event()
    running = asyncio.create_task(kept.tree_head_signer(every_seconds=60).run(stop))
    async with asyncio.timeout(10):
        while await kept.store.list() != [len(FIRST)]:
            await asyncio.sleep(0.01)
    await kept.record(SECOND)
    stop.set()
    await running
    assert await kept.store.list() == [len(FIRST), SIZE]


async def test_any_number_of_signers_make_one_tree(kept: SignedLog) -> None:
    stop = asyncio.Event()
    running = [
        asyncio.create_task(kept.tree_head_signer(every_seconds=0.01).run(stop)) for _ in range(4)
    ]
    async with asyncio.timeout(20):
        for names in (FIRST, SECOND, "ABC", "D", "ABCD") * 4:
            await kept.record(names)
            while not (await kept.tree.state()).noted_size:  # The first tree head, of several.
                await asyncio.sleep(0.01)
        while (await kept.tree.state()).noted_size < sum(kept.versions.values()):
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*running)
    assert len(await kept.store.list()) > 1
    report = await kept.verify()
    assert report.valid, report.broken
    assert report.covered == report.events == sum(kept.versions.values())


async def test_a_tree_head_signer_killed_between_growth_and_tree_head_is_made_up_for(
    kept: SignedLog,
) -> None:
    store = Flaky(kept.store)
    await kept.record(FIRST)
    state = await kept.tree.state()
    grown = CompactRange()
    for leaf in await leaves(kept):
        grown.append(leaf)
    assert await kept.tree.advance(state, grown, len(FIRST))
    assert await kept.store.list() == []
    await kept.record(SECOND)
    await kept.tree_head_signer(store).round(0)
    assert await kept.store.list() == [len(FIRST), SIZE]
    assert (await kept.verify()).valid


async def test_a_tree_head_whose_answer_was_lost_is_not_written_twice(kept: SignedLog) -> None:
    store = Flaky(kept.store)
    store.answer_lost = True
    await kept.record(FIRST)
    with pytest.raises(Unavailable):
        await kept.tree_head_signer(store).round(0)
    before = await kept.store.get(len(FIRST))
    assert (await kept.tree.state()).noted_size == 0
    store.answer_lost = False
    await kept.tree_head_signer(store).round(0)
    assert (await kept.tree.state()).noted_size == len(FIRST)
    assert await kept.store.get(len(FIRST)) == before


async def test_a_store_that_was_down_gets_what_it_missed(kept: SignedLog) -> None:
    store = Flaky(kept.store)
    store.down = True
    stop = asyncio.Event()
    running = asyncio.create_task(kept.tree_head_signer(store, every_seconds=0.04).run(stop))
    for names in (FIRST, SECOND, "AB"):
        await kept.record(names)
    async with asyncio.timeout(10):
        while (await kept.tree.state()).lag_seconds < 0.1:
            await asyncio.sleep(0.01)
    assert await kept.store.list() == []
    store.down = False
    async with asyncio.timeout(10):
        while (await kept.tree.state()).noted_size < 12:
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert (await kept.tree.state()).lag_seconds == 0
    report = await kept.verify()
    assert (report.valid, report.covered) == (True, 12)


async def test_a_long_backlog_is_taken_in_parts_each_with_its_tree_head(
    kept: SignedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.transparency.tree_head_signer.EVENTS_AT_ONCE", 4)
    monkeypatch.setattr("application.transparency.tree_head_signer.PAGE", 3)
    await kept.record(FIRST + SECOND)
    await kept.tree_head_signer().round(45)
    assert await kept.store.list() == [4, 8, 10]
    assert (await kept.verify()).checkpoints == 3


async def test_an_append_under_way_is_waited_for_and_never_passed_over(kept: SignedLog) -> None:
    """Below a hole: the high-water mark waits there until it is filled or proven."""
    await kept.record("AB")
    with psycopg.connect(kept.url) as slow:
        slow.execute("LOCK TABLE es.events IN ROW EXCLUSIVE MODE")
        slow.execute("SELECT nextval('es.positions')")
        await kept.record("CD")
        await kept.seal()
        assert await kept.store.list() == [2]
        slow.rollback()
    await kept.seal()
    assert await kept.store.list() == [2, 4]
    assert (await kept.verify()).valid


async def test_a_tree_that_was_lost_grows_again_up_to_the_tree_heads(kept: SignedLog) -> None:
    await told(kept)
    kept.sql("UPDATE app.log_tree SET size = 0, position = 0, peaks = '{}', noted_size = 0")
    await kept.seal()
    assert await kept.store.list() == [len(FIRST), SIZE, 12]
    assert (await kept.verify()).valid


@pytest.mark.parametrize(
    "damage",
    [
        "peaks = peaks[1:1] || ARRAY['\\x00'::bytea || substr(peaks[2], 2)]",
        "peaks = peaks[1:1]",
        "size = 11, noted_size = 11, peaks = peaks || peaks[1:1]",
        "size = 6, position = 6, peaks = ARRAY[peaks[2], peaks[1]]",
    ],
)
async def test_a_damaged_tree_signs_nothing(kept: SignedLog, damage: str) -> None:
    await told(kept)
    kept.sql(f"UPDATE app.log_tree SET {damage}")  # noqa: S608
    before = await kept.store.list()
    with pytest.raises(LogContradicted):
        await kept.seal()
    assert await kept.store.list() == before


async def test_a_newest_tree_head_that_is_gone_is_not_made_anew(kept: SignedLog) -> None:
    await told(kept)
    (kept.folder / name_of(SIZE)).unlink()
    with pytest.raises(LogContradicted, match="was stored, and is gone"):
        await kept.seal()
    assert await kept.store.list() == [len(FIRST)]


async def test_a_log_set_back_behind_its_tree_heads_signs_nothing(kept: SignedLog) -> None:
    await told(kept)
    kept.attack("DELETE FROM es.events WHERE position > 8")
    kept.sql("UPDATE app.log_tree SET size = 0, position = 0, peaks = '{}', noted_size = 0")
    with pytest.raises(LogContradicted, match="has 8 events; the tree head was made of 10"):
        await kept.seal()


async def test_a_contradiction_is_told_again_and_again_and_ends_no_process(
    kept: SignedLog, capsys: pytest.CaptureFixture[str]
) -> None:
    await told(kept)
    kept.sql("UPDATE app.log_tree SET peaks = peaks[1:1]")
    stop = asyncio.Event()
    running = asyncio.create_task(kept.tree_head_signer(every_seconds=0.02).run(stop))
    said = ""
    async with asyncio.timeout(10):
        while said.count("log_contradicts_its_checkpoint") < 2:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().out
    stop.set()
    await running


async def test_the_wait_for_a_tree_head_is_measured(kept: SignedLog) -> None:
    assert (await kept.tree.state()).lag_seconds == 0
    await kept.record("A")
    async with asyncio.timeout(10):
        while (await kept.tree.state()).lag_seconds < 0.05:
            await asyncio.sleep(0.01)
    await kept.seal()
    assert (await kept.tree.state()).lag_seconds == 0


async def test_all_processes_sign_with_one_key_that_only_the_master_key_opens(
    kept: SignedLog,
) -> None:
    master = MasterKey.from_text(MASTER_TEXT)
    signers = await asyncio.gather(*(LogKeys(kept.sweeper).signer(master) for _ in range(5)))
    assert len({signer.public for signer in signers}) == 1
    assert await kept.keys.published() == signers[0].text()
    sealed: Any = bytes(kept.sql("SELECT sealed FROM app.log_keys")[0][0])
    assert signers[0]._private.private_bytes_raw() not in sealed  # noqa: SLF001
    with pytest.raises(WrongMasterKey):
        await kept.keys.signer(MasterKey.from_text(MasterKey.generate_text()))


async def test_the_api_sees_how_long_events_wait_and_the_public_key_and_no_more(
    kept: SignedLog,
) -> None:
    await kept.record("A")
    async with Database(kept.url, "bp_api", max_size=1) as database:
        keys = LogKeys(database)
        assert await keys.published() is None
        assert (await database.call("SELECT app.checkpoint_lag() > 0"))[0] == (True,)
        await kept.seal()
        assert (await database.call("SELECT app.checkpoint_lag()"))[0] == (0,)
        assert await keys.published() == await kept.keys.published()
        for query in ("SELECT sealed FROM app.log_keys", "SELECT * FROM app.log_tree"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await database.call(query)


async def test_nobody_replaces_or_removes_the_key(kept: SignedLog) -> None:
    await kept.keys.signer(MasterKey.from_text(MASTER_TEXT))
    for query in ("DELETE FROM app.log_keys", "UPDATE app.log_keys SET public_key = public_key"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await kept.sweeper.call(query)


def test_names_of_tree_heads_sort_like_their_sizes() -> None:
    assert [name_of(9), name_of(10)] == sorted([name_of(10), name_of(9)])
