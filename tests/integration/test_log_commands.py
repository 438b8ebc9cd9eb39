"""The operator's commands about logs and what waits, each as a process of its own."""

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from uuid_utils.compat import uuid7

from domain import commands as c
from domain.status import Gate
from infrastructure.sealing.master_key import PREFIX
from tests.given import at_gate, done, drafted
from tests.integration.reading import MASTER, World, world
from tests.prepared import run

KEY = PREFIX + base64.urlsafe_b64encode(MASTER).decode().rstrip("=")


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def bp(there: World, *arguments: object) -> subprocess.CompletedProcess[str]:
    parts = conninfo_to_dict(there.url)
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
    if "port" in parts:
        url += f"&port={parts['port']}"
    assert make_conninfo(url)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("BP_")},
        "BP_DATABASE_URL": url,
        "BP_NATS_URL": "nats://127.0.0.1:9",
        "BP_MASTER_KEY": KEY,
        "COLUMNS": "200",
    }
    return await asyncio.to_thread(run, [*map(str, arguments)], env=environment)


async def test_a_log_goes_out_is_checked_comes_in_and_is_certified(there: World, tmp_path: Path):
    feature_id = await there.tell(done())
    await there.tell(at_gate(Gate.SPEC).do(c.DeleteFeature()))
    await there.catch_up()
    file, rows = tmp_path / "log.ndjson", tmp_path / "rows.json"
    exported = await bp(there, "log", "export", feature_id, "--out", file)
    assert (exported.returncode, exported.stderr) == (0, "")
    printed = await bp(there, "log", "export", feature_id)
    assert printed.stdout == file.read_text()

    verified = await bp(there, "log", "verify", file, "--json")
    (report,) = json.loads(verified.stdout)
    assert report["valid"]
    assert report["events"] == len(done().events)
    assert (await bp(there, "log", "verify", feature_id)).returncode == 0

    imported = await bp(there, "log", "import", file, "--out", rows, "--json")
    folded = {row["projection"]: row["sha256"] for row in json.loads(imported.stdout)}
    assert json.loads(rows.read_text())[str(feature_id)]["dashboard"][""][1]["status"] == "done"
    certified = await bp(there, "log", "certify", feature_id, "--json")
    (certificate,) = json.loads(certified.stdout)
    assert certificate["equal"]
    assert certificate["head"] == report["head"]
    assert folded == {x["projection"]: x["folded_sha256"] for x in certificate["projections"]}
    every = await bp(there, "log", "certify", "--all", "--json")
    assert [one["equal"] for one in json.loads(every.stdout)] == [True, True]

    file.write_bytes(file.read_bytes().replace(b"Tools", b"Fools", 1))
    spoilt = await bp(there, "log", "verify", file)
    assert spoilt.returncode == 1
    assert "line 1 (version 1) has personal content that is not what was recorded" in spoilt.stderr
    refused = await bp(there, "log", "import", file)
    assert refused.returncode == 1
    assert "Line 1" in refused.stderr


async def test_what_differs_from_the_log_fails_the_command_and_is_named(there: World):
    feature_id = await there.tell(drafted())
    await there.catch_up()
    there.sql(
        "update app.views set row = jsonb_set(row, '{title}', '\"Other\"')"
        " where projection = 'dashboard'"
    )
    certified = await bp(there, "log", "certify", "--all")
    assert certified.returncode == 1
    assert f"{feature_id}: dashboard: the row differs in `title`" in certified.stderr
    assert (await bp(there, "log", "certify")).returncode == 2


async def test_what_is_parked_is_explained_and_tried_again(there: World):
    feature_id = await there.tell(drafted().do(c.RenameFeature("After")))
    await there.catch_up()
    assert (await bp(there, "projections", "parked")).stdout.startswith("No feature waits")
    for projection, error in (
        ("dashboard", "ZeroDivisionError at FeatureRenamed"),
        ("run", "UnknownEvent in feature_renamed of schema version 9"),
    ):
        there.sql(
            "insert into app.parked (projection, generation, feature_id, version, error)"
            " values (%s, 1, %s, 2, %s)",
            projection,
            feature_id,
            error,
        )
    listed = json.loads((await bp(there, "projections", "parked", "--json")).stdout)
    told = {row["projection"]: row for row in listed}
    assert {row["event"] for row in listed} == {"feature_renamed"}
    assert "a defect of this program" in told["dashboard"]["means"]
    assert "later version" in told["run"]["means"]
    assert all(row["next"] for row in listed)
    retried = await bp(there, "projections", "retry")
    assert (retried.returncode, retried.stdout.strip()) == (0, "2 go on, 0 still wait")
    assert json.loads((await bp(there, "projections", "parked", "--json")).stdout) == []


async def test_a_dead_letter_says_what_it_means(there: World):
    insert = """
        insert into app.dead_letters (id, consumer, event_id, subject, position, deliveries, cause)
        values (%s, 'spec', %s, 'events.x', 1, 3, 'UnknownType: feature_melted')
    """
    there.sql(insert, uuid7(), uuid7())
    (letter,) = json.loads((await bp(there, "dead-letters", "list", "--json")).stdout)
    assert letter["cause"] == "UnknownType: feature_melted"
    assert "this version does not know" in letter["means"]
    assert letter["next"]


async def test_a_rebuild_tells_how_many_and_how_fast(there: World):
    await there.tell(done())
    await there.catch_up()
    rebuilt = await bp(there, "projections", "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert f"rebuilt all: {len(done().events)} events" in rebuilt.stdout
    assert (await bp(there, "projections", "rebuild", "nobody")).returncode == 1
