"""Whether SQL is PostgreSQL, by the grammar of `squawk`, in a process of its own.

Invariant: files are only read: the tool gets copies in a folder that is removed, no settings, no
network and 20 seconds. Where the tool itself is missing, that is a note and not an error.
"""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from msgspec import Struct

from application.agents.inspection import StaticFinding
from infrastructure.inspection.sql_tokens import without_data

SECONDS: Final = 20.0
MOST_FINDINGS: Final = 5
"""Per file: one fault brings others with it."""
ENVIRONMENT: Final[Mapping[str, str]] = {}
"""Nothing: the tool needs no setting, and must see no secret."""
CRASHED: Final = "The parser cannot read this file."


class Violation(Struct):
    """What the tool reports; its lines count from 0."""

    file: str
    line: int
    message: str
    rule_name: str


def tool() -> str | None:
    """Where the tool is: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk")


async def sql_findings(files: Mapping[str, str]) -> list[StaticFinding]:
    """Where the SQL cannot be parsed."""
    program = tool()
    if program is None:
        note = "SQL is not read: the tool `squawk` is not installed."
        return [StaticFinding(path, 1, "not_inspected", note, error=False) for path in files]
    names = {f"{number:04}.sql": path for number, path in enumerate(sorted(files))}
    with TemporaryDirectory(prefix="bp-sql-") as folder:
        for name, path in names.items():
            content = without_data(files[path]).encode("utf-8", "replace")
            await asyncio.to_thread(Path(folder, name).write_bytes, content)
        whole = await _run(program, folder, list(names))
        if whole is not None:
            return _findings(whole, names)
        return await _one_by_one(program, folder, names)


async def _one_by_one(program: str, folder: str, names: Mapping[str, str]) -> list[StaticFinding]:
    """Find the file that the tool does not survive."""
    found: list[StaticFinding] = []
    for name, path in names.items():
        alone = await _run(program, folder, [name])
        if alone is None:
            found.append(StaticFinding(path, 1, "unreadable", CRASHED))
        else:
            found += _findings(alone, names)
    return found


async def _run(program: str, folder: str, names: list[str]) -> list[Violation] | None:
    """What the tool reports; None if it crashed, hung, or said nothing that can be read."""
    process = await asyncio.create_subprocess_exec(
        program, "--reporter", "json", "--", *names,
        cwd=folder, env=ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(output, type=list[Violation])
    except msgspec.MsgspecError:
        return None


def _findings(violations: list[Violation], names: Mapping[str, str]) -> list[StaticFinding]:
    found: dict[str, list[StaticFinding]] = {}
    for violation in violations:
        if violation.rule_name != "syntax-error":
            continue
        path = names[Path(violation.file).name]
        message = f"The SQL cannot be parsed: {violation.message}."
        found.setdefault(path, []).append(
            StaticFinding(path, violation.line + 1, "syntax", message)
        )
    return [finding for each in found.values() for finding in each[:MOST_FINDINGS]]
