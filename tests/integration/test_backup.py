"""First set-up, backup and restore: the blocks of the documents, typed as they stand.

Only the values of each document's first block are ours, as it asks for, and what the set-up leaves
to a person is done as it says. Blocks of ```console need systemd and users of the machine: they are
not typed here; `tests/architecture/test_deploy.py` holds what they name.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Effects, Metadata
from application.transparency.tree_head_signer import TreeHeadSigner
from domain import events as e
from infrastructure.artifacts import open_store
from infrastructure.embedded import Stack
from infrastructure.embedded.binaries import postgres_bin
from infrastructure.event_log import PostgresEventLog
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import pending
from infrastructure.read_models import PostgresReadStore, PostgresSource, Projector
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from infrastructure.transparency import LogKeys, PostgresLogTree
from tests.architecture.pages import PROJECT, text
from tests.given import done
from tests.integration.logs import new
from tests.integration.servers import Tcp, primary

SECRET = "it's a secret & more"  # noqa: S105 - what a password may be.
IN_A_URL = "it%27s%20a%20secret%20%26%20more"

TITLE, LATER, PATH = "Canary of a title", "Canary renamed", "src/canary-of-a-path.ts"
KEPT = "A title that stays"


def blocks(page: str, first: str, last: str) -> list[str]:
    """What is to be typed between two headings, in order."""
    part = page[page.index(first) : page.index(last)]
    found = re.findall(r"^( *)```bash\n(.*?)^ *```$", part, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{pad}", "", body, flags=re.MULTILINE) for pad, body in found]


SET_UP = blocks(text("deploy/README.md"), "## First set-up", "## What it stands on")
BACK_UP = blocks(text("docs/operations.md"), "## Backups", "### Restore")
RESTORE = blocks(text("docs/operations.md"), "### Restore", "## What grows")


def test_every_block_is_typed_by_a_test() -> None:
    assert (len(SET_UP), len(BACK_UP), len(RESTORE)) == (4, 3, 4)
    assert text("deploy/README.md").count("```") == 2 * (4 + 4), "four need systemd or users"
    assert text("deploy/README.md").count("```console") == 4


def with_values(block: str, **values: str | Path) -> str:
    """A document's first block with our own values: for all that it asks, and nothing else."""
    asked = re.findall(r"^(\w+)=", block, re.MULTILINE)
    assert sorted(asked) == sorted(values)
    return "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in values.items())


