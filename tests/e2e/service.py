"""The product as its users start it: `up` as a process of its own, on a free loopback port."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
READY = re.compile(r"ready at (http://\S+)")
PATIENCE_SECONDS = 30


class NeverReady(Exception):
    """The service ended before it was ready."""


@contextmanager
def up(data: Path, **settings: str) -> Iterator[str]:
    """The address of a service that runs; stopped by SIGTERM at the end, and waited for."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("BP_", "ANTH"))
    }
    environment |= {
        "BP_DATA_DIR": str(data),
        "BP_PORT": "0",
        "BP_DEMO_PACE_SECONDS": "0",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    log = (data.parent / f"{data.name}.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "interface.cli", "up"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := READY.search(line):
                yield found.group(1)
                break
        else:
            log.seek(0)
            raise NeverReady(log.read()[-2_000:])
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        process.stdout.close()
        log.close()
    assert process.returncode == 0
