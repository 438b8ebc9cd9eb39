"""`log verify` and `log key` as an operator calls them, against real servers."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict

from infrastructure.transparency import NoteSigner
from tests.integration.logs import MASTER_TEXT
from tests.prepared import run
from tests.security.signed_log import SIZE, SignedLog, signed_log, told

PROJECT = Path(__file__).resolve().parents[2]


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    error: str


@pytest.fixture
async def kept(database: str, tmp_path: Path) -> AsyncIterator[SignedLog]:
    async with signed_log(database, tmp_path / "files" / "checkpoints") as store:
        yield store


@pytest.fixture
def settings(database: str, nats_url: str, tmp_path: Path) -> dict[str, str]:
    parts = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    url = f"postgresql:///{quote(parts.pop('dbname'))}?{urlencode(parts)}"
    return {
        "PATH": os.defpath,
        "BP_DATABASE_URL": url,
        "BP_NATS_URL": nats_url,
        "BP_ARTIFACTS_URL": (tmp_path / "files").as_uri(),
        "BP_MASTER_KEY": MASTER_TEXT,
    }


async def ask(settings: dict[str, str], *words: str) -> Said:
    done = await asyncio.to_thread(run, words, env=settings)
    return Said(done.returncode, done.stdout, done.stderr)


async def test_a_whole_store_that_holds(kept: SignedLog, settings: dict[str, str]) -> None:
    empty = await ask(settings, "log", "verify")
    assert (empty.code, empty.error) == (0, "")
    assert "No tree head has been signed yet" in empty.out
    await told(kept)
    said = await ask(settings, "log", "verify")
    assert (said.code, said.error) == (0, "")
    assert "The log holds: 12 events of 4 features. 2 tree heads" in said.out
    assert "The 2 after it are covered by their chains only." in said.out
    report = json.loads((await ask(settings, "log", "verify", "--json")).out)[0]
    assert (report["valid"], report["events"], report["covered"]) == (True, 12, SIZE)


async def test_a_broken_store_is_one_line_and_exit_code_1(
    kept: SignedLog, settings: dict[str, str]
) -> None:
    await told(kept)
    kept.attack("UPDATE es.events SET actor = 'user:mallory' WHERE position = 3", rechain=True)
    said = await ask(settings, "log", "verify")
    assert (said.code, said.out) == (1, "")
    assert said.error.startswith("error: The log was rewritten between positions 1 and 6")
    assert said.error.count("\n") == 1
    said = await ask(settings, "log", "verify", "--json")
    assert said.code == 1
    assert json.loads(said.out)[0]["between"] == [1, 6]


async def test_the_key_is_printed_and_can_be_given_back(
    kept: SignedLog, settings: dict[str, str], tmp_path: Path
) -> None:
    before = await ask(settings, "log", "key")
    await told(kept)
    assert (
        (await ask(settings, "log", "key")).out == before.out == f"{await kept.keys.published()}\n"
    )
    file = tmp_path / "log.key"
    file.write_text(before.out)
    for given in (str(file), before.out.strip()):
        said = await ask(settings, "log", "verify", "--key", given)
        assert said.code == 0
        assert "signed with the key you gave" in said.out
    other = NoteSigner.generate(kept.sql("SELECT log_id FROM app.log_keys")[0][0]).text()
    said = await ask(settings, "log", "verify", "--key", other)
    assert said.code == 1
    assert "not signed by the key of this log" in said.error
    said = await ask(settings, "log", "verify", "--key", "rubbish")
    assert (said.code, said.error.count("\n")) == (1, 1)
    assert MASTER_TEXT not in said.error + said.out


async def test_the_sweeper_signs_without_being_asked(
    kept: SignedLog, settings: dict[str, str]
) -> None:
    await kept.record("ABAB")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "interface.cli",
        "sweeper",
        cwd=PROJECT,
        env=settings | {"BP_CHECKPOINT_SECONDS": "0.2"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            while 4 not in await kept.store.list():
                await asyncio.sleep(0.02)
            await kept.record("BC")
            while 6 not in await kept.store.list():
                await asyncio.sleep(0.02)
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode == 0
    report = await kept.verify()
    assert (report.valid, report.covered) == (True, 6)
