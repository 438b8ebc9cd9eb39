"""A session that ends is over at once: its access tokens, its streams, and nobody else's."""

import asyncio
from collections.abc import AsyncGenerator, Callable, MutableMapping
from typing import Any
from uuid import UUID

import httpx2
import pytest
from uuid_utils.compat import uuid7

from application.delivery.parcel import Parcel
from application.ports import Unavailable
from infrastructure.identity.ended import KEPT, STALE_SECONDS, EndedSessions
from tests.interface.http.account.test_auth import (
    EMAIL,
    PASSWORD,
    refresh_of,
    signed_up,
    with_cookie,
)
from tests.interface.world import HASHER, Clock, Person, World


def carrying(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def again(ann: Person) -> Any:
    """Another sign-in of the same person."""
    return await ann.ask("POST", "/auth/login", json={"email": EMAIL, "password": PASSWORD})


async def reset(ann: Person, world: World) -> None:
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    token = world.letters.sent[-1][2].partition("#token=")[2].split()[0]
    body = {"token": token, "password": "another long password"}
    assert (await ann.ask("POST", "/auth/password/reset", json=body)).status_code == 202


async def test_after_signing_out_the_access_token_is_worth_nothing_and_others_go_on(
    ann: Person, logged: list[MutableMapping[str, Any]]
) -> None:
    phone, laptop = await signed_up(ann), await again(ann)
    renewed = await ann.ask("POST", "/auth/refresh", **with_cookie(refresh_of(phone)))
    cookie = with_cookie(refresh_of(renewed))
    assert (await ann.ask("POST", "/auth/logout", **cookie)).status_code == 204
    for ended in (phone, renewed):
        answer = await ann.ask("GET", "/api/features", headers=carrying(ended))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert (await ann.ask("GET", "/api/features", headers=carrying(laptop))).status_code == 200
    [ended] = [entry for entry in logged if entry["event"] == "session_ended"]
    assert (ended["reason"], UUID(str(ended["session"])).version) == ("signed_out", 7)
    refused = [entry["reason"] for entry in logged if entry["event"] == "token_refused"]
    assert refused == ["session_ended"] * 2


async def test_a_new_password_ends_every_session_at_once(ann: Person, world: World) -> None:
    sessions = [await signed_up(ann), await again(ann)]
    await reset(ann, world)
    for session in sessions:
        for method, path, body in (
            ("GET", "/api/features", None),
            ("POST", "/api/features", {"title": "A"}),
            ("PUT", "/api/settings/api-key", {"api_key": "sk-ant-" + "x" * 20}),
        ):
            answer = await ann.ask(method, path, json=body, headers=carrying(session))
            assert answer.status_code == 401
    assert world.vault.keys == {}


async def test_a_token_that_comes_back_ends_the_access_tokens_of_its_session(
    ann: Person, world: World
) -> None:
    first = await signed_up(ann)
    renewed = await ann.ask("POST", "/auth/refresh", **with_cookie(refresh_of(first)))
    world.clock.forward(11)
    stolen = await ann.ask("POST", "/auth/refresh", **with_cookie(refresh_of(first)))
    assert stolen.status_code == 401
    for ended in (first, renewed):
        answer = await ann.ask("GET", "/api/features", headers=carrying(ended))
        assert answer.status_code == 401


async def test_two_refreshes_at_once_sign_nobody_out_whichever_is_kept(
    ann: Person, world: World
) -> None:
    jar = refresh_of(await signed_up(ann))
    for kept in (0, 1, 1, 0):
        asked = (ann.ask("POST", "/auth/refresh", **with_cookie(jar)) for _ in range(2))
        both = await asyncio.gather(*asked)
        assert [answer.status_code for answer in both] == [200, 200]
        jar = refresh_of(both[kept])
        world.clock.forward(14 * 60)
        for answer in both:
            features = await ann.ask("GET", "/api/features", headers=carrying(answer))
            assert features.status_code == 200


async def signed_out(ann: Person, world: World, session: Any) -> None:
    await ann.ask("POST", "/auth/logout", **with_cookie(refresh_of(session)))


async def given_a_new_password(ann: Person, world: World, session: Any) -> None:
    await reset(ann, world)


@pytest.mark.parametrize("end", [signed_out, given_a_new_password])
@pytest.mark.parametrize("path", ["/api/live", "/api/features/{feature}/live"])
async def test_an_open_stream_ends_with_its_session(
    ann: Person, world: World, path: str, end: Callable[..., Any]
) -> None:
    session = await signed_up(ann)
    other = await again(ann)
    ann.headers = carrying(session)
    path = path.format(feature=await ann.new_feature())
    async with (
        ann.stream("GET", path) as stream,
        ann.stream("GET", "/api/live", headers=carrying(other)) as others,
    ):
        await others.until("hello")
        await end(ann, world, session)
        assert (await stream.until("bye"))[-1]["data"] == "{}"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        if end is signed_out:
            ann.headers = carrying(other)
            await ann.new_feature()
            await others.until("change")


async def test_an_answer_under_way_ends_with_its_session_and_is_not_lost(
    ann: Person, world: World
) -> None:
    session = await signed_up(ann)
    ann.headers = carrying(session)
    feature = await ann.new_feature()
    path = f"/api/features/{feature}/messages"
    async with ann.stream("POST", path, json={"text": "Lend tools"}) as stream:
        await signed_out(ann, world, session)
        [error] = await stream.until("error")
        assert '"code":"unauthenticated"' in error["data"]
    ann.headers = carrying(await again(ann))
    messages = await ann.ask("GET", path)
    assert [one["text"] for one in messages.json()["items"]] == ["Lend tools"]


async def test_a_download_is_cut_off_and_not_ended_when_its_session_ends(
    ann: Person, world: World
) -> None:
    """Nobody may take half of a file for the whole."""
    session = await signed_up(ann)
    ann.headers = carrying(session)
    going = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"PK"
        await going.wait()

    async def slow(*_: Any) -> Parcel:
        return Parcel("x", "0" * 64, chunks)

    object.__setattr__(world.services, "archive", slow)
    path = f"{ann.url}/api/features/{uuid7()}/download"
    async with ann.http.stream("GET", path, headers=ann.headers) as answer:
        came = answer.aiter_bytes()
        assert await anext(came) == b"PK"
        await signed_out(ann, world, session)
        with pytest.raises(httpx2.RemoteProtocolError):
            await anext(came)


async def test_a_stream_ends_with_the_token_it_was_opened_with(ann: Person, world: World) -> None:
    session = await signed_up(ann)
    ann.headers = carrying(session)
    world.clock.forward(15 * 60 - 2)
    async with ann.stream("GET", "/api/live") as stream:
        assert [event["event"] for event in await stream.until("bye")] == ["hello", "bye"]
    world.clock.forward(60)
    assert (await ann.ask("GET", "/api/live")).status_code == 401


async def test_a_token_without_a_session_is_not_taken(ann: Person, world: World) -> None:
    """As versions before gave them: their clients refresh, and have one with it."""
    token = world.issuer._keys[0].sign(  # noqa: SLF001 - a token of a version before.
        {
            "iss": world.issuer.issuer,
            "aud": world.issuer.audience,
            "sub": str(ann.user),
            "tenant": str(ann.tenant),
            "iat": int(world.clock.epoch()),
            "exp": int(world.clock.epoch()) + 900,
        }
    )
    answer = await ann.ask("GET", "/api/features", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_the_old_cookie_is_taken_and_replaced(ann: Person, world: World) -> None:
    """Whoever signed in with the version before stays signed in."""
    old = refresh_of(await signed_up(ann))
    for name, record in world.store.tokens.items():
        world.store.tokens[name] = type(record)(
            **{f: getattr(record, f) for f in record.__struct_fields__} | {"is_prefixed": False}
        )
    answer = await ann.ask("POST", "/auth/refresh", headers={"Cookie": f"bp_refresh={old}"})
    assert answer.status_code == 200
    names = [header.split("=")[0] for header in answer.headers.get_list("set-cookie")]
    assert sorted(names) == ["__Host-bp_refresh", "bp_refresh"]
    new = refresh_of(answer)
    planted = await ann.ask("POST", "/auth/refresh", headers={"Cookie": f"bp_refresh={new}"})
    assert planted.status_code == 401
    both = {"Cookie": f"bp_refresh=planted; __Host-bp_refresh={new}"}
    assert (await ann.ask("POST", "/auth/refresh", headers=both)).status_code == 200


class Ended:
    """What the database knows of ended sessions."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Any] = {}
        self.asked: list[Any] = []
        self.down = False

    async def __call__(self, since: Any) -> list[tuple[UUID, Any]]:
        if self.down:
            raise Unavailable("database")
        self.asked.append(since)
        return [(session, at) for session, at in self.rows.items() if at >= since]


async def test_what_another_process_ended_is_known_within_a_look() -> None:
    clock, ended = Clock(), Ended()
    sessions, one = EndedSessions(ended, clock, lambda: clock.seconds), uuid7()
    assert not await sessions.has(one)
    async with sessions.over(one) as event:
        ended.rows[one] = clock.now
        for _ in range(100):
            assert not await sessions.has(one)
        assert len(ended.asked) == 1, "requests ask the list, and not the database"
        await sessions.look()
        assert event.is_set()
    assert await sessions.has(one)
    async with sessions.over(one) as event:
        assert event.is_set()


async def test_nobody_is_let_in_on_a_list_that_is_too_old() -> None:
    clock, ended = Clock(), Ended()
    sessions, one = EndedSessions(ended, clock, lambda: clock.seconds), uuid7()
    assert not await sessions.has(one)
    ended.down = True
    clock.forward(STALE_SECONDS)
    assert not await sessions.has(one)
    clock.forward(0.1)
    with pytest.raises(Unavailable):
        await sessions.has(one)
    ended.down = False
    ended.rows[one] = clock.now
    answers = await asyncio.gather(*(sessions.has(one) for _ in range(50)))
    assert answers == [True] * 50
    assert len(ended.asked) == 2, "those who wait share one look"


async def test_the_list_forgets_what_no_token_outlives_and_misses_nothing_meanwhile() -> None:
    clock, ended = Clock(), Ended()
    sessions = EndedSessions(ended, clock, lambda: clock.seconds)
    early, late = uuid7(), uuid7()
    ended.rows[early] = clock.now
    await sessions.look()
    clock.forward(600)  # The database was away for so long.
    ended.rows[late] = clock.now - (clock.now - ended.rows[early]) / 2
    assert await sessions.has(early)
    assert await sessions.has(late)
    clock.forward(KEPT.total_seconds())
    await sessions.look()
    assert sessions._ended == {}  # noqa: SLF001 - that it does not grow is the point.


async def test_a_sign_out_that_never_reaches_the_database_is_no_sign_out(
    ann: Person, world: World
) -> None:
    session = await signed_up(ann)
    token = refresh_of(session)

    async def away(*_: Any) -> None:
        raise Unavailable("database")

    world.accounts._sessions._store.end_family = away  # type: ignore[attr-defined]  # noqa: SLF001
    answer = await ann.ask("POST", "/auth/logout", **with_cookie(token))
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers
    assert (await ann.ask("GET", "/api/features", headers=carrying(session))).status_code == 200


async def test_a_password_that_changes_during_a_sign_in_refuses_it(
    ann: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_up(ann)
    verify = HASHER.verify

    async def slow(*given: Any, **named: Any) -> bool:
        is_right = await verify(*given, **named)
        await reset(ann, world)
        return is_right

    monkeypatch.setattr(HASHER, "verify", slow)
    answer = await again(ann)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
