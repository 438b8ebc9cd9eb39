"""A master key is replaced while everything it wraps stays readable, and nothing is sealed anew."""

import asyncio
import os
import subprocess
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from uuid_utils.compat import uuid7

from infrastructure.identity.signing_keys import SigningKeys
from infrastructure.postgres.database import Database
from infrastructure.rewrapping import DATA_KEY, PAGE, Rewrapper
from infrastructure.sealing import DataKey, MasterKey
from infrastructure.sealing.data_keys import DataKeys, KeyRing
from infrastructure.sealing.refusals import WrongMasterKey
from infrastructure.transparency.keys import LogKeys
from tests.prepared import run

OLD, NEW = b"o" * 32, b"n" * 32
FEATURES = PAGE + 20


@dataclass
class Sealed:
    """A store in which everything is wrapped under the old key."""

    url: str
    tenant_id: UUID
    features: list[UUID]
    records: dict[UUID, bytes]
    kid: str
    log_id: UUID


@pytest.fixture
async def sealed(database: str) -> Sealed:
    master = MasterKey([OLD])
    tenant_id, features = uuid7(), [uuid7() for _ in range(FEATURES)]
    made = [DataKey.generate(uuid7(), tenant_id, feature_id) for feature_id in features]
    with psycopg.connect(database) as connection:
        connection.cursor().executemany(
            "INSERT INTO app.data_keys (key_id, tenant_id, scope, wrapped) VALUES (%s, %s, %s, %s)",
            [(key.key_id, tenant_id, key.scope, key.wrap(master)) for key in made],
        )
    async with (
        Database(database, "bp_api", max_size=1) as api,
        Database(database, "bp_sweeper", max_size=1) as sweeper,
    ):
        await DataKeys(api, KeyRing(master)).of_tenant(tenant_id)
        (signing,) = await SigningKeys(api, master).load()
        signer = await LogKeys(sweeper).signer(master)
    records = {
        feature_id: key.seal("test", feature_id, b"as it was")
        for feature_id, key in zip(features, made, strict=True)
    }
    return Sealed(database, tenant_id, features, records, signing.kid, signer.log_id)


async def everything_opens(sealed: Sealed, master: MasterKey) -> None:
    async with (
        Database(sealed.url, "bp_api", max_size=1) as api,
        Database(sealed.url, "bp_sweeper", max_size=1) as sweeper,
    ):
        keys = DataKeys(api, KeyRing(master))
        for feature_id in (sealed.features[0], sealed.features[-1]):
            key = await keys.of_feature(sealed.tenant_id, feature_id)
            assert key is not None
            opened = key.open("test", feature_id, sealed.records[feature_id])
            assert opened == b"as it was"
        assert [key.kid for key in await SigningKeys(api, master).load()] == [sealed.kid]
        assert (await LogKeys(sweeper).signer(master)).log_id == sealed.log_id


async def test_all_that_the_old_key_wrapped_opens_with_the_new_one_alone(sealed: Sealed) -> None:
    both, new = MasterKey([NEW, OLD]), MasterKey([NEW])
    old_id = both.ids[1]
    with pytest.raises(WrongMasterKey):
        await everything_opens(sealed, new)
    everything = FEATURES + 3
    told: list[int] = []
    async with Database(sealed.url, "bp_keeper", max_size=1) as keeper:
        rewrapper = Rewrapper(keeper, both)
        assert await rewrapper.count() == {new.id: 0, old_id: everything}
        await everything_opens(sealed, both)
        assert await rewrapper.rewrap(told.append) == everything
        assert told[-1] == everything
        assert await rewrapper.count() == {new.id: everything, old_id: 0}
        assert await rewrapper.rewrap() == 0
    await everything_opens(sealed, new)


async def test_a_key_destroyed_meanwhile_does_not_come_back(sealed: Sealed) -> None:
    both = MasterKey([NEW, OLD])
    with psycopg.connect(sealed.url) as connection:
        row = connection.execute(
            "DELETE FROM app.data_keys WHERE scope = %s RETURNING key_id, wrapped",
            (str(sealed.features[0]),),
        ).fetchone()
    assert row is not None
    async with Database(sealed.url, "bp_keeper", max_size=1) as keeper:
        async with keeper.system() as connection:
            late = await connection.execute(DATA_KEY, (b"wrapped anew", row[0], row[1]))
        assert late.rowcount == 0
        assert await Rewrapper(keeper, both).rewrap() == FEATURES + 2


async def test_a_missing_old_key_is_said_before_anything_is_lost(sealed: Sealed) -> None:
    async with Database(sealed.url, "bp_keeper", max_size=1) as keeper:
        with pytest.raises(WrongMasterKey, match="give the old key after the new one"):
            await Rewrapper(keeper, MasterKey([NEW])).rewrap()
    await everything_opens(sealed, MasterKey([OLD]))


async def bp(sealed: Sealed, key_file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    parts = conninfo_to_dict(sealed.url)
    port = f"&port={parts['port']}" if "port" in parts else ""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BP_")},
        "BP_DATABASE_URL": f"postgresql://{parts['user']}@/{parts['dbname']}"
        f"?host={parts['host']}{port}",
        "BP_NATS_URL": "nats://127.0.0.1:9",
        "BP_MASTER_KEY_FILE": str(key_file),
        "COLUMNS": "200",
    }
    return await asyncio.to_thread(run, ["keys", *arguments], env=environment)


async def test_an_operator_replaces_the_key_by_three_commands(
    sealed: Sealed, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.touch(0o600)
    file.write_text("bpmk_" + urlsafe_b64encode(OLD).decode().rstrip("=") + "\n")
    old_id = MasterKey([OLD]).id

    added = await bp(sealed, file, "add")
    assert (added.returncode, added.stderr) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "bpmk_" not in added.stdout
    both = MasterKey.from_file(file)
    assert both.ids[1:] == (old_id,)
    assert both.id in added.stdout

    before = await bp(sealed, file, "status")
    assert "old: rotate, then it may go" in before.stdout
    rotated = await bp(sealed, file, "rotate")
    assert (rotated.returncode, rotated.stderr) == (0, "")
    assert f"rewrapped {FEATURES + 3} keys under {both.id}" in rotated.stdout
    after = await bp(sealed, file, "status")
    assert "old: may go from the file" in after.stdout

    file.write_text(file.read_text().splitlines()[0] + "\n")
    await everything_opens(sealed, MasterKey.from_file(file))
    file.write_text("bpmk_" + urlsafe_b64encode(OLD).decode().rstrip("=") + "\n")
    refused = await bp(sealed, file, "rotate")
    assert refused.returncode == 1
    assert "error: the master key does not open this data folder" in refused.stderr
    listed = await bp(sealed, file, "status")
    assert "MISSING" in listed.stdout


async def test_an_operator_renews_the_key_that_signs_tokens(sealed: Sealed, tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.touch(0o600)
    file.write_text("bpmk_" + urlsafe_b64encode(OLD).decode().rstrip("=") + "\n")
    renewed = await bp(sealed, file, "renew")
    assert (renewed.returncode, renewed.stderr) == (0, "")
    async with Database(sealed.url, "bp_api", max_size=1) as api:
        first, second = await SigningKeys(api, MasterKey([OLD])).load()
    assert second.kid == sealed.kid
    assert renewed.stdout.startswith(first.kid)
