"""What tools leave beside a delivery is said and is no fault; any other file that was added is one.

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
from msgspec.structs import replace

from application.delivery.beside import APPLE_DOUBLE, RUNS
from application.delivery.checker import Wrong, check, notes, read
from domain import events as e
from tests import given
from tests.application.delivery.test_delivery import FILES, SCRIPT, unpacked
from tests.delivered import FILES as WRITTEN
from tests.delivered import Shop, unzipped, zipped

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
    "node_modules/express/index.js": b"module.exports = 1",
    "code/node_modules/.package-lock.json": b"{}",
    "code/dist/server.js": b"1",
    "code/coverage/lcov.info": b"",
    "code/package-lock.json": b"{}",
    "code/yarn.lock": b"",
    "code/npm-debug.log": b"",
    "code/tsconfig.tsbuildinfo": b"{}",
    ".env": b"PORT=1\n",
    "code/.env.local": b"PORT=1\n",
    "code/.git/config": b"[core]\n\tbare = false\n",
    ".vscode/settings.json": b"{}",
    "code/.idea/workspace.xml": b"<project/>",
    "documents/__pycache__/verify.cpython-311.pyc": b"\0",
    "code/src/server.ts~": b"",
    "code/src/.server.ts.swp": b"",
    "code/.eslintcache": b"",
    "documents/.~lock.brief.md#": b"",
}
FOREIGN = {
    "desktop.ini": b"[.ShellClassInfo]\r\nIconResource=\\\\evil.example\\share\\x.dll,0\r\n",
    "src/desktop.ini": "[.ShellClassInfo]\r\nCLSID={x}\r\n".encode("utf-16"),
    "._evil.sh": b"#!/bin/sh\n",
    "__MACOSX/evil.sh": b"#!/bin/sh\n",
    ".DS_Store/evil.sh": b"#!/bin/sh\n",
    ".npmrc": b"",
    "code/src/more.ts": b"evil()",
    "code/src/dist/evil.js": b"evil()",
    "code/tests/build/evil.test.ts": b"evil()",
    "code/db/999_evil.sql": b"DROP TABLE loan",
    "sitecustomize.py": b"evil()",
    "documents/json.py": b"print('valid')",
    ".env.example/x": b"",
}


@pytest.mark.parametrize("path", HARMLESS)
def test_what_tools_leave_is_no_fault_and_is_named(path, tmp_path):
    files = {**FILES, path: HARMLESS[path]}
    assert check(files) == check(FILES)
    (told,) = notes(files)
    assert told.startswith("beside, not delivered: ")
    assert path.startswith(told.split(": ")[1])
    place = tmp_path / "again.zip"
    place.write_bytes(zipped(files))
    assert check(read(place)) == check(FILES)


@pytest.mark.parametrize("path", FOREIGN)
def test_a_file_that_no_tool_leaves_is_named_and_is_a_fault(path):
    with pytest.raises(Wrong, match="was added") as caught:
        check({**FILES, path: FOREIGN[path]})
    assert caught.value.place == path
    assert notes(FILES) == []


@pytest.mark.parametrize("folder", ["dist", "build/deep", "coverage", "out", "tmp"])
async def test_a_delivered_file_is_a_tools_in_no_folder(folder, tmp_path):
    """An agent may call a folder of the code as it likes; its files count all the same."""
    path = f"{folder}/server.ts"
    shop = Shop([])
    shop.tell(with_file(path))
    files = unzipped(await shop.zip())
    assert "code/" + path in files
    assert check(files)
    place = unpacked(tmp_path / "folder", files)
    assert read(place) == files
    for body in (b"evil()", None):
        changed = {**files, "code/" + path: body} if body else dict(files)
        if body is None:
            del changed["code/" + path]
        with pytest.raises(Wrong) as caught:
            check(changed)
        assert caught.value.place == "code/" + path
        unpacked(tmp_path / str(body), changed)
        with pytest.raises(Wrong):
            check(read(tmp_path / str(body)))
    with pytest.raises(Wrong, match="was added"):
        check({**files, f"code/{folder}/more.ts": b"evil()"})


def with_file(path: str) -> list[e.FeatureEvent]:
    """A finished life in which the server stands at another path."""
    moved = tuple(
        replace(file, path=path) if file.path == "src/server.ts" else file for file in WRITTEN
    )
    return [
        replace(event, files=moved) if isinstance(event, e.ImplementationCompleted) else event
        for event in given.done().events
    ]


def tree(tmp_path: Path, *more: str) -> Path:
    """A delivery that was unpacked, installed, and put into a repository."""
    folder = unpacked(tmp_path / "folder")
    for path in (
        ".git/HEAD", ".git/hooks/pre-commit.sample", ".git/objects/ab/cd", ".git/refs/heads/main",
        "code/node_modules/express/index.js", "code/node_modules/.package-lock.json",
        "code/package-lock.json", "code/src/node_modules/x/package.json", ".Trash-1000/x",
        "code/dist/server.js", "code/coverage/lcov.info", ".env", ".DS_Store",
        ".vscode/launch.json", "documents/__pycache__/x.pyc", *more,
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    (folder / ".git" / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
        '[remote "origin"]\n\turl = https://example.com/x.git\n'
        "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
    )
    (folder / "code" / "node_modules" / "link").symlink_to(folder / "README.md")
    return folder


def test_a_folder_that_is_worked_in_is_valid_and_what_lies_beside_is_named(tmp_path):
    files = read(tree(tmp_path))
    assert check(files) == check(FILES)
    told = "\n".join(notes(files))
    for name in (
        ".git/", "code/node_modules/", "code/src/node_modules/", ".Trash-1000/", "code/dist/",
        "code/coverage/", ".env", ".DS_Store", ".vscode/", "documents/__pycache__/",
        "code/package-lock.json",
    ):  # fmt: skip
        assert f"beside, not delivered: {name}: " in told
    ran = subprocess.run(  # noqa: S603  # Ours.
        [sys.executable, str(tmp_path / "folder" / SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "note: beside, not delivered: code/node_modules/: installed packages" in ran.stdout


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/post-checkout", ".git/modules/x/hooks/pre-push", ".git/config.worktree",
        "code/node_modules/.hooks/preinstall",
    ],
)  # fmt: skip
def test_what_tools_run_by_themselves_is_pointed_out_and_stands_in_no_zip(path, tmp_path):
    folder = tree(tmp_path, path)
    (folder / path).write_bytes(b"[core]\n\tfsmonitor = evil\n")
    files = read(folder)
    assert check(files) == check(FILES)
    assert f"beside, not delivered: {path}: {RUNS}" in notes(files)
    place = tmp_path / "again.zip"
    place.write_bytes(zipped({**FILES, path: (folder / path).read_bytes()}))
    with pytest.raises(Wrong, match="run without a word") as caught:
        read(place)
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
    files = read(folder)
    assert check(files) == check(FILES)
    assert f"beside, not delivered: .git/config: {RUNS}" in notes(files)


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
    (folder / "documents" / "json.py").write_text("print('valid'); raise SystemExit")
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
