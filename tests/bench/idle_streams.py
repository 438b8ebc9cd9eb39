"""Decisions beside idle streams: `python -m tests.bench.idle_streams [TENANTS [STREAMS]]`.

Prints how long a rename and a read of it take alone, and beside so many streams of other tenants
and addresses, and how much of a core these take by being open. Asserts nothing.
"""

import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import psutil

from tests.e2e.service import up

TENANTS: Final = 25
STREAMS: Final = 40
ASKED: Final = 100
QUIET_SECONDS: Final = 5.0


class Watcher:
    """Somebody with streams open, who reads what comes and waits for more."""

    def __init__(self, address: tuple[str, int], source: str, token: str) -> None:
        self._address = address
        self._source = source
        self._token = token

    async def watch(self) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(*self._address, local_addr=(self._source, 0))
        asked = f"GET /api/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        writer.write(asked.encode())
        status = (await reader.readline()).split()[1]
        assert status == b"200", status
        self._reading = asyncio.create_task(_to_the_end(reader))
        return writer


async def _to_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _signed_up(http: httpx2.AsyncClient) -> str:
    body = {"email": f"{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(16)}
    return str((await http.post("/auth/signup", json=body)).json()["access_token"])


async def _asked(http: httpx2.AsyncClient, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    made = await http.post("/api/features", json={"title": "A"}, headers=headers)
    path = f"/api/features/{made.json()['id']}"
    renames, reads = [], []
    for n in range(ASKED):
        began = time.perf_counter()
        renamed = await http.patch(path, json={"title": f"A {n}"}, headers=headers)
        renames.append(time.perf_counter() - began)
        began = time.perf_counter()
        own = {"min_version": renamed.json()["version"]}
        (await http.get(path, params=own, headers=headers)).raise_for_status()
        reads.append(time.perf_counter() - began)
    return f"rename {_centiles(renames)}, read of one's own write {_centiles(reads)}"


def _centiles(seconds: Sequence[float]) -> str:
    last = sorted(seconds)[int(0.99 * len(seconds))]
    return f"{1000 * statistics.median(seconds):.0f} / {1000 * last:.0f} ms"


async def measure(url: str, tenants: int, streams: int) -> None:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    service = next(
        process
        for process in psutil.Process().children()
        if "interface.cli" in process.cmdline() and "up" in process.cmdline()
    )
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        me = await _signed_up(http)
        print("p50 / p99 alone:", await _asked(http, me), flush=True)
        watchers = [
            Watcher(address, f"127.0.0.{2 + n}", await _signed_up(http)) for n in range(tenants)
        ]
        lines = [await watcher.watch() for watcher in watchers for _ in range(streams)]
        before = service.cpu_times()
        await asyncio.sleep(QUIET_SECONDS)
        after = service.cpu_times()
        spent = after.user + after.system - before.user - before.system
        print(f"beside {len(lines)} streams:", await _asked(http, me), flush=True)
        print(f"these take {100 * spent / QUIET_SECONDS:.0f} % of a core")
        for line in lines:
            line.close()


def main(tenants: int, streams: int) -> None:
    with tempfile.TemporaryDirectory() as root, up(Path(root) / "data") as url:
        asyncio.run(measure(url, tenants, streams))


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    main(*(given + [TENANTS, STREAMS][len(given) :]))
