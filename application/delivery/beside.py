"""What lies beside the files of a delivery without being one: no fault, and said.

File managers, editors, version control, installations and builds leave files of their own in a
folder. They are no sign that a delivery was changed; what among them runs by itself is pointed out.
A delivered file is never taken for one of them, whatever it is called. Like the checker, plain
Python 3.8 and the standard library.
"""

from __future__ import annotations

import os
import re
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
REPOSITORIES = frozenset((".git", ".hg", ".jj", ".svn"))
EDITORS = frozenset((".fleet", ".history", ".idea", ".settings", ".vs", ".vscode", ".zed"))
CACHES = frozenset(
    (
        ".cache", ".mypy_cache", ".next", ".npm", ".nuxt", ".nyc_output", ".output",
        ".parcel-cache", ".pnpm-store", ".pytest_cache", ".ruff_cache", ".svelte-kit", ".tox",
        ".turbo", ".venv", ".vite", ".yarn", "__pycache__",
    )
)  # fmt: skip
BUILT = frozenset(("build", "coverage", "dist", "logs", "out", "temp", "tmp"))
"""Folders that tools make at the top of a project; deeper ones may be anybody's."""
TOPS = ("", "code")
LOCKS = frozenset(
    (
        "bun.lock", "bun.lockb", "deno.lock", "npm-shrinkwrap.json", "package-lock.json",
        "pnpm-lock.yaml", "yarn.lock",
    )
)  # fmt: skip
LEFT_BY_TOOLS = re.compile(
    r"(?:npm|pnpm|yarn)-(?:debug|error)\.log(?:\.\d{1,9})?|\.(?:es|style|prettier)lintcache"
    r"|\.prettiercache|.{1,200}\.tsbuildinfo|\.tsbuildinfo|\..{1,200}\.sw[a-p]|.{1,200}~"
    r"|~\$.{1,200}|\.~lock\..{1,200}#|#.{1,200}#|\.#.{1,200}"
)
OWN_SETTINGS = re.compile(r"\.env(?:\.[\w.-]{1,60})?")
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
RUNS = "RUNS BY ITSELF, and was not delivered: look at it before you go on"


def folders_of(paths: list[str]) -> set[str]:
    """Every folder that one of these files is in, without the slash at its end."""
    parts = [path.split("/") for path in paths]
    return {"/".join(names[:depth]) for names in parts for depth in range(1, len(names))}


def passed_over(folder: str) -> str:
    """What a folder that tools make holds; nothing if it is of no such name."""
    parent, _, name = folder.casefold().rpartition("/")
    if name == INSTALLED:
        return "installed packages, which run with the program"
    if name in REPOSITORIES:
        return "a repository of yours"
    if name in EDITORS:
        return "settings of an editor"
    if name in CACHES:
        return "kept by a tool for later"
    if name in BUILT and parent in TOPS:
        return "written by a tool"
    if not parent and (name in OF_A_DISK or name.startswith(".trash-")):
        return "the disk's own"
    return ""


def beside(path: str, body: bytes, delivered: set[str]) -> tuple[str, str]:
    """The folder or file that lies beside, and what it is; two empty texts if it does not.

    `delivered` are the folders of a delivery's files: whatever they are called, none is a tool's.
    """
    names = path.split("/")
    for depth in range(1, len(names)):
        folder = "/".join(names[:depth])
        what = "" if folder in delivered else passed_over(folder)
        if what:
            return folder + "/", what
    name = names[-1].casefold()
    if is_litter(path, body):
        return path, "left there by a file manager"
    if name in LOCKS:
        return path, "written when packages were installed"
    if OWN_SETTINGS.fullmatch(name):
        return path, "settings of yours; keep them to yourself"
    if LEFT_BY_TOOLS.fullmatch(name):
        return path, "left there by a tool"
    return "", ""


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


def could_run(path: str) -> bool:
    """Whether a file is of a name that tools run, or take settings from, without a word."""
    parts = path.casefold().split("/")
    if INSTALLED in parts:
        return ".hooks" in parts
    if REPOSITORIES.isdisjoint(parts):
        return False
    return "hooks" in parts[:-1] or parts[-1] in ("config", "config.worktree")


def runs_by_itself(path: str, body: bytes) -> bool:
    """Whether a file of a repository, or of installed packages, is run by tools without a word."""
    if not could_run(path):
        return False
    parts = path.casefold().split("/")
    if INSTALLED in parts:
        return True
    if "hooks" in parts[:-1]:
        return not parts[-1].endswith(".sample")
    return not _is_plain(body)


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


def files_in(place: Path, delivered: set[str]) -> dict[str, Path]:
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
            folder = unicodedata.normalize("NFC", prefix + name)
            if name not in links and folder not in delivered and passed_over(folder):
                found[folder + "/"] = Path(root, name)
                found.update(_to_be_looked_at(Path(root, name), folder))
                folders.remove(name)
    return found


def _to_be_looked_at(folder: Path, name: str) -> dict[str, Path]:
    """Hooks and settings of a repository, and hooks of installed packages."""
    found: dict[str, Path] = {}
    last = name.rpartition("/")[2].casefold()
    if last in REPOSITORIES:
        for root, folders, names in os.walk(str(folder)):
            folders[:] = [one for one in folders if one not in ("objects", "refs", "logs")]
            here = Path(root).relative_to(folder).as_posix()
            for one in names:
                if here.rpartition("/")[2] == "hooks" or one in ("config", "config.worktree"):
                    found[name + "/" + (one if here == "." else here + "/" + one)] = Path(root, one)
    elif last == INSTALLED and (folder / ".hooks").is_dir():
        for path in (folder / ".hooks").iterdir():
            found[name + "/.hooks/" + path.name] = path
    return found
