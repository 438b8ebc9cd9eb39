"""A cluster of three NATS servers: the stream has as many replicas as the setting says, always."""

import asyncio
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
from structlog.testing import capture_logs

from infrastructure.artifacts import FolderStore
from infrastructure.embedded import Stack
from infrastructure.embedded.binaries import nats_server
from infrastructure.embedded.process import Server
from infrastructure.nats import NatsConnection
from infrastructure.nats.stream import NAME, StreamLimits
from infrastructure.postgres.database import Database
from infrastructure.postgres.standing import DatabaseWatch
from interface.health import Servers
from interface.settings import Settings
from tests.integration.memory import MemoryLog
from tests.integration.servers import free_port
from tests.integration.test_fanout_relay import TYPES, announced, last_is, observer, relaying

pytestmark = pytest.mark.servers

CONFIGURATION = """
server_name: {name}
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: {store}, max_file_store: 1GB }}
cluster {{ name: ours, listen: "127.0.0.1:{route}", routes: [{routes}] }}
"""


class Cluster:
    """Three servers on the loopback address."""

    def __init__(self, root: Path) -> None:
        self._root = root
        ports = [free_port() for _ in range(6)]
        self._ports, self._routes = ports[:3], ports[3:]
        self._servers: list[Server] = []
        self.url = ",".join(f"nats://127.0.0.1:{port}" for port in self._ports)

    def start(self) -> None:
        routes = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in self._routes)
        for number, (port, route) in enumerate(zip(self._ports, self._routes, strict=True)):
            file = self._root / f"{number}.conf"
            store = json.dumps(str(self._root / f"store-{number}"))
            file.write_text(
                CONFIGURATION.format(
                    name=f"n{number}", port=port, route=route, store=store, routes=routes
                )
            )
            self._servers.append(
                Server(
                    [str(nats_server()), "-c", str(file)],
                    log=self._root / f"{number}.log",
                    stop=signal.SIGTERM,
                    force=signal.SIGKILL,
                )
            )

    def kill(self, number: int) -> None:
        self._servers[number].kill()

    def stop(self) -> None:
        for server in self._servers:
            server.stop(5.0)
        self._servers = []

    def wipe(self) -> None:
        self.stop()
        for number in range(3):
            shutil.rmtree(self._root / f"store-{number}")
        self.start()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


async def _settled(url: str, log: MemoryLog, replicas: int) -> None:
    """Wait until the stream is there, whole, on so many servers."""
    async with observer(url.split(",")) as streams:  # type: ignore[arg-type]  # Or several.
        while True:
            try:
                info = await streams.stream_info(NAME)
                others = info.cluster.replicas if info.cluster else None
                current = [peer for peer in others or () if peer.current]
                enough = info.config.num_replicas == replicas and len(current) == replicas - 1
                if enough and await last_is(streams, log):
                    assert await announced(streams) == [str(h.event_id) for h in log.events]
                    return
            except (nats.errors.Error, TimeoutError, OSError):
                pass  # It elects, or has just been wiped.
            await asyncio.sleep(0.05)


@pytest.mark.campaign
async def test_replicas_are_kept_over_a_lost_server_a_wipe_and_a_changed_setting(
    cluster: Cluster,
) -> None:
    log = MemoryLog()
    log.append(*TYPES)
    async with relaying(cluster.url, log, limits=StreamLimits(replicas=1)):
        await _settled(cluster.url, log, 1)
    three = StreamLimits(replicas=3)
    async with relaying(cluster.url, log, limits=three):
        await _settled(cluster.url, log, 3)
        cluster.wipe()
        await _settled(cluster.url, log, 3)
        cluster.kill(0)
        log.append(*TYPES)
        async with observer(cluster.url.split(",")) as streams:  # type: ignore[arg-type]
            while not await last_is(streams, log):
                await asyncio.sleep(0.05)


async def test_replicas_that_a_single_server_cannot_keep_are_said(own_stack: Stack) -> None:
    log = MemoryLog()
    log.append(*TYPES)
    with capture_logs() as said:
        async with relaying(own_stack.nats_url, log, limits=StreamLimits(replicas=3)):
            while not (refused := [x for x in said if x["event"] == "stream_refused"]):
                await asyncio.sleep(0.01)
    assert refused[0]["replicas"] == 3
    assert "BP_NATS_REPLICAS" in refused[0]["change"]


async def test_a_server_without_jetstream_is_told_apart_from_none(
    tmp_path: Path, database: str
) -> None:
    port = free_port()
    server = Server(
        [str(nats_server()), "-a", "127.0.0.1", "-p", str(port)],
        log=tmp_path / "plain.log",
        stop=signal.SIGTERM,
        force=signal.SIGKILL,
    )
    try:
        async with (
            NatsConnection(
                f"nats://127.0.0.1:{port}", name="test", on_closed=lambda: None
            ) as connection,
            Database(database, "bp_relay", max_size=1) as asked,
            FolderStore(tmp_path / "files") as store,
        ):
            while not connection.up:
                await asyncio.sleep(0.01)
            servers = Servers(DatabaseWatch(database), asked, connection, store)
            seen = await servers.look()
            assert (seen.nats, seen.jetstream, seen.status()) == (True, False, "degraded")
            server.kill()
            while connection.up:
                await asyncio.sleep(0.01)
            seen = await servers.look()
            assert (seen.nats, seen.jetstream) == (False, False)
    finally:
        server.stop(5.0)


def test_the_setting_has_bounds() -> None:
    field = Settings.model_fields["nats_replicas"]
    assert field.default == 1
    assert {str(bound) for bound in field.metadata} == {"Ge(ge=1)", "Le(le=5)"}
