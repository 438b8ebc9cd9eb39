"""What lies beside the files of a delivery without being one: passed over, and said.

File managers, archivers and version control leave files of their own in a folder. They are no sign
that a delivery was changed, as long as nothing among them runs by itself: that is never passed
over. Like the checker, plain Python 3.8 and the standard library.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

LITTER = frozenset(
    (".ds_store", ".directory", ".localized", "desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db")
)
"""Files that file managers leave in any folder."""
APPLE_DOUBLE = b"\x00\x05\x16\x07"
"""How the file `._x` begins that macOS writes beside `x`, or into `__MACOSX`."""
LARGEST_LITTER = 1 << 20
LEADS_ELSEWHERE = (b"\\\\", b"://", b"clsid")
"""In a `desktop.ini`: Windows fetches from there, or runs it, when the folder is looked at."""
OF_A_DISK = frozenset(
    (
        "$recycle.bin", ".documentrevisions-v100", ".fseventsd", ".spotlight-v100",
        ".temporaryitems", ".trashes", "lost+found", "system volume information",
    )
)  # fmt: skip
INSTALLED = "node_modules"
REPOSITORY = ".git"
LOCKS = frozenset(("package-lock.json", "pnpm-lock.yaml", "yarn.lock"))
"""Written by an installation, beside what it installs."""
PLAIN_SETTINGS = {
    "core": (
        "repositoryformatversion", "filemode", "bare", "logallrefupdates", "ignorecase",
        "precomposeunicode", "symlinks", "autocrlf", "eol",
    ),
    "remote": ("url", "fetch", "pushurl", "tagopt"),
    "branch": ("remote", "merge", "rebase"),
    "user": ("name", "email"),
    "init": ("defaultbranch",),
    "pull": ("rebase", "ff"),
    "push": ("default",),
}  # fmt: skip
"""Settings of a repository that run nothing."""


def is_litter(path: str, body: bytes) -> bool:
    """Whether a file is a file manager's or an archiver's, and nothing runs or obeys it."""
    name = path.rpartition("/")[2]
    if len(body) > LARGEST_LITTER:
        return False
    if name.startswith("._"):
        return body.startswith(APPLE_DOUBLE)
    if name.casefold() == "desktop.ini":
        plain = body.replace(b"\0", b"").lower()
        return not any(sign in plain for sign in LEADS_ELSEWHERE)
    return name.casefold() in LITTER


def passed_over(folder: str) -> str:
    """What a folder holds that is no part of a delivery; nothing if it is one of its folders."""
    name = folder.rpartition("/")[2].casefold()
    if name == INSTALLED:
        return "installed packages: they were not checked, and run with the program"
    if folder.casefold() == REPOSITORY:
        return "a repository of yours: what is in it was not checked, but that nothing runs"
    if folder.casefold() in OF_A_DISK or folder.casefold().startswith(".trash-"):
        return "the disk's own: what is in it was not checked"
    return ""


def runs_by_itself(path: str, body: bytes) -> bool:
    """Whether a file of a repository, or of installed packages, is run by tools without a word."""
    parts = path.casefold().split("/")
    if INSTALLED in parts:
        return ".hooks" in parts
    if "hooks" in parts[:-1]:
        return not parts[-1].endswith(".sample")
    return parts[-1] in ("config", "config.worktree") and not _is_plain(body)


def _is_plain(config: bytes) -> bool:
    """Whether a repository's settings are such as `git init` and `git clone` write."""
    section = ""
    for raw in config.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = line[1:].split("]")[0].split('"')[0].strip().casefold()
            line = line.partition("]")[2].strip()
            if not line:
                continue
        key = line.partition("=")[0].strip().casefold()
        if key not in PLAIN_SETTINGS.get(section, ()) or "ext::" in line.casefold():
            return False
    return True


def files_in(place: Path) -> dict[str, Path]:
    """All files of a folder, by path; a folder that is passed over stands there as `name/`.

    What could run by itself in one that is passed over stands there, too. Links stand as files.
    """
    found: dict[str, Path] = {}
    for root, folders, names in os.walk(str(place)):
        here = Path(root).relative_to(place).as_posix()
        prefix = "" if here == "." else here + "/"
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in [*names, *links]:
            found[unicodedata.normalize("NFC", prefix + name)] = Path(root, name)
        for name in list(folders):
            if name not in links and passed_over(prefix + name):
                found[prefix + name + "/"] = Path(root, name)
                found.update(_to_be_looked_at(Path(root, name), prefix + name))
                folders.remove(name)
    return found


def _to_be_looked_at(folder: Path, name: str) -> dict[str, Path]:
    """Hooks and settings of a repository, and hooks of installed packages."""
    found: dict[str, Path] = {}
    if name.casefold() == REPOSITORY:
        for root, folders, names in os.walk(str(folder)):
            folders[:] = [one for one in folders if one not in ("objects", "refs", "logs")]
            here = Path(root).relative_to(folder).as_posix()
            for one in names:
                if here.rpartition("/")[2] == "hooks" or one in ("config", "config.worktree"):
                    found[name + "/" + (one if here == "." else here + "/" + one)] = Path(root, one)
    elif (folder / ".hooks").is_dir():
        for path in (folder / ".hooks").iterdir():
            found[name + "/.hooks/" + path.name] = path
    return found
