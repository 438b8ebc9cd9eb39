"""Processes that find no database that takes writes: they say so once, wait, and go on then."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.embedded import Stack
from infrastructure.postgres.migrations import migrate
from infrastructure.sealing import MasterKey
from interface.operator import PORTS
from tests.faults.service import EVERYTHING, Part, Service, until
from tests.integration.servers import Tcp, primary, standby, url


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tcp, Tcp]]:
    root = tmp_path_factory.mktemp("failover")
    with primary(root / "primary") as first:
        migrate(first.dsn)
        with standby(first, root / "standby") as second:
            yield first, second


@pytest.fixture
async def waiting(
    pair: tuple[Tcp, Tcp], stack: Stack, tmp_path: Path
) -> AsyncIterator[tuple[Service, int]]:
    """All five processes, told of the standby alone; and the first operator port."""
    operators = _five_free_ports()
    service = Service(
        stack,
        tmp_path,
        database_url=url(pair[1]),
        operator_port=str(operators),
        database_connections="4",
    )
    MasterKey.generate_file(service.master)
    try:
        yield service, operators
    finally:
        for part in service.parts:
            part.kill()


def _five_free_ports() -> int:
    for first in range(20_000, 30_000, 5):
        with ExitStack() as opened:
            try:
                for port in range(first, first + 5):
                    free = opened.enter_context(socket.socket())
                    free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no five free ports in a row")


def _told(part: Part) -> list[dict[str, Any]]:
    lines = (line for line in part.said().splitlines() if line.startswith("{"))
    return [json.loads(line) for line in lines]


def _events(part: Part, name: str) -> list[dict[str, Any]]:
    return [line for line in _told(part) if line["event"] == name]


async def test_every_process_waits_for_a_standby_to_be_promoted_and_tells_how_it_is(
    pair: tuple[Tcp, Tcp], waiting: tuple[Service, int]
) -> None:
    service, operators = waiting
    parts = {name: service.launch(name) for name in EVERYTHING}
    async with httpx2.AsyncClient(trust_env=False) as http:

        async def ask(name: str, path: str) -> httpx2.Response | None:
            try:
                return await http.get(f"http://127.0.0.1:{operators + PORTS[name]}{path}")
            except httpx2.TransportError:
                return None

        async def says_read_only(name: str) -> bool:
            assert parts[name].code is None, parts[name].said()
            answer = await ask(name, "/health/ready")
            if answer is None or answer.json()["database"] != "read_only":
                return False
            assert answer.status_code == 503
            assert (await ask(name, "/health")).status_code == 200  # type: ignore[union-attr]
            return True

        for name in EVERYTHING:
            await until(lambda name=name: says_read_only(name), f"{name} says what it waits for")
        ready = await http.get(f"{service.url}/health/ready")
        assert (ready.status_code, ready.json()["database"]) == (503, "read_only")
        elsewhere = await http.get(f"{service.url}/api/features")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (503, "unavailable")

        pair[1].sql("SELECT pg_promote()")

        async def is_ready(name: str) -> bool:
            assert parts[name].code is None, parts[name].said()
            answer = await ask(name, "/health/ready")
            return answer is not None and answer.json()["status"] == "ready"

        for name in EVERYTHING:
            await until(lambda name=name: is_ready(name), f"{name} is ready")
            [once] = _events(parts[name], "database_read_only")
            assert "name the primary" in once["detail"]
            assert len(_events(parts[name], "database_ready_again")) == 1
            assert "error connecting" not in parts[name].said()
        assert (await http.get(f"{service.url}/health/ready")).json()["status"] == "ready"

        loops = {}
        for name in EVERYTHING:
            report = (await ask(name, "/health/ready")).json()  # type: ignore[union-attr]
            loops[name] = set(report["loops"])
            assert report["jetstream"] is True
            assert all(loop["ok"] for loop in report["loops"].values())
            figures = (await ask(name, "/metrics")).text  # type: ignore[union-attr]
            _check_figures(name, figures)
        assert loops == {
            "api": {"continuity"},
            "worker": {"continuity", "worker"},
            "relay": {"continuity", "relay", "fanout", "reconciler"},
            "projector": {"continuity", "projector"},
            "sweeper": {"continuity", "deletion-notes", "sweeper", "notary"},
        }
        keys = f"{service.url}/.well-known/jwks.json"
        asked = [asyncio.create_task(http.get(keys)) for _ in range(60)]
        counted = [_connections(pair[1])]
        while not all(task.done() for task in asked):
            counted.append(_connections(pair[1]))
            await asyncio.sleep(0.01)
        assert {task.result().status_code for task in asked} <= {200, 503}
    assert max(counts["bp_api"] for counts in counted) > 1
    for counts in counted:
        # As bp_worker the worker's four, and the relay's two for the queue.
        assert counts.pop("bp_worker") <= 6
        assert all(count <= 4 for count in counts.values()), counts


def _check_figures(name: str, figures: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(figures)}
    assert {
        "bp_queue_oldest_seconds",
        "bp_queue_tasks",
        "bp_steps_failed_lately",
        "bp_dead_letters",
        "bp_parked_features",
        "bp_lag_events",
        "bp_checkpoint_lag_seconds",
        "bp_pool_connections",
        "bp_pool_waiting",
        "bp_pool_waits",
        "bp_pool_wait_seconds",
        "bp_dependency_up",
        "bp_database_standing",
        "bp_log_lines",
        "bp_loop_age_seconds",
    } <= set(families)
    [process] = families["bp_process"].samples
    assert process.labels["processes"] == name
    up = {s.labels["dependency"]: s.value for s in families["bp_dependency_up"].samples}
    assert up["postgres"] == up["nats"] == up["jetstream"] == up["artifacts"] == 1
    told = {s.labels["event"]: s.value for s in families["bp_log_lines"].samples}
    assert told["database_read_only"] == 1
    at_most = sum(
        s.value for s in families["bp_pool_connections"].samples if s.labels["state"] == "at_most"
    )
    assert at_most == 4 + 1, "what is set, and the one that watches over the log"


def _connections(server: Tcp) -> dict[str, int]:
    """How many the server sees, by role."""
    with psycopg.connect(server.dsn) as connection:
        rows = connection.execute(
            "SELECT application_name, count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE 'bp\\_%' GROUP BY 1"
        ).fetchall()
    return dict(rows)
