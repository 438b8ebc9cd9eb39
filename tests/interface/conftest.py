"""A world, a server and two people for every test of the HTTP API."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import httpx2
import pytest
import structlog

from tests.interface.world import Person, World, public, serving


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of logging it."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def url(servers: None, world: World) -> AsyncIterator[str]:
    async with serving(public(world)) as address:
        yield address
        world.services.stopping.set()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
async def ann(world: World, url: str, http: httpx2.AsyncClient) -> Person:
    return Person(world, url, http)


@pytest.fixture
async def bob(world: World, url: str, http: httpx2.AsyncClient) -> Person:
    return Person(world, url, http)
