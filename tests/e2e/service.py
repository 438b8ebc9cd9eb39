"""The product as its users start it: `up` as a process of its own, on a free loopback port."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.prepared import Prepared
from tests.prepared_data import prepare

PROJECT = Path(__file__).resolve().parents[2]
READY = re.compile(r"ready at (http://\S+)")
PATIENCE_SECONDS = 30


class NeverReady(Exception):
    """The service ended before it was ready."""


@contextmanager
def up(data: Path, **settings: str) -> Iterator[str]:
    """The address of a service that runs; stopped by SIGTERM at the end, and waited for.

    A folder that is not there yet is made with a database that is migrated and empty.
    """
    if not data.exists() and "BP_DATABASE_URL" not in settings:
        prepare(data)
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
    reading, writing = os.pipe()
    with (data.parent / f"{data.name}.log").open("w+") as log, os.fdopen(reading) as said:
        try:
            process = Prepared(["up"], env=environment, stdout=writing, stderr=log)
        finally:
            os.close(writing)
        try:
            for line in said:
                if found := READY.search(line):
                    yield found.group(1)
                    break
            else:
                log.seek(0)
                raise NeverReady(log.read()[-2_000:])
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
    assert process.returncode == 0
