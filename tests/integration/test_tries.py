"""Tries that several processes count together, in the database."""

import asyncio

import psycopg
import pytest

from application.identity.rate_limit import Allowance, Name, OwnTries, RateLimiter, Tries
from application.ports import Unavailable
from infrastructure.identity.tries import PostgresTries
from infrastructure.postgres.database import Database

HOUR = Allowance(3, 3_600.0)


def one(name: str, allowance: Allowance = HOUR) -> tuple[Name, Allowance]:
    return ("check", name), allowance


@pytest.fixture(params=["own", "shared"])
def tries(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def both(kind: str, url: str) -> tuple[Tries, Tries, list[Database]]:
    """The count as two processes see it, or twice the same of one."""
    if kind == "own":
        own = OwnTries(RateLimiter(lambda: 0.0))
        return own, own, []
    databases = [Database(url, "bp_api", max_size=4) for _ in range(2)]
    for database in databases:
        await database.open()
    return *(PostgresTries(database) for database in databases), databases  # type: ignore[return-value]


async def test_tries_are_counted_for_all_and_given_back(tries: str, database: str) -> None:
    here, there, databases = await both(tries, database)
    try:
        assert [await each.take(one("a")) for each in (here, there, here)] == [0, 0, 0]
        assert 1_190 < await there.take(one("a")) <= 1_200
        assert await here.take(one("b")) == 0
        # Together or not at all: what one of them refuses, the other has not spent.
        assert await there.take(one("a"), one("b")) > 0
        assert [await here.take(one("b")) for _ in range(2)] == [0, 0]
        await there.give_back(*one("a"))
        assert await here.take(one("a")) == 0
        assert await here.take(one("a")) > 0
        assert await here.take() == 0
    finally:
        for each in databases:
            await each.close()


async def test_of_many_at_once_no_more_get_through_than_may(tries: str, database: str) -> None:
    here, there, databases = await both(tries, database)
    try:
        names = (one("x"), one("y"))
        asked = [
            each.take(*(names if n % 2 else reversed(names)))
            for n in range(12)
            for each in (here, there)
        ]
        waits = await asyncio.gather(*asked)
        assert sum(wait == 0 for wait in waits) == 3
    finally:
        for each in databases:
            await each.close()


async def test_what_is_empty_again_is_forgotten_and_a_clock_set_back_locks_nobody_out(
    database: str,
) -> None:
    async with Database(database, "bp_api", max_size=1) as opened:
        shared = PostgresTries(opened)
        for n in range(5):
            await shared.take(one(f"old {n}"))
        await shared.take(one("ahead"))
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("UPDATE app.tries SET empty_at = '2020-01-01' WHERE name LIKE '%old%'")
            owner.execute("UPDATE app.tries SET empty_at = '2100-01-01' WHERE name LIKE '%ahead'")
            assert 0 < await shared.take(one("ahead")) <= 1_200
            left = owner.execute("SELECT count(*) FROM app.tries").fetchone()
        assert left == (1,)


async def test_without_a_database_nobody_may_try() -> None:
    async with Database("postgresql://127.0.0.1:1/none", "bp_api", max_size=1) as gone:
        with pytest.raises(Unavailable):
            await PostgresTries(gone).take(one("a"))
