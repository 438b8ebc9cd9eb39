"""A process notices that the log was set back, and works on nothing that nobody vouched for."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from structlog.testing import capture_logs

from application.continuity.watch import RECENT, Continuity, Loss, Places, Stand
from application.ports import Unavailable


def hash_of(position: int, history: str = "one") -> bytes:
    return sha256(f"{history} {position}".encode()).digest()


@dataclass
class Database:
    """A log in memory, and who vouched for it."""

    events: dict[int, bytes] = field(default_factory=dict)
    incarnation: str = "first"
    vouched: set[str] = field(default_factory=set)
    losses: list[Loss | None] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    ahead: int | None = None
    looks: list[Places] = field(default_factory=list)

    def append(self, *positions: int, history: str = "one") -> None:
        self.events.update({position: hash_of(position, history) for position in positions})

    def set_back(self, after: int, incarnation: str) -> None:
        self.events = {p: h for p, h in self.events.items() if p <= after}
        self.incarnation = incarnation

    async def look(self, places: Places) -> Stand:
        self.looks.append(places)
        newest = sorted(self.events.items())[-4:]
        return Stand(
            incarnation=self.incarnation,
            vouched=self.incarnation in self.vouched,
            system="7",
            timeline=1,
            end=max(self.events, default=0),
            lost=[position for position, of in places if self.events.get(position) != of],
            ahead=self.ahead,
            newest=newest,
            gaps=self.gaps,
            noted_size=0,
        )

    async def vouch(self, incarnation: str, by: str, loss: Loss | None) -> bool:
        if incarnation != self.incarnation:
            return False
        self.vouched.add(incarnation)
        self.losses.append(loss)
        if loss:
            self.gaps.append(loss)
        return True


@dataclass
class Outside:
    """Notes and checkpoints, which may be away."""

    destroyed: int | None = None
    signed_upto: int = 0
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def restore_deletions(self, *, newest_only: bool) -> int | None:
        self.asked.append("newest" if newest_only else "all")
        if self.away:
            raise Unavailable("the object store")
        destroyed, self.destroyed = self.destroyed, None
        return destroyed

    async def covered(self, beyond: int) -> int:
        return self.signed_upto


@dataclass
class Watched:
    """One process."""

    database: Database = field(default_factory=Database)
    outside: Outside | None = field(default_factory=Outside)
    forgot: int = 0

    def __post_init__(self) -> None:
        self.continuity = Continuity("test")
        self.continuity.bind(self.database, self.outside)
        self.continuity.on_set_back(self._forget)

    def _forget(self) -> None:
        self.forgot += 1
        assert not self.continuity.trusts(self.database.incarnation) or self.database.vouched

    @property
    def trusts(self) -> bool:
        return self.continuity.trusts(self.database.incarnation)

    async def look(self) -> list[str]:
        """Look once; what was said."""
        with capture_logs() as said:
            await self.continuity.look()
        return [line["event"] for line in said]


async def started(*positions: int) -> Watched:
    here = Watched()
    here.database.append(*positions)
    await here.look()
    assert here.trusts
    return here


async def test_nothing_is_trusted_before_it_was_looked_at() -> None:
    here = Watched()
    assert not here.trusts
    assert await here.look() == []
    assert here.trusts
    assert here.database.losses == [None]


async def test_a_log_that_goes_on_is_no_news() -> None:
    here = await started(1, 2, 3)
    here.database.append(4, 5)
    assert await here.look() == []
    assert (here.forgot, here.continuity.set_backs) == (0, 0)


async def test_whoever_remembers_all_vouches_for_a_restarted_database_without_the_store() -> None:
    here = await started(1, 2, 3)
    here.database.incarnation = "second"
    assert here.outside is not None
    here.outside.away = True
    assert not here.trusts
    assert await here.look() == []
    assert here.trusts


async def test_who_remembers_all_still_asks_for_what_was_destroyed_since_the_last_look() -> None:
    here = await started(1, 2)
    assert here.outside is not None
    here.database.incarnation, here.outside.destroyed = "second", 3
    assert await here.look() == ["log_set_back"]
    assert here.outside.asked == ["all", "newest"]
    assert here.database.losses[-1] == Loss(2, 3)


async def test_a_set_back_is_noticed_told_once_and_forgotten() -> None:
    here = await started(1, 2, 3, 4)
    here.database.set_back(2, "second")
    assert await here.look() == ["log_set_back"]
    assert here.database.losses[-1] == Loss(2, 4)
    assert here.trusts
    assert await here.look() == []
    assert (here.forgot, here.continuity.set_backs) == (1, 1)
    assert [here.continuity.is_gap(p) for p in (2, 3, 4, 5)] == [False, True, True, False]


async def test_who_had_not_looked_since_learns_of_it_from_who_had() -> None:
    here = await started(1, 2)
    there = Watched(here.database)
    await there.look()
    here.database.append(3, 4)
    await there.look()  # Of `here` other parts may have read these events, but nothing has looked.
    here.database.set_back(2, "second")
    assert await there.look() == ["log_set_back"]
    assert await here.look() == ["log_set_back"]
    assert (here.forgot, there.forgot) == (1, 1)
    assert here.trusts
    assert await here.look() == await there.look() == []
    later = Watched(here.database)
    assert await later.look() == []  # It remembers nothing of what was lost.


async def test_who_vouched_before_another_found_the_loss_forgets_too() -> None:
    here = await started(1, 2)
    there = Watched(here.database)
    await there.look()
    here.database.append(3)
    await there.look()
    here.database.set_back(2, "second")
    assert await here.look() == []
    assert await there.look() == ["log_set_back"]
    assert await here.look() == ["log_set_back"]
    assert await here.look() == await there.look() == []
    assert (here.forgot, there.forgot) == (1, 1)


async def test_a_log_that_grew_again_to_the_same_place_is_another_one() -> None:
    here = await started(1, 2, 3, 4)
    here.database.set_back(2, "first")  # In place: the server was never stopped.
    here.database.append(3, 4, 5, 6, history="two")
    assert await here.look() == ["log_set_back"]
    assert here.database.losses[-1] == Loss(2, 4)


async def test_what_this_process_appended_itself_is_remembered_at_once() -> None:
    here = await started(1, 2)
    here.database.append(3)
    here.continuity.saw(3, hash_of(3))
    here.database.set_back(2, "second")
    assert await here.look() == ["log_set_back"]


async def test_all_that_was_remembered_may_be_lost() -> None:
    here = await started(5, 6, 7)
    here.database.set_back(4, "second")
    assert await here.look() == ["log_set_back"]
    assert here.database.losses[-1] == Loss(0, 7)


async def test_a_process_that_remembers_nothing_asks_what_is_kept_outside() -> None:
    here = Watched()
    here.database.append(1, 2)
    assert here.outside is not None
    here.outside.signed_upto = 9
    assert await here.look() == ["log_set_back"]
    assert here.database.losses == [Loss(2, 9)]
    again = Watched(here.database, Outside(signed_upto=9))
    assert await again.look() == []  # Vouched for: it is known.


async def test_a_signed_checkpoint_within_the_log_is_no_news() -> None:
    here = Watched(outside=Outside(signed_upto=2))
    here.database.append(1, 2, 3)
    assert await here.look() == []


async def test_a_lost_deletion_is_made_again_before_anybody_works() -> None:
    here = Watched(outside=Outside(destroyed=3))
    here.database.append(1, 2)
    assert await here.look() == ["log_set_back"]
    assert here.database.losses == [Loss(2, 3)]


async def test_as_long_as_the_store_is_away_nobody_vouches_for_a_log_that_was_set_back() -> None:
    here = await started(1, 2, 3)
    assert here.outside is not None
    here.database.set_back(2, "second")
    here.outside.away = True
    with capture_logs() as said:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await here.continuity.look()
    assert [line["event"] for line in said] == ["log_set_back"]  # Said, and once.
    assert not here.trusts
    here.outside.away, here.outside.destroyed = False, 3
    assert await here.look() == []
    assert here.database.losses[-1] == Loss(2, 3)
    assert here.trusts


async def test_an_empty_log_needs_no_store() -> None:
    here = Watched(outside=Outside(away=True))
    assert await here.look() == []
    assert here.trusts


async def test_a_process_that_may_not_append_waits_for_one_that_may() -> None:
    here = Watched(outside=None)
    here.database.append(1, 2, 3)
    await here.look()
    assert not here.trusts
    here.database.vouched.add("first")
    await here.look()
    assert here.trusts
    here.database.set_back(2, "second")
    assert await here.look() == ["log_set_back"]
    assert await here.look() == []
    assert not here.trusts
    here.database.vouched.add("second")
    await here.look()
    assert here.trusts


async def test_who_may_not_append_says_only_once_that_tables_are_ahead() -> None:
    here = Watched(outside=None)
    here.database.append(1, 2)
    here.database.ahead = 5
    assert await here.look() == ["log_set_back"]
    assert await here.look() == []


async def test_tables_that_are_ahead_of_the_log_tell_who_remembers_nothing() -> None:
    here = Watched()
    here.database.append(1, 2)
    here.database.ahead = 5
    assert await here.look() == ["log_set_back"]
    assert here.database.losses == [Loss(2, 5)]
    assert await here.look() == []
    again = Watched(here.database)
    assert await again.look() == []  # Though a read model still stands there.


async def test_old_places_are_remembered_too_and_ever_fewer() -> None:
    here = await started(1)
    for first in range(1, 2_000, 100):
        here.database.append(*range(first, first + 100))
        for position in range(first, first + 100):
            here.continuity.saw(position, hash_of(position))
        await here.look()
    here.database.append(2_001)
    await here.look()
    assert len(here.database.looks[-1]) <= 2 * RECENT
    assert here.database.looks[-1][0][0] < 200


async def test_a_doubt_is_looked_into_at_once() -> None:
    here = await started(1, 2, 3)
    stop = asyncio.Event()
    running = asyncio.create_task(here.continuity.run(stop))
    async with asyncio.timeout(20):
        while len(here.database.looks) < 2:
            await asyncio.sleep(0)
        here.database.set_back(2, "second")
        assert not here.trusts
        while not here.trusts:
            await asyncio.sleep(0)
        stop.set()
        await running


async def test_one_that_changed_while_it_was_looked_at_is_not_vouched_for() -> None:
    class Restless(Database):
        async def vouch(self, incarnation: str, by: str, loss: Loss | None) -> bool:
            self.incarnation = "third"
            return await super().vouch(incarnation, by, loss)

    here = Watched(Restless())
    await here.look()
    assert not here.trusts
    assert not here.database.vouched
