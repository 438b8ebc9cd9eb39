"""What can keep the embedded servers from running; each error is one line that says what to do."""

from pathlib import Path


class StackError(RuntimeError):
    """The embedded servers cannot run."""


class FolderInUse(StackError):
    """Another process holds the data folder."""

    def __init__(self, root: Path, pid: str) -> None:
        super().__init__(
            f"the data folder {root} is in use by process {pid}: "
            "stop that process, or choose another data folder"
        )


class FolderNotWritable(StackError):
    """The data folder cannot be made or written."""

    def __init__(self, root: Path, reason: str) -> None:
        super().__init__(
            f"cannot write to the data folder {root} ({reason}): "
            "correct its path or permissions, or choose another data folder"
        )


class FolderDamaged(StackError):
    """The data folder does not hold a complete database."""

    def __init__(self, data: Path, reason: str) -> None:
        super().__init__(
            f"the database in {data} is damaged ({reason}): "
            "restore it from a backup, or move it away to begin with an empty one"
        )


class FolderOfAnotherVersion(StackError):
    """The data folder was made by another major version of PostgreSQL."""

    def __init__(self, data: Path, found: str, wanted: str) -> None:
        super().__init__(
            f"the database in {data} belongs to PostgreSQL {found}, but PostgreSQL {wanted} is "
            f"installed: dump it with version {found} and restore it into an empty data folder"
        )


class DiskFull(StackError):
    """The disk of the data folder has too little room."""

    def __init__(self, root: Path, free_mb: int, wanted_mb: int) -> None:
        super().__init__(
            f"only {free_mb} MB are free on the disk of {root}, {wanted_mb} MB are needed: "
            "make room, or choose a data folder on another disk"
        )


class BinaryMissing(StackError):
    """A server's binary is not installed."""

    def __init__(self, name: str, distribution: str) -> None:
        super().__init__(
            f"{name} is missing from the package {distribution}: remove the .venv folder and start "
            "again, or name external servers in BP_DATABASE_URL and BP_NATS_URL"
        )


class RootNotPossible(StackError):
    """PostgreSQL refuses to run as root, and this machine offers no way around it."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL cannot run as root on this machine: start as a normal user, "
            "or name an external server in BP_DATABASE_URL"
        )


class ServerFailed(StackError):
    """A server did not start, or ended by itself."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}: see {log}")
