"""How long a delivery takes, over HTTP: `python -m tests.bench.delivery`.

Starts the service, has the demo build one feature, then downloads its zip and its history, times
both, and times the program that checks the zip.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median
from uuid import UUID

from interface.cli.client import ServiceClient
from interface.cli.demo import run_demo
from tests.e2e.service import PROJECT, up

TIMES = 20


async def run(url: str, folder: Path) -> None:
    """Print the figures of a service that runs."""
    brief = (PROJECT / "examples" / "tool-library.md").read_text()
    async with ServiceClient(url) as client:
        said: list[str] = []
        archive = await run_demo(client, brief, folder, said.append)
        feature = UUID(said[0].removeprefix("feature "))
        for form in ("zip", "git"):
            times, size = [], 0
            for _ in range(TIMES):
                begun = time.perf_counter()
                size = await client.download(feature, folder / f"delivery.{form}", form)
                times.append((time.perf_counter() - begun) * 1_000)
            print(
                f"{form}: first {times[0]:.0f} ms, then {median(times[1:]):.0f} ms (median), "
                f"{max(times[1:]):.0f} ms (longest); {size:,} bytes"
            )
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder / "unpacked")
        names = opened.namelist()
    (unpacked,) = (folder / "unpacked").iterdir()
    program = unpacked / "documents" / "verify.py"
    begun = time.perf_counter()
    checked = subprocess.run(  # noqa: ASYNC221, S603  # Ours; nothing else runs here.
        [sys.executable, "-I", program, archive], check=True, capture_output=True, text=True
    )
    took = (time.perf_counter() - begun) * 1_000
    print(f"verify.py: {took:.0f} ms with Python's start; {len(names)} files")
    print(checked.stdout, end="")


def main() -> None:
    """Start a service in a fresh folder, measure, stop it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with up(folder / "data") as url:
            asyncio.run(run(url, folder))


if __name__ == "__main__":
    main()
