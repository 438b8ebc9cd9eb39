"""What every store of accounts keeps, and every store of their sessions beside it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.identity.account_ports import EVER, Account, AccountStore
from infrastructure.identity.accounts import PostgresAccounts, PostgresSessions
from infrastructure.identity.refresh import RefreshRecord
from infrastructure.postgres.database import Database
from tests.fakes.accounts import MemoryAccounts, MemorySessions

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NEW_HASH = "$argon2id$new"
SOON = NOW + timedelta(seconds=1)
LATER = NOW + timedelta(hours=1)


@dataclass
class Identity:
    """Accounts and their sessions, which belong together."""

    accounts: AccountStore
    sessions: PostgresSessions | MemorySessions

    async def opened(self, email: str = "ann@example.org") -> Account:
        account = Account(uuid7(), uuid7(), email, "$argon2id$stored")
        assert await self.accounts.add(account)
        return account

    async def started(self, account: Account) -> RefreshRecord:
        record = first(account)
        assert await self.sessions.start(record, account.sessions_valid_from)
        return record


def first(account: Account) -> RefreshRecord:
    """The first token of a session."""
    return RefreshRecord(
        secrets.token_bytes(32),
        uuid7(),
        account.user_id,
        account.tenant_id,
        NOW,
        LATER,
        LATER + timedelta(days=1),
    )


def next_of(record: RefreshRecord, at: datetime = SOON) -> RefreshRecord:
    """A token to be given in exchange for another."""
    return replace(record, token_sha256=secrets.token_bytes(32), issued_at=at, used_at=None)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def identity(request: pytest.FixtureRequest) -> AsyncIterator[Identity]:
    if request.param == "memory":
        accounts = MemoryAccounts()
        yield Identity(accounts, MemorySessions(accounts))
        return
    async with Database(request.getfixturevalue("database"), "bp_api", max_size=4) as api:
        yield Identity(PostgresAccounts(api), PostgresSessions(api))


async def test_an_address_has_one_account_and_finds_it(identity: Identity) -> None:
    ann = await identity.opened()
    store = identity.accounts
    assert await store.find(ann.email) == ann
    for again in (ann, replace(ann, user_id=uuid7()), replace(ann, email="eve@example.org")):
        assert await store.add(again) is False
    assert await store.find(ann.email) == ann
    for email in ("bob@example.org", "eve@example.org", "ann", "", "a\x00b"):
        assert await store.find(email) is None


async def test_of_two_sign_ups_at_once_one_makes_the_account(identity: Identity) -> None:
    accounts = [Account(uuid7(), uuid7(), "ann@example.org", "hash") for _ in range(4)]
    made = await asyncio.gather(*(identity.accounts.add(one) for one in accounts))
    assert sorted(made) == [False, False, False, True]
    assert await identity.accounts.find("ann@example.org") == accounts[made.index(True)]


async def test_a_hash_is_replaced_only_where_it_is_still_the_old_one(identity: Identity) -> None:
    ann, bob = await identity.opened(), await identity.opened("bob@example.org")
    store = identity.accounts
    await store.rehash(ann.user_id, "another", "worse")
    await store.rehash(uuid7(), ann.password_hash, "worse")
    assert await store.find(ann.email) == ann
    await store.rehash(ann.user_id, ann.password_hash, NEW_HASH)
    assert await store.find(ann.email) == replace(ann, password_hash=NEW_HASH)
    assert await store.find(bob.email) == bob


async def test_an_account_knows_its_own_newest_networks(identity: Identity) -> None:
    ann, bob = await identity.opened(), await identity.opened("bob@example.org")
    store = identity.accounts
    marks = [secrets.token_bytes(32) for _ in range(22)]
    for number, mark in enumerate(marks):
        await store.know(ann.user_id, mark, NOW + timedelta(seconds=number))
    await store.know(ann.user_id, marks[5], NOW)  # An old sign-in that is told of late.

    async def knows(who: Account, *asked: bytes) -> bool:
        found = await store.find(who.email, asked)
        return found is not None and found.is_network_known

    assert [await knows(ann, mark) for mark in marks] == [False] * 2 + [True] * 20
    assert await knows(ann, marks[0], marks[-1])
    assert not await knows(bob, *marks)
    assert not await knows(ann)
    await store.know(ann.user_id, marks[2], LATER)  # Which makes it the newest.
    await store.know(ann.user_id, marks[0], LATER)
    assert [await knows(ann, marks[number]) for number in (0, 2, 3, 4)] == [True, True, False, True]


async def test_a_reset_is_good_once_and_in_its_time(identity: Identity) -> None:
    ann, bob = await identity.opened(), await identity.opened("bob@example.org")
    store = identity.accounts
    token, others = secrets.token_bytes(32), secrets.token_bytes(32)
    await store.add_reset(ann, token, LATER)
    await store.add_reset(bob, others, LATER)
    assert await store.reset_of(token, LATER) is None
    assert await store.reset(token, "late", LATER) is None
    assert await store.reset_of(secrets.token_bytes(32), NOW) is None
    assert await store.reset(secrets.token_bytes(32), "stolen", NOW) is None
    assert [await store.reset_of(token, NOW) for _ in range(2)] == [ann.email] * 2
    assert await store.reset(token, NEW_HASH, NOW) == ann.user_id
    changed = replace(ann, password_hash=NEW_HASH, sessions_valid_from=NOW)
    assert await store.find(ann.email) == changed
    assert await store.reset_of(token, NOW) is None
    assert await store.reset(token, "newer", NOW) is None
    assert await store.find(bob.email) == bob
    assert await store.reset_of(others, NOW) == bob.email


async def test_a_reset_takes_the_other_resets_of_the_account_with_it(identity: Identity) -> None:
    ann = await identity.opened()
    store = identity.accounts
    token, older = secrets.token_bytes(32), secrets.token_bytes(32)
    for one in (older, token):
        await store.add_reset(ann, one, LATER)
    await store.reset(token, "new", NOW)
    assert await store.reset_of(older, NOW) is None
    assert await store.reset(older, "stolen", NOW) is None
    newest = secrets.token_bytes(32)
    await store.add_reset(ann, newest, LATER)
    assert await store.reset(newest, "newer", SOON) == ann.user_id


async def test_resets_at_one_moment_each_end_what_began_before(identity: Identity) -> None:
    ann = await identity.opened()
    store, since = identity.accounts, []
    for number in range(2):
        token = secrets.token_bytes(32)
        await store.add_reset(ann, token, LATER)
        await store.reset(token, f"new {number}", NOW)
        found = await store.find(ann.email)
        assert found is not None
        since.append(found.sessions_valid_from)
    assert NOW == since[0] < since[1]


async def test_a_reset_ends_the_sessions_and_forgets_the_networks_of_its_account(
    identity: Identity,
) -> None:
    ann, bob = await identity.opened(), await identity.opened("bob@example.org")
    store, network, token = identity.accounts, secrets.token_bytes(32), secrets.token_bytes(32)
    over = await identity.started(ann)
    await identity.sessions.end_family(over.family_id, NOW)
    running, theirs = await identity.started(ann), await identity.started(bob)
    for one in (ann, bob):
        await store.know(one.user_id, network, NOW)
    await store.add_reset(ann, token, LATER)
    await store.reset(token, "new", SOON)
    ended = [
        found.family_ended_at
        for record in (over, running, theirs)
        if (found := await identity.sessions.find(record.token_sha256))
    ]
    assert ended == [NOW, SOON, None]
    found = [await store.find(one.email, [network]) for one in (ann, bob)]
    assert [one is not None and one.is_network_known for one in found] == [False, True]


async def test_no_session_starts_on_a_password_that_was_replaced(identity: Identity) -> None:
    ann = await identity.opened()
    token = secrets.token_bytes(32)
    await identity.accounts.add_reset(ann, token, LATER)
    await identity.accounts.reset(token, "new", NOW)
    late = first(ann)
    assert await identity.sessions.start(late, ann.sessions_valid_from) is False
    assert await identity.sessions.find(late.token_sha256) is None
    now = await identity.accounts.find(ann.email)
    assert now is not None
    assert await identity.sessions.start(late, now.sessions_valid_from) is True


async def test_a_session_is_of_an_account_in_its_own_tenant(identity: Identity) -> None:
    ann = await identity.opened()
    for stranger in (replace(ann, user_id=uuid7()), replace(ann, tenant_id=uuid7())):
        assert await identity.sessions.start(first(stranger), EVER) is False
    record = await identity.started(ann)
    assert await identity.sessions.find(record.token_sha256) == record
    assert await identity.sessions.find(secrets.token_bytes(32)) is None


async def test_a_token_is_exchanged_and_marked_as_used(identity: Identity) -> None:
    ann = await identity.opened()
    record = await identity.started(ann)
    following = next_of(record)
    assert await identity.sessions.replace(record, following) is True
    assert await identity.sessions.find(record.token_sha256) == replace(record, used_at=SOON)
    assert await identity.sessions.find(following.token_sha256) == following


async def test_nothing_is_given_for_a_token_that_is_not_stored(identity: Identity) -> None:
    unknown = first(await identity.opened())
    following = next_of(unknown)
    assert await identity.sessions.replace(unknown, following) is False
    assert await identity.sessions.find(following.token_sha256) is None


async def test_a_used_token_is_exchanged_again_until_something_it_was_exchanged_for_is_used(
    identity: Identity,
) -> None:
    record = await identity.started(await identity.opened())
    lost, arrived = next_of(record), next_of(record, SOON + timedelta(seconds=1))
    assert await identity.sessions.replace(record, lost)
    assert await identity.sessions.replace(record, arrived)
    assert await identity.sessions.find(record.token_sha256) == replace(record, used_at=SOON)
    assert await identity.sessions.replace(arrived, next_of(arrived, LATER))
    # What stood beside it will never be good, and nothing more is given for what came before.
    assert await identity.sessions.find(lost.token_sha256) == replace(lost, used_at=LATER)
    for worthless in (lost, record):
        following = next_of(record, LATER)
        assert await identity.sessions.replace(worthless, following) is False
        assert await identity.sessions.find(following.token_sha256) is None


async def test_nothing_is_given_in_a_session_that_has_ended(identity: Identity) -> None:
    ann = await identity.opened()
    record, other = await identity.started(ann), await identity.started(ann)
    for at in (NOW, LATER):  # The second time changes nothing.
        await identity.sessions.end_family(record.family_id, at)
    assert await identity.sessions.replace(record, next_of(record)) is False
    found = await identity.sessions.find(record.token_sha256)
    assert found == replace(record, family_ended_at=NOW)
    assert await identity.sessions.replace(other, next_of(other)) is True


async def test_all_sessions_of_a_person_end_and_nobody_elses(identity: Identity) -> None:
    ann, bob = await identity.opened(), await identity.opened("bob@example.org")
    over, running = await identity.started(ann), await identity.started(ann)
    theirs = await identity.started(bob)
    await identity.sessions.end_family(over.family_id, NOW)
    await identity.sessions.end_user(ann.user_id, SOON)
    await identity.sessions.end_user(uuid7(), SOON)
    assert await identity.sessions.find(theirs.token_sha256) == theirs
    ended = {over.family_id: NOW, running.family_id: SOON}
    assert dict(await identity.sessions.ended_since(NOW)) == ended
    assert await identity.sessions.ended_since(SOON) == [(running.family_id, SOON)]
    assert await identity.sessions.ended_since(LATER) == []


async def test_a_session_that_never_began_does_not_end(identity: Identity) -> None:
    await identity.sessions.end_family(uuid7(), NOW)
    assert await identity.sessions.ended_since(EVER) == []