@dataclass
class Shell:
    """One shell in which everything is typed, block after block."""

    typed: list[str] = field(default_factory=list)
    """What set something for all that follows."""

    def type(self, *blocks: str) -> str:
        """What the blocks print; each command must do what it is for."""
        marker = "--- from here on ---"
        script = ["set -euo pipefail", *self.typed, f"echo '{marker}'", *blocks]
        ended = subprocess.run(  # noqa: S603 - the documents' own words.
            ["/bin/bash", "-c", "\n".join(script)],
            env={"PATH": f"{postgres_bin()}:{os.defpath}", "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.partition(marker)[2]


def address(server: Tcp) -> str:
    return f"postgresql://postgres@127.0.0.1:{server.port}"


def fill_in(file: Path, **values: str) -> None:
    """What the set-up leaves to a person: values of their own, in single quotes."""
    filled = file.read_text()
    for name, value in values.items():
        filled, count = re.subn(
            rf"^{name}='[^']*'$", f"{name}='{value}'", filled, flags=re.MULTILINE
        )
        assert count == 1, f"the example has no {name}"
    file.write_text(filled)


@dataclass
class Service:
    """A service that was set up by the document, as far as its database is concerned."""

    server: Tcp
    etc: Path
    artifacts: Path
    shell: Shell

    @property
    def dsn(self) -> str:
        return f"{address(self.server)}/build_practical"

    @property
    def master(self) -> MasterKey:
        return MasterKey.from_file(self.etc / "master.key")

    async def project(self) -> None:
        """What a projector does."""
        async with Database(self.dsn, "bp_projector", max_size=2) as database:
            projector = Projector(database, PostgresSource(database, KeyRing(self.master)))
            while await projector.step():
                continue

    async def sign(self) -> None:
        """What a sweeper does."""
        async with (
            Database(self.dsn, "bp_sweeper", max_size=2) as database,
            open_store(self.artifacts.as_uri()) as store,
        ):
            keys, tree = LogKeys(database), PostgresLogTree(database)
            tree_head_signer = TreeHeadSigner(
                tree, store.tree_heads(), lambda: keys.signer(self.master), every_seconds=0
            )
            while await tree_head_signer.round(0):
                continue


def set_up_on(server: Tcp, stack: Stack, etc: Path, artifacts: Path) -> Service:
    """Steps 2 to 4 of the first set-up."""
    names, user, files, schema = SET_UP
    values = {"code": PROJECT, "etc": etc, "server": address(server), "password": SECRET}
    shell = Shell([with_values(names, **values)])
    shell.type(user)
    if not etc.exists():
        assert "new master key" in shell.type(files)
        assert (etc / "master.key").stat().st_mode & 0o777 == 0o600
        fill_in(
            etc / "bp.env",
            BP_NATS_URL=stack.nats_url,
            BP_ARTIFACTS_URL=artifacts.as_uri(),
            BP_MASTER_KEY_FILE=str(etc / "master.key"),
            BP_DATA_DIR=str(etc / "state"),
        )
    fill_in(
        etc / "bp.env",
        BP_DATABASE_URL=f"postgresql://build_practical:{IN_A_URL}@127.0.0.1:{server.port}"
        "/build_practical?sslmode=disable&application_name=ours",
    )
    *settings, migrate = schema.splitlines()
    shell.typed += settings
    assert "0001_roles.sql" in shell.type(migrate)
    return Service(server, etc, artifacts, shell)


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("set-up")
    with primary(root / "server") as server:
        yield set_up_on(server, stack, root / "etc", root / "objects")


def test_the_set_up_leaves_a_service_that_is_no_superuser(service: Service) -> None:
    assert pending(service.dsn) == []
    with psycopg.connect(service.dsn) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles"
            " WHERE rolname = 'build_practical' OR rolname LIKE 'bp\\_%'"
        ).fetchall()
    assert len(rows) == 10
    assert not any(privileged for _, privileged in rows)


def test_no_value_of_the_example_is_cut_when_a_shell_reads_it(service: Service) -> None:
    lines = [x for x in text("deploy/bp.env.example").splitlines() if x and not x.startswith("#")]
    shell = Shell([f"set -a\n. {PROJECT}/deploy/bp.env.example\nset +a"])
    names = [line.partition("=")[0] for line in lines]
    said = shell.type("; ".join(f"printf '%s=%s\\n' {name} \"${name}\"" for name in names))
    assert said.strip().splitlines() == [line.replace("'", "") for line in lines]
    assert any("&" in line for line in lines)
    told = service.shell.type('printf %s "$BP_DATABASE_URL"').strip()
    assert told.endswith("?sslmode=disable&application_name=ours")


def test_a_master_key_is_never_made_over_another(service: Service) -> None:
    _, _, files, _ = SET_UP
    before = (service.etc / "master.key").read_bytes()
    new_key = next(line for line in files.splitlines() if " keys new " in line)
    said = service.shell.type(f"{new_key} 2>&1 || echo refused")
    assert "never overwritten" in said
    assert said.endswith("refused\n")
    assert (service.etc / "master.key").read_bytes() == before


# What a backup holds, and what comes back.


@dataclass
class Kept:
    """What was in the service, and the shell in which its backup was typed."""

    tenant: UUID
    gone: UUID
    stays: UUID
    shell: Shell
    backups: Path


def with_canaries(event: e.FeatureEvent) -> e.FeatureEvent:
    match event:
        case e.FeatureCreated():
            return replace(event, title=TITLE)
        case e.ImplementationCompleted():
            return replace(event, files=(replace(event.files[0], path=PATH), *event.files[1:]))
        case _:
            return event


def in_clear(dump: Path) -> str:
    """A dump as SQL, in which everything that is not sealed can be found."""
    command = [postgres_bin() / "pg_restore", "--file=-", dump]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


async def backed_up(service: Service, root: Path) -> Kept:
    """Fill the service, back it up, delete a feature, and back it up again."""
    origin, gone, stays = Metadata(uuid7(), "user:ann", uuid7()), uuid7(), uuid7()
    life = [*(with_canaries(event) for event in done().events), e.FeatureRenamed(LATER)]
    names, log_dump, keys_dump = BACK_UP
    backups, keys = root / "backups", root / "keys"
    backups.mkdir()
    keys.mkdir()
    values = {
        "code": PROJECT,
        "server": address(service.server),
        "name": "build_practical",
        "backups": backups,
        "keys": keys,
    }
    shell = Shell([with_values(names, **values)])
    async with PostgresEventLog(service.dsn, "bp_worker", KeyRing(service.master)) as log:
        await log.append(gone, new(*life), expected=0, origin=origin)
        await log.append(stays, new(e.FeatureCreated(KEPT)), expected=0, origin=origin)
        await service.project()
        shell.type(log_dump)
        (backups / "log.dump").rename(backups / "before.dump")
        everything = backups / "everything.dump"
        shell.type(f'pg_dump --dbname="$server/$name" --format=custom --file={everything}')
        await log.append(
            gone,
            new(e.FeatureDeleted()),
            expected=len(life),
            origin=origin,
            effects=Effects(destroy_key=True),
        )
        await service.sign()
        shell.type(log_dump, keys_dump)
    return Kept(origin.tenant_id, gone, stays, shell, backups)


async def test_a_backup_holds_nothing_in_clear_of_what_is_deleted_later_and_restores_the_rest(
    service: Service, stack: Stack, tmp_path: Path
) -> None:
    kept = await backed_up(service, tmp_path)

    before = in_clear(kept.backups / "before.dump")
    assert str(kept.gone) in before
    assert [words for words in (TITLE, LATER, PATH, KEPT) if words in before] == []
    # Without what the command leaves out they would be there: so the search can find something.
    everything = in_clear(kept.backups / "everything.dump")
    assert all(words in everything for words in (LATER, KEPT))

    with primary(tmp_path / "second") as second:
        restored = set_up_on(second, stack, service.etc, service.artifacts)
        roles, empty, load, check = RESTORE
        names = kept.shell.typed[0].replace(address(service.server), address(second))
        restored.shell.typed.append(names)
        restored.shell.type(roles, empty, load)
        said = restored.shell.type(check)
        assert "The schema is up to date." in said
        assert "current" in said
        await restored.project()
        async with Database(restored.dsn, "bp_api", max_size=1) as database:
            reads = PostgresReadStore(database)
            listed = await reads.features(kept.tenant)
            assert [(row.id, row.title) for row in listed.items] == [(kept.stays, KEPT)]
            assert await reads.feature(kept.tenant, kept.gone) is None
        with psycopg.connect(restored.dsn) as connection:
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('es', 'app')"
            ).fetchall()
            assert owners == [("bp_owner",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM es.streams")
