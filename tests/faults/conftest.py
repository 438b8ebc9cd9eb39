"""One service for all tests here, made ready anew for each: starting processes takes seconds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from infrastructure.embedded import Stack
from tests.faults.service import Service

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def broken_stack(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers to be killed, restarted and wiped."""
    with Stack(tmp_path_factory.mktemp("faults"), durable=False) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(
    broken_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The service, with whatever the tests before left of it."""
    async with Service(broken_stack, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def service(shared: Service, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """Everything runs but a worker; that too, for tests of faults that leave it alone."""
    wanted = getattr(request.module, "PROCESSES", ("api", "relay", "projector", "sweeper"))
    await shared.begin(*wanted)
    yield shared
    shared.explain()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of this folder that share the service run in its event loop."""
    for item in items:
        ours = item.path.is_relative_to(HERE)
        if ours and "service" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
