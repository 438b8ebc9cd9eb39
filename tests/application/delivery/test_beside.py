"""What other programs leave beside a delivery is passed over and said; what runs by itself is not.

And an unpacked delivery can be zipped again anywhere on earth.
"""

import asyncio
import io
import os
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from application.delivery.beside import APPLE_DOUBLE
from application.delivery.checker import Wrong, check, notes, read
from tests import given
from tests.application.delivery.test_delivery import FILES, SCRIPT, unpacked
from tests.delivered import Shop, zipped

DOUBLE = APPLE_DOUBLE + b"\0" * 40
HARMLESS = {
    ".DS_Store": b"\0\0\0\1Bud1",
    "src/.DS_Store": b"",
    "desktop.ini": b"[.ShellClassInfo]\r\nIconResource=%SystemRoot%\\system32\\imageres.dll,-3\r\n",
    "docs/Desktop.ini": "[.ShellClassInfo]\r\n".encode("utf-16"),
    "Thumbs.db": b"\xd0\xcf",
    "._README.md": DOUBLE,
    "__MACOSX/src/._server.ts": DOUBLE,
    ".directory": b"[Dolphin]\n",
}
HARMFUL = {
    "desktop.ini": b"[.ShellClassInfo]\r\nIconResource=\\\\evil.example\\share\\x.dll,0\r\n",
    "src/desktop.ini": "[.ShellClassInfo]\r\nCLSID={x}\r\n".encode("utf-16"),
    "._evil.sh": b"#!/bin/sh\n",
    "__MACOSX/evil.sh": b"#!/bin/sh\n",
    ".DS_Store/evil.sh": b"#!/bin/sh\n",
    "node_modules/express/index.js": b"evil()",
    ".git/config": b"[core]\n\tbare = false\n",
    ".vscode/tasks.json": b"{}",
    ".npmrc": b"",
    ".env": b"NODE_OPTIONS=--require ./evil.js",
    "package-lock.json": b"{}",
    "sitecustomize.py": b"evil()",
    ".build-practical/json.py": b"print('valid')",
}


@pytest.mark.parametrize("path", HARMLESS)
def test_what_file_managers_leave_is_passed_over_and_named(path, tmp_path):
    files = {**FILES, path: HARMLESS[path]}
    assert check(files) == check(FILES)
    assert [line for line in notes(files) if path in line]
    place = tmp_path / "again.zip"
    place.write_bytes(zipped(files))
    assert check(read(place)) == check(FILES)


@pytest.mark.parametrize("path", HARMFUL)
def test_what_would_run_or_lead_elsewhere_is_never_passed_over(path, tmp_path):
    with pytest.raises(Wrong) as caught:
        check({**FILES, path: HARMFUL[path]})
    assert caught.value.place == path
    assert notes(FILES) == []


def tree(tmp_path: Path, *more: str) -> Path:
    """A delivery that was unpacked, installed, and put into a repository."""
    folder = unpacked(tmp_path / "folder")
    for path in (
        ".git/HEAD", ".git/hooks/pre-commit.sample", ".git/objects/ab/cd", ".git/refs/heads/main",
        "node_modules/express/index.js", "node_modules/.package-lock.json", "package-lock.json",
        "src/node_modules/x/package.json", ".Trash-1000/x", *more,
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    (folder / ".git" / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
        '[remote "origin"]\n\turl = https://example.com/x.git\n'
        "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
    )
    (folder / "node_modules" / "link").symlink_to(folder / "README.md")
    return folder


def test_a_repository_and_installed_packages_are_passed_over_and_named(tmp_path):
    files = read(tree(tmp_path))
    assert check(files) == check(FILES)
    told = "\n".join(notes(files))
    for name in (".git/", "node_modules/", "src/node_modules/", ".Trash-1000/"):
        assert f"passed over: {name}: " in told
    assert "package-lock.json" in told
    assert "not checked" in told
    ran = subprocess.run(  # noqa: S603  # Ours.
        [sys.executable, str(tmp_path / "folder" / SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "note: passed over: node_modules/: installed packages" in ran.stdout


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/post-checkout", ".git/modules/x/hooks/pre-push", ".git/config.worktree",
        "node_modules/.hooks/preinstall",
    ],
)  # fmt: skip
def test_what_tools_run_by_themselves_is_named_also_in_what_is_passed_over(path, tmp_path):
    folder = tree(tmp_path, path)
    (folder / path).write_bytes(b"[core]\n\tfsmonitor = evil\n")
    with pytest.raises(Wrong, match="run without a word") as caught:
        check(read(folder))
    assert caught.value.place == path


@pytest.mark.parametrize(
    "setting",
    [
        "[core]\nfsmonitor = ./evil", "[core]\n\thooksPath = .", "[core] sshCommand = evil",
        '[filter "x"]\nsmudge = evil', "[alias]\nstatus = !evil", "[include]\npath = ../evil",
        '[remote "origin"]\nurl = ext::sh -c evil', "[CORE]\nFsMonitor=evil",
    ],
)  # fmt: skip
def test_settings_of_a_repository_that_run_programs_are_named(setting, tmp_path):
    folder = tree(tmp_path)
    with (folder / ".git" / "config").open("a") as file:
        file.write(setting + "\n")
    with pytest.raises(Wrong, match="run without a word"):
        check(read(folder))


def test_links_and_files_named_like_a_repository_are_none(tmp_path):
    folder = unpacked(tmp_path / "folder")
    (folder / ".git").write_text("gitdir: ../elsewhere\n")
    with pytest.raises(Wrong, match=r"\.git was added"):
        check(read(folder))
    (folder / ".git").unlink()
    (folder / ".git").symlink_to(tmp_path)
    with pytest.raises(Wrong, match=r"\.git was added: a delivery holds no links"):
        read(folder)


def test_the_program_runs_nothing_that_lies_beside_it(tmp_path):
    folder = unpacked(tmp_path / "folder")
    (folder / ".build-practical" / "json.py").write_text("print('valid'); raise SystemExit")
    ran = subprocess.run(  # noqa: S603  # Ours.
        [sys.executable, str(folder / SCRIPT)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "json.py was added" in ran.stdout


ZONES = ("Etc/GMT+12", "America/Los_Angeles", "America/St_Johns", "UTC", "Pacific/Kiritimati")


@pytest.mark.parametrize("zone", ZONES)
def test_an_unpacked_delivery_can_be_zipped_again_in_every_zone(zone, tmp_path, monkeypatch):
    whole = asyncio.run(Shop(given.done().events).zip())
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        # The same bytes wherever the service runs.
        assert asyncio.run(Shop(given.done().events).zip()) == whole
        again = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(again, "w") as out:
            for member in archive.infolist():
                assert member.date_time >= (1980, 1, 2, 0, 0, 0)
                path = Path(archive.extract(member, tmp_path))
                unix = modified(member.extra)
                os.utime(path, (unix, unix))  # As other programs unpack it.
                out.write(path, member.filename)
                assert time.localtime(unix)[:3] >= (1980, 1, 2)
        (tmp_path / "again.zip").write_bytes(again.getvalue())
        assert check(read(tmp_path / "again.zip"))
    finally:
        monkeypatch.undo()
        time.tzset()


def modified(extra: bytes) -> int:
    """The time in a member's `UT` field, in seconds since 1970."""
    while extra:
        kind, length = struct.unpack("<2sH", extra[:4])
        if kind == b"UT":
            return int(struct.unpack("<l", extra[5:9])[0])
        extra = extra[4 + length :]
    raise AssertionError("the member tells no time")
