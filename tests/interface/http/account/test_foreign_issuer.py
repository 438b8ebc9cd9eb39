"""The API with a foreign issuer's tokens, over a real connection of ours and a real provider."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.verify import TokenVerifier
from interface.http.app import build_app
from interface.server import listen, serve
from interface.settings import read_settings
from tests.infrastructure.identity.test_tokens import AUDIENCE, RSA, Provider, Time
from tests.interface.world import Events, World


class Foreign:
    """A service whose people come from a provider that names itself with a slash at its end."""

    def __init__(self, url: str, world: World, provider: Provider, http: Any) -> None:
        self.url = url
        self.world = world
        self.provider = provider
        self.http = http

    def headers(self, **claims: Any) -> dict[str, str]:
        clock = Time()
        clock.now = self.world.clock.epoch()
        token = self.provider.token("PS256", clock, scope="openid", **claims)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def foreign(servers: None, http: httpx2.AsyncClient) -> AsyncIterator[Foreign]:
    world, stop, ready = World(accounts=None), asyncio.Event(), asyncio.Event()
    async with Provider() as provider:
        provider.issuer += "/"
        provider.publish(RSA)
        settings = read_settings(oidc_issuer=provider.issuer)
        assert settings.oidc_issuer == provider.issuer
        async with RemoteKeys(settings.oidc_issuer) as keys:
            verifier = TokenVerifier(
                keys,
                issuer=settings.oidc_issuer,
                audience=AUDIENCE,
                foreign=True,
                clock=world.clock.epoch,
            )
            object.__setattr__(world.services, "bearers", verifier)
            listener = listen("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            serving = asyncio.create_task(
                serve(build_app(world.services), listener, stop, ready.set)
            )
            await ready.wait()
            yield Foreign(url, world, provider, http)
            world.services.stopping.set()
            stop.set()
            await serving


async def test_people_with_hundreds_of_groups_are_let_in(foreign: Foreign) -> None:
    for groups in (0, 200, 400):
        headers = foreign.headers(groups=[str(UUID(int=n)) for n in range(groups)], nonce="n")
        answer = await foreign.http.get(foreign.url + "/api/features", headers=headers)
        assert answer.status_code == 200, (groups, len(headers["Authorization"]))


async def test_a_stream_ends_with_the_token_of_the_foreign_issuer(foreign: Foreign) -> None:
    now = int(foreign.world.clock.epoch())
    headers = foreign.headers(exp=now + 2)
    async with foreign.http.stream("GET", foreign.url + "/api/live", headers=headers) as answer:
        assert [event["event"] for event in await Events(answer).until("bye")] == ["hello", "bye"]


async def test_there_is_no_signing_in_here(foreign: Foreign) -> None:
    for path in ("login", "signup", "refresh", "logout", "password/forgot", "password/reset", "x"):
        for body in (b"", b"{", b'{"email": 1}'):
            answer = await foreign.http.post(f"{foreign.url}/auth/{path}", content=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
