"""A data folder as the first start leaves it, without the second and more that PostgreSQL takes.

For each worker of pytest, one database is made, migrated and stopped in order; to prepare a folder
is to copy it. What a first start does itself, tests/command_line and tests/integration show.
"""

import shutil
import subprocess
import tempfile
from atexit import register
from functools import cache
from pathlib import Path

from infrastructure.embedded import Stack
from infrastructure.postgres.migrations import migrate


def prepare(data: Path) -> None:
    """Make the folder, with a migrated, empty database in it and nothing else."""
    root, made = _migrated()
    there = data / made.relative_to(root)
    data.mkdir(mode=0o700)
    there.parent.mkdir(exist_ok=True)
    # Keeps owners and modes, and makes no copy of blocks where the file system can share them.
    subprocess.run(["/bin/cp", "-a", made, there], check=True)  # noqa: S603 - our own folders.


@cache
def _migrated() -> tuple[Path, Path]:
    """The folder of both servers, and that of the database in it."""
    root = Path(tempfile.mkdtemp(prefix="bp-prepared-"))
    register(shutil.rmtree, root, ignore_errors=True)
    with Stack(root, durable=False) as stack:
        migrate(stack.dsn)
        made = stack.stop_postgres()
    return root, made
