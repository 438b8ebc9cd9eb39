"""Refresh tokens: good once, and a family ends when an old one comes back."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from application.identity.account_ports import Account, SessionEnded, SessionReused, Sessions
from infrastructure.identity.refresh import (
    FAMILY_LIFE,
    LOST_ANSWER,
    TOKEN_LIFE,
    RefreshRecord,
    RefreshTokens,
)
from tests.examples import examples
from tests.fakes.accounts import MemoryAccounts, MemorySessions

USER = UUID("019a0000-0000-7000-8000-000000000001")
OTHER_USER = UUID("019a0000-0000-7000-8000-000000000002")
TENANT = UUID("019a0000-0000-7000-8000-00000000000a")


class Families(MemorySessions):
    """Sessions of two people; another request may come in between while one is looked up."""

    def __init__(self) -> None:
        self.accounts = MemoryAccounts()
        for user_id, email in ((USER, "ann@example.org"), (OTHER_USER, "bob@example.org")):
            self.accounts.accounts[email] = Account(user_id, TENANT, email, "hash")
        super().__init__(self.accounts)

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        await asyncio.sleep(0)
        return await super().find(token_sha256)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def families() -> Families:
    return Families()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(families: Families, clock: Clock) -> RefreshTokens:
    return RefreshTokens(families, clock)


async def test_the_use_cases_can_use_it_as_their_port(tokens: RefreshTokens) -> None:
    port: Sessions = tokens
    session = await port.start(USER, TENANT)
    assert (session.user_id, session.tenant_id) == (USER, TENANT)


async def test_a_token_is_exchanged_for_the_next_one_of_the_same_person(
    tokens: RefreshTokens,
) -> None:
    given = await tokens.start(USER, TENANT)
    for _ in range(5):
        following = await tokens.rotate(given.token)
        assert following.token != given.token
        assert (following.user_id, following.tenant_id) == (USER, TENANT)
        given = following


async def test_a_token_has_256_random_bits_and_only_its_hash_is_stored(
    tokens: RefreshTokens, families: Families
) -> None:
    given = await tokens.start(USER, TENANT)
    assert given.token.startswith("bprt_")
    assert len(given.token) == len("bprt_") + 43
    assert given.token not in repr(families.accounts.tokens)
    assert given.token.encode() not in msgspec.msgpack.encode(
        list(families.accounts.tokens.values())
    )


async def test_a_used_token_ends_the_whole_family(tokens: RefreshTokens, clock: Clock) -> None:
    stolen = await tokens.start(USER, TENANT)
    following = await tokens.rotate(stolen.token)
    clock.now += LOST_ANSWER * 2
    with pytest.raises(SessionReused):
        await tokens.rotate(stolen.token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token)


async def test_a_used_token_ends_the_family_also_after_it_expired(
    tokens: RefreshTokens, clock: Clock
) -> None:
    stolen = await tokens.start(USER, TENANT)
    clock.now += TOKEN_LIFE / 2
    following = await tokens.rotate(stolen.token)
    clock.now += TOKEN_LIFE * 2 / 3
    with pytest.raises(SessionReused):
        await tokens.rotate(stolen.token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token)


async def test_a_token_whose_answer_got_lost_is_exchanged_again_and_only_the_one_used_is_good(
    tokens: RefreshTokens,
) -> None:
    given = await tokens.start(USER, TENANT)
    lost = [await tokens.rotate(given.token) for _ in range(3)]
    arrived = await tokens.rotate(given.token)
    following = await tokens.rotate(arrived.token)
    assert following.token not in {session.token for session in lost}
    with pytest.raises(SessionReused):
        await tokens.rotate(lost[-1].token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token)


async def test_a_used_token_ends_the_family_at_once_if_its_successor_was_used(
    tokens: RefreshTokens,
) -> None:
    stolen = await tokens.start(USER, TENANT)
    following = await tokens.rotate((await tokens.rotate(stolen.token)).token)
    with pytest.raises(SessionReused):
        await tokens.rotate(stolen.token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token)


async def test_the_other_families_of_the_person_go_on(tokens: RefreshTokens, clock: Clock) -> None:
    phone, laptop = await tokens.start(USER, TENANT), await tokens.start(USER, TENANT)
    await tokens.rotate(phone.token)
    clock.now += LOST_ANSWER * 2
    with pytest.raises(SessionReused):
        await tokens.rotate(phone.token)
    assert await tokens.rotate(laptop.token)


@pytest.mark.parametrize("kept", range(4))
async def test_of_many_at_once_whichever_answer_is_kept_is_good_and_then_no_other(
    tokens: RefreshTokens, clock: Clock, kept: int
) -> None:
    given = await tokens.start(USER, TENANT)
    sessions = await asyncio.gather(*(tokens.rotate(given.token) for _ in range(4)))
    assert len({session.token for session in sessions}) == len(sessions)
    clock.now += LOST_ANSWER * 2
    following = await tokens.rotate(sessions[kept].token)
    with pytest.raises(SessionReused):
        await tokens.rotate(sessions[kept - 1].token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token)


@settings(max_examples=examples(60), deadline=None)
@forall(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=6))
def test_however_answers_are_lost_or_kept_in_another_order_nobody_is_signed_out(
    rounds: list[list[int]],
) -> None:
    """A client refreshes now and then: as many requests at once as a round has numbers, with one
    cookie. Each number says where its answer comes in; 0 is lost. The last that comes is kept."""

    async def live() -> None:
        clock = Clock()
        tokens = RefreshTokens(Families(), clock)
        jar = (await tokens.start(USER, TENANT)).token
        for one in rounds:
            answers = await asyncio.gather(*(tokens.rotate(jar) for _ in one))
            arriving = sorted(zip(one, answers, strict=True), key=lambda pair: pair[0])
            if arriving[-1][0] == 0:  # All are lost: the page asks again while there is time.
                clock.now += LOST_ANSWER / 2
                arriving.append((1, await tokens.rotate(jar)))
            jar = arriving[-1][1].token
            clock.now += timedelta(minutes=14)

    asyncio.run(live())


@settings(max_examples=examples(60), deadline=None)
@forall(st.lists(st.booleans(), min_size=2, max_size=10), st.integers(0, 12))
def test_a_thief_and_the_owner_never_both_go_on(owners: list[bool], stolen_after: int) -> None:
    """Somebody copies the cookie while the owner has it. Whoever comes second with what the other
    has not, once the few seconds have passed, ends the session for both."""

    async def live() -> None:
        clock = Clock()
        tokens = RefreshTokens(Families(), clock)
        jars = dict.fromkeys((True, False), (await tokens.start(USER, TENANT)).token)
        clock.now += timedelta(seconds=stolen_after)
        turns: list[bool] = []
        try:
            for is_owner in owners:
                jars[is_owner] = (await tokens.rotate(jars[is_owner])).token
                turns.append(is_owner)
                clock.now += LOST_ANSWER * 2
        except SessionEnded:
            for jar in jars.values():
                with pytest.raises(SessionEnded):
                    await tokens.rotate(jar)
        assert len(set(turns)) == 1, "both used the session after the other did"

    asyncio.run(live())


async def test_a_thief_who_comes_within_the_grace_is_found_out_at_the_next_use(
    tokens: RefreshTokens, clock: Clock
) -> None:
    stolen = await tokens.start(USER, TENANT)
    owners = await tokens.rotate(stolen.token)
    clock.now += LOST_ANSWER / 2
    thiefs = await tokens.rotate(stolen.token)
    clock.now += timedelta(minutes=14)
    await tokens.rotate(owners.token)
    clock.now += timedelta(seconds=1)
    with pytest.raises(SessionReused) as found_out:
        await tokens.rotate(thiefs.token)
    assert (found_out.value.user_id, found_out.value.session_id) == (USER, owners.session_id)
    with pytest.raises(SessionEnded):
        await tokens.rotate(owners.token)


async def test_what_was_given_with_the_prefix_is_not_taken_from_a_cookie_without(
    tokens: RefreshTokens,
) -> None:
    given = await tokens.start(USER, TENANT)
    with pytest.raises(SessionEnded) as refused:
        await tokens.rotate(given.token, is_prefixed=False)
    assert refused.value.reason == "other_cookie"
    assert await tokens.rotate(given.token)


async def test_what_was_given_before_the_prefix_goes_on_and_what_follows_has_it(
    tokens: RefreshTokens, families: Families
) -> None:
    given = await tokens.start(USER, TENANT)
    for name, record in families.accounts.tokens.items():
        families.accounts.tokens[name] = msgspec.structs.replace(record, is_prefixed=False)
    following = await tokens.rotate(given.token, is_prefixed=False)
    with pytest.raises(SessionEnded):
        await tokens.rotate(following.token, is_prefixed=False)
    assert await tokens.rotate(following.token)


async def test_an_unused_token_expires(tokens: RefreshTokens, clock: Clock) -> None:
    given = await tokens.start(USER, TENANT)
    clock.now += TOKEN_LIFE
    with pytest.raises(SessionEnded):
        await tokens.rotate(given.token)


async def test_a_family_expires_however_often_it_is_renewed(
    tokens: RefreshTokens, clock: Clock
) -> None:
    given = await tokens.start(USER, TENANT)
    begun = clock.now
    while clock.now < begun + FAMILY_LIFE - timedelta(days=20):
        clock.now += timedelta(days=20)
        given = await tokens.rotate(given.token)
    assert given.expires_at == begun + FAMILY_LIFE
    clock.now = begun + FAMILY_LIFE
    with pytest.raises(SessionEnded):
        await tokens.rotate(given.token)


async def test_signing_out_ends_the_family_and_an_unknown_token_is_no_error(
    tokens: RefreshTokens,
) -> None:
    given = await tokens.start(USER, TENANT)
    await tokens.end(given.token)
    with pytest.raises(SessionEnded):
        await tokens.rotate(given.token)
    await tokens.end("bprt_unknown")


async def test_ending_a_person_ends_all_of_theirs_and_nobody_elses(tokens: RefreshTokens) -> None:
    mine = [await tokens.start(USER, TENANT) for _ in range(3)]
    theirs = await tokens.start(OTHER_USER, TENANT)
    await tokens.end_user(USER)
    for given in mine:
        with pytest.raises(SessionEnded):
            await tokens.rotate(given.token)
    assert await tokens.rotate(theirs.token)


@pytest.mark.parametrize("token", ["", "bprt_", "x" * 1_000_000, "\ud800", "bprt_" + "A" * 43])
async def test_anything_that_was_never_issued_is_refused(tokens: RefreshTokens, token: str) -> None:
    with pytest.raises(SessionEnded):
        await tokens.rotate(token)
