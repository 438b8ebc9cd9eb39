"""A database that is set back: its data folder as it was earlier, under living processes.

As a restore of a backup, or a failover to a standby that lagged behind, looks from outside.
"""

import shutil
import subprocess
from pathlib import Path

from infrastructure.embedded import Stack


def keep(stack: Stack, folder: Path) -> Path:
    """Copy the data folder while the server stands still; the copy."""
    data = stack.stop_postgres()
    try:
        _copied(data, folder)
    finally:
        stack.restart_postgres()
    return folder


def set_back(stack: Stack, kept: Path) -> None:
    """Put an earlier copy in the place of the data folder."""
    data = stack.stop_postgres()
    shutil.rmtree(data)
    _copied(kept, data)
    stack.restart_postgres()


def _copied(source: Path, target: Path) -> None:
    # With owners and modes, which PostgreSQL insists on.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)  # noqa: S603, S607
