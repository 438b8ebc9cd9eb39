"""What each process takes, and how soon the service starts: `python -m tests.bench.processes`.

Starts embedded servers and the five processes by their commands, has the demo build one feature
through them, and prints the resident memory of each; then starts `up` twice in a fresh folder.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import psutil
from psycopg.conninfo import conninfo_to_dict

from infrastructure.embedded import Stack
from infrastructure.observability import logs
from infrastructure.postgres.migrations import migrate
from infrastructure.sealing import MasterKey

PROJECT: Final = Path(__file__).resolve().parents[2]
NAMES: Final = ("api", "worker", "relay", "projector", "sweeper")
READY: Final = ("is ready at", "startup complete", "running")
PATIENCE_SECONDS: Final = 60.0


@contextmanager
def command(
    name: str, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the program, ended at the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - our own program.
            [sys.executable, "-m", "interface.cli", name],
            env={**os.environ, **environment},
            cwd=PROJECT,
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def wait_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(word in log.read_text() for word in READY):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(log.read_text())
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory(root: Path) -> dict[str, int]:
    """Resident megabytes of each process after one feature."""
    with Stack(root / "servers") as stack, ExitStack() as started:
        migrate(stack.dsn)
        key = root / "master.key"
        environment = {
            "BP_DATA_DIR": str(root / "data"),
            "BP_DATABASE_URL": f"postgresql:///?{urlencode(conninfo_to_dict(stack.dsn))}",
            "BP_NATS_URL": stack.nats_url,
            "BP_MASTER_KEY_FILE": str(key),
            "BP_PORT": str(free_port()),
            "BP_DEMO_PACE_SECONDS": "0",
        }
        MasterKey.generate_file(key)
        running = {}
        for name in NAMES:
            log = root / f"{name}.log"
            running[name] = started.enter_context(command(name, environment, log))
            wait_ready(running[name], log)
        subprocess.run(  # noqa: S603 - our own program.
            [sys.executable, "-m", "interface.cli", "demo", "--out", str(root)],
            env={**os.environ, **environment},
            cwd=PROJECT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return {
            name: round(psutil.Process(process.pid).memory_info().rss / 2**20)
            for name, process in running.items()
        }


def starts(root: Path) -> list[float]:
    """Seconds until `up` is ready: in a fresh folder, and again."""
    taken = []
    environment = {"BP_DATA_DIR": str(root), "BP_PORT": "0"}
    for number in range(2):
        log = root.parent / f"up-{number}.log"
        began = time.perf_counter()
        with command("up", environment, log) as process:
            wait_ready(process, log)
            taken.append(round(time.perf_counter() - began, 2))
    return taken


def main() -> None:
    logs.configure(json_lines=False, level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        first, second = starts(Path(folder) / "up")
        print(json.dumps({"up_first_start_s": first, "up_second_start_s": second}), flush=True)
        print(json.dumps({"resident_mb": memory(Path(folder))}))


if __name__ == "__main__":
    main()
