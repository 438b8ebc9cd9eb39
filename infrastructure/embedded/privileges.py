"""How PostgreSQL, which refuses to be root, runs when we are root; no permission is widened."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infrastructure.embedded.errors import RootNotPossible

NOBODY = 65534  # The overflow user and group id of Linux, in every distribution.


@dataclass(frozen=True)
class Privileges:
    """`prefix` goes before the command; `owner` is the other user who must own the data, if any."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None

    @property
    def uid(self) -> int:
        """The user to whom files belong that PostgreSQL makes, as seen from here."""
        return os.getuid() if self.owner is None else self.owner

    def hand_over(self, folder: Path) -> None:
        """Give a folder of ours to the user PostgreSQL runs as."""
        if self.owner is not None:
            os.chown(folder, self.owner, -1)


def find(program: Path) -> Privileges:
    """Return how to run `program` without being root; RootNotPossible when there is no way."""
    if os.geteuid() != 0:
        return Privileges()
    return _in_user_namespace(program) or _as_other_user(program)


def _in_user_namespace(program: Path) -> Privileges | None:
    """PostgreSQL believes it is nobody, while its files stay ours."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    prefix = (unshare, "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
    return Privileges(prefix) if _works(prefix, program) else None


def _as_other_user(program: Path) -> Privileges:
    """Hardened containers forbid user namespaces: become a real user instead."""
    setpriv = shutil.which("setpriv")
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        # Changing the user clears the request to die with us: --pdeathsig makes it again.
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        if setpriv is not None and _works((setpriv, *ids, "--"), program):
            return Privileges((setpriv, *ids, "--pdeathsig=INT", "--"), user.pw_uid)
    raise RootNotPossible


def _works(prefix: tuple[str, ...], program: Path) -> bool:
    """Tell whether the program can be reached and run that way."""
    command = [*prefix, str(program), "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
