"""Passwords: hashed slowly, checked at equal cost, never more at once than there is room for."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from application.identity.account_ports import PasswordCommon, PasswordRefused, TooManyTries
from infrastructure.identity import guessing
from infrastructure.identity.passwords import (
    LARGEST_PASSWORD_BYTES,
    SHORTEST_PASSWORD,
    PasswordHasher,
)


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    cheap = PasswordHasher(at_once=2, queue=4, memory_kib=64, passes=1)
    yield cheap
    cheap.close()


async def test_the_right_password_is_accepted_and_others_are_not(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("correct horse")
    assert await hasher.verify(stored, "correct horse")
    assert not await hasher.verify(stored, "correct horse ")
    assert not await hasher.verify(stored, "")


async def test_the_hash_is_argon2id_with_the_parameters_of_owasp() -> None:
    real = PasswordHasher()
    stored = await real.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await real.verify(stored, "correct horse")
    real.close()


async def test_equal_passwords_have_different_hashes(hasher: PasswordHasher) -> None:
    assert await hasher.hash("correct horse") != await hasher.hash("correct horse")


async def test_an_unknown_account_never_matches(hasher: PasswordHasher) -> None:
    for password in ("", "nobody", "correct horse"):
        assert not await hasher.verify(None, password)


async def test_an_unknown_account_costs_as_much_as_a_wrong_password() -> None:
    real = PasswordHasher(at_once=1)
    stored = await real.hash("correct horse")

    async def fastest(hashed: str | None, password: str) -> float:
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            assert not await real.verify(hashed, password)
            took.append(time.perf_counter() - begun)
        return min(took)

    wrong = await fastest(stored, "wrong")
    assert await fastest(None, "wrong") > wrong / 3
    assert await fastest(stored, "x" * 100_000) > wrong / 3
    real.close()


async def test_a_password_of_1024_bytes_is_hashed_and_a_longer_one_is_refused(
    hasher: PasswordHasher,
) -> None:
    longest = "é" * (LARGEST_PASSWORD_BYTES // 2)
    assert await hasher.verify(await hasher.hash(longest), longest)
    with pytest.raises(PasswordRefused):
        await hasher.hash(longest + "x")
    assert not await hasher.verify(await hasher.hash(longest), longest + "x")


async def test_a_new_password_has_at_least_twelve_characters(hasher: PasswordHasher) -> None:
    with pytest.raises(PasswordRefused, match="at least 12"):
        await hasher.hash("x" * (SHORTEST_PASSWORD - 1))
    assert await hasher.hash("é" * SHORTEST_PASSWORD)


async def test_text_that_is_no_unicode_is_refused_and_never_matches(
    hasher: PasswordHasher,
) -> None:
    with pytest.raises(PasswordRefused):
        await hasher.hash("correct horse\ud800")
    assert not await hasher.verify(await hasher.hash("correct horse"), "\ud800")


async def test_the_same_password_from_another_keyboard_is_the_same(hasher: PasswordHasher) -> None:
    assert await hasher.verify(await hasher.hash("caf\u00e9 au lait"), "cafe\u0301 au lait")


async def test_a_damaged_stored_hash_matches_nothing(hasher: PasswordHasher) -> None:
    for stored in ("", "x", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA", "$2b$12$" + "a" * 53):
        assert not await hasher.verify(stored, "correct horse")


async def test_a_hash_with_weaker_parameters_is_to_be_made_anew(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("correct horse")
    assert not hasher.needs_rehash(stored)
    stronger = PasswordHasher(at_once=1, memory_kib=128, passes=2)
    assert stronger.needs_rehash(stored)
    stronger.close()


async def test_beyond_the_queue_a_login_is_told_to_come_back(hasher: PasswordHasher) -> None:
    held = threading.Event()
    waiting = [asyncio.ensure_future(hasher._run(held.wait)) for _ in range(6)]  # noqa: SLF001
    await asyncio.sleep(0)
    with pytest.raises(TooManyTries):
        await hasher.verify(None, "x")
    held.set()
    assert await asyncio.gather(*waiting) == [True] * 6
    assert not await hasher.verify(None, "x")


async def test_logins_that_were_given_up_free_their_places(hasher: PasswordHasher) -> None:
    held = threading.Event()
    waiting = [asyncio.ensure_future(hasher._run(held.wait)) for _ in range(6)]  # noqa: SLF001
    await asyncio.sleep(0)
    for login in waiting:
        login.cancel()
    held.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    stored = await hasher.hash("correct horse")
    results = await asyncio.gather(*(hasher.verify(stored, "correct horse") for _ in range(4)))
    assert all(results)


async def test_hashing_leaves_the_event_loop_free() -> None:
    real = PasswordHasher(at_once=1)
    turns = 0
    login = asyncio.ensure_future(real.hash("correct horse"))
    while not login.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 3
    real.close()


async def test_what_is_guessed_early_is_refused_when_it_is_chosen_only(
    hasher: PasswordHasher,
) -> None:
    for easy in ("password1234", "ann@example.org", "Build Practical", " " * 12):
        with pytest.raises(PasswordCommon, match="three or more words"):
            await hasher.refuse_common(easy, ["ann@example.org"])
    await hasher.refuse_common("ann@example.org, correct horse battery", ["ann@example.org"])
    for odd in ("short", "correct horse\ud800", "x" * 1025):
        with pytest.raises(PasswordRefused):
            await hasher.refuse_common(odd)
    stored = await hasher.hash("password1234")
    assert await hasher.verify(stored, "password1234")


async def test_two_people_who_choose_at_once_are_each_measured_by_their_own_words(
    hasher: PasswordHasher,
) -> None:
    async def refused(email: str, password: str) -> bool:
        try:
            await hasher.refuse_common(password, [email])
        except PasswordCommon:
            return True
        return False

    people = [f"xq{n}vk{n}zj@example.org" for n in range(4)]
    own = [refused(email, email.partition("@")[0] + "!42x") for email in people]
    assert await asyncio.gather(*own[:2], *own[2:]) == [True] * 4
    assert not await refused("bob@example.org", "xq1vk1zj!42xm")


@pytest.mark.parametrize("shape", ["a", "ab", "p@$$w0rd", "12/12/2012 ", "@4$013", "1234567890"])
def test_a_long_password_is_not_looked_at_for_longer_than_a_short_one(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    monkeypatch.setattr(
        guessing, "_guesses", lambda password, _: looked.append(len(password)) or 1e9
    )
    assert not guessing.is_easily_guessed((shape * 1024)[:1024])
    assert max(looked) == guessing.LOOKED_AT


async def test_whoever_is_on_a_known_device_does_not_wait_with_everybody(
    hasher: PasswordHasher,
) -> None:
    stored, held = await hasher.hash("correct horse"), threading.Event()
    waiting = [asyncio.ensure_future(hasher._run(held.wait)) for _ in range(6)]  # noqa: SLF001
    await asyncio.sleep(0)
    with pytest.raises(TooManyTries):
        await hasher.verify(stored, "correct horse")
    assert await hasher.verify(stored, "correct horse", is_known=True)
    held.set()
    await asyncio.gather(*waiting)
