"""Every table, every role, two tenants: nobody sees or touches what is not theirs."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from uuid_utils.compat import uuid7

from application.ports import Accepted, DueStep, Effects, LedgerEntry, Metadata, Receipt
from domain import events as e
from domain.status import Agent, Step
from infrastructure.event_log import PostgresEventLog
from infrastructure.postgres.database import ROLES, Database
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing.data_keys import DataKeys
from tests.integration.logs import new, new_ring

TENANT_TABLES = {
    "es.streams": {"bp_api", "bp_worker"},
    "es.events": {"bp_api", "bp_worker"},
    "app.data_keys": {"bp_api", "bp_worker"},
    "app.tasks": {"bp_api"},
    "app.model_calls": {"bp_api", "bp_worker"},
    "app.receipts": {"bp_api", "bp_worker"},
    "app.removals": {"bp_api"},
    "app.views": {"bp_api"},
    "app.api_keys": {"bp_api", "bp_worker"},
}
"""Tables with a tenant, and the roles that see one tenant of them."""

ACROSS = {
    "es.streams": {"bp_projector", "bp_sweeper"},
    "es.events": {"bp_relay", "bp_projector", "bp_sweeper"},
    "app.data_keys": {"bp_projector", "bp_sweeper", "bp_keeper"},
    "app.tasks": {"bp_worker", "bp_sweeper"},
    "app.model_calls": {"bp_sweeper"},
    "app.receipts": {"bp_sweeper"},
    "app.removals": {"bp_sweeper"},
    "app.views": {"bp_projector", "bp_sweeper"},
    "app.api_keys": set[str](),
}
"""The roles that see all tenants of them, because that is their work."""

FUNCTIONS_ONLY = {
    "app.accounts",
    "app.refresh_families",
    "app.refresh_tokens",
    "app.password_resets",
    "app.ended_sessions",
    "app.known_networks",
    "app.tries",
}
"""Tables that no process may read at large: they are asked through functions."""

NO_TENANT = {
    "app.positions": {"bp_api", "bp_worker", "bp_projector", "bp_sweeper"},
    "app.parked": {"bp_api", "bp_projector", "bp_sweeper"},
    "app.dead_letters": {"bp_worker", "bp_sweeper"},
    "app.cursors": {"bp_worker", "bp_relay", "bp_sweeper"},
    "app.signing_keys": {"bp_api", "bp_keeper"},
    "app.log_tree": {"bp_sweeper"},
    "app.log_keys": {"bp_api", "bp_worker", "bp_sweeper", "bp_keeper"},
    "app.clock": {"bp_worker", "bp_sweeper"},
    "app.incarnations": {"bp_api", "bp_worker", "bp_relay", "bp_projector", "bp_sweeper"},
}
"""Tables about no tenant, and who may read them."""

MIGRATIONS = "public.schema_migrations"


@dataclass
class Filled:
    """A database in which two tenants have something in every table."""

    url: str
    tenants: tuple[UUID, UUID]

    def ask(
        self, role: str, tenant_id: UUID | None, query: sql.Composable, *given: Any
    ) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            connection.execute("SELECT set_config('bp.tenant', %s, true)", (str(tenant_id or ""),))
            cursor = connection.execute(query, given)
            found = cursor.fetchall() if cursor.description else [(cursor.rowcount,)]
            connection.rollback()
            return found


def table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


async def fill(url: str, tenant_id: UUID) -> None:
    ring = new_ring()
    async with (
        PostgresEventLog(url, "bp_worker", ring) as log,
        Database(url, "bp_worker", max_size=2) as workers,
    ):
        origin = Metadata(tenant_id, "user:x", uuid7())
        kept, deleted = uuid7(), uuid7()
        effects = Effects(receipt=Receipt("key", "0" * 64), accepted=Accepted(kept, 1, "drafting"))
        await log.append(
            kept, new(e.FeatureCreated("A")), expected=0, origin=origin, effects=effects
        )
        created = new(e.FeatureCreated("B"), e.FeatureDeleted())
        gone = Effects(destroy_key=True)
        await log.append(deleted, created, expected=0, origin=origin, effects=gone)
        due = DueStep(uuid7(), tenant_id, kept, Step.SPEC, uuid7(), 1, uuid7())
        tasks = PostgresTasks(workers)
        await tasks.enqueue([due])
        (claim,) = await tasks.claim("w", tuple(Agent), limit=1, lease_seconds=60)
        ledger = PostgresLedger(workers, DataKeys(workers, ring))
        await ledger.announce(
            tenant_id, kept, LedgerEntry(claim.task_id, 1, 1, "0" * 64), claim.fencing_token
        )
    user, family = uuid7(), uuid7()
    with psycopg.connect(url) as connection:
        for statement, given in (
            ("INSERT INTO app.views VALUES ('dashboard', 1, %s, %s, '', 1, '{}')", (kept,)),
            ("INSERT INTO app.api_keys VALUES (%s, 'sealed', %s)", ("1234",)),
        ):
            connection.execute(statement, (tenant_id, *given))  # type: ignore[arg-type]
        connection.execute(
            "INSERT INTO app.accounts VALUES (%s, %s, %s, 'hash')",
            (user, tenant_id, f"{user}@example.org"),
        )
        connection.execute(
            "INSERT INTO app.refresh_families VALUES (%s, %s, %s, now())", (family, user, tenant_id)
        )
        connection.execute(
            "INSERT INTO app.refresh_tokens VALUES (%s, %s, %s, %s, now(), now())",
            (user.bytes * 2, family, user, tenant_id),
        )
        connection.execute(
            "INSERT INTO app.password_resets VALUES (%s, %s, now())", (user.bytes * 2, user)
        )
        connection.execute("INSERT INTO app.ended_sessions VALUES (%s, now())", (family,))
        connection.execute(
            "INSERT INTO app.known_networks VALUES (%s, %s, now())", (user, user.bytes * 2)
        )
        connection.execute("INSERT INTO app.tries VALUES (%s, now())", (str(user),))


@pytest.fixture
async def filled(database: str) -> Filled:
    tenants = (uuid7(), uuid7())
    for tenant_id in tenants:
        await fill(database, tenant_id)
    return Filled(database, tenants)


@pytest.fixture
def superuser(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        yield connection


def test_every_table_forces_row_level_security_and_is_accounted_for(
    superuser: psycopg.Connection,
) -> None:
    rows = superuser.execute(
        "SELECT n.nspname || '.' || c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
        " c.relispartition, pg_get_userbyid(c.relowner) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('es', 'app', 'public')"
    ).fetchall()
    ours = [row for row in rows if row[0] != MIGRATIONS]
    assert [name for name, forced, *_ in ours if not forced] == []
    assert {owner for *_, owner in ours} == {"bp_owner"}
    named = {name for name, _, is_partition, _ in ours if not is_partition}
    assert named == TENANT_TABLES.keys() | FUNCTIONS_ONLY | NO_TENANT.keys()
    assert TENANT_TABLES.keys() == ACROSS.keys()


def test_no_role_of_ours_is_above_the_policies(superuser: psycopg.Connection) -> None:
    rows = superuser.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bp\\_%'"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin)"
    ).fetchall()
    assert rows == []


def test_functions_that_act_for_another_are_few_and_fix_their_search_path(
    superuser: psycopg.Connection,
) -> None:
    rows = superuser.execute(
        "SELECT p.proname, pg_get_userbyid(p.proowner), p.proconfig, p.proacl::text"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname IN ('es', 'app') AND p.prosecdef"
    ).fetchall()
    assert {owner for _, owner, *_ in rows} == {"bp_appender", "bp_identity"}
    for name, _, settings, rights in rows:
        assert settings == ["search_path=pg_catalog, pg_temp"], name
        assert not rights.startswith("{=X"), name
        assert ",=X" not in rights, name


@pytest.mark.parametrize("name", TENANT_TABLES)
async def test_a_tenants_rows_are_seen_by_that_tenant_only(filled: Filled, name: str) -> None:
    ours, theirs = filled.tenants
    query = sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(table(name))
    for role in TENANT_TABLES[name]:
        assert filled.ask(role, ours, query) == [(ours,)]
        assert filled.ask(role, theirs, query) == [(theirs,)]
        assert filled.ask(role, None, query) == []
        assert filled.ask(role, uuid7(), query) == []


@pytest.mark.parametrize("name", TENANT_TABLES)
async def test_only_those_whose_work_it_is_see_all_tenants(filled: Filled, name: str) -> None:
    query = sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(table(name))
    for role in ROLES:
        if role in TENANT_TABLES[name]:
            continue
        if role in ACROSS[name]:
            assert {row[0] for row in filled.ask(role, None, query)} == {*filled.tenants}
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                filled.ask(role, None, query)


@pytest.mark.parametrize("name", [*TENANT_TABLES, *sorted(FUNCTIONS_ONLY)])
async def test_not_even_the_owner_sees_more_than_its_tenant(filled: Filled, name: str) -> None:
    if name in {"app.password_resets", "app.ended_sessions", "app.known_networks", "app.tries"}:
        query = sql.SQL("SELECT 1 FROM {}").format(table(name))
        assert filled.ask("bp_owner", filled.tenants[0], query) == []
        return
    query = sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(table(name))
    assert filled.ask("bp_owner", None, query) == []
    assert filled.ask("bp_owner", filled.tenants[0], query) == [(filled.tenants[0],)]


@pytest.mark.parametrize("name", TENANT_TABLES)
async def test_no_role_bound_to_a_tenant_changes_another_tenants_rows(
    filled: Filled, name: str
) -> None:
    ours, theirs = filled.tenants
    for role in TENANT_TABLES[name] - ACROSS[name]:
        for statement in (
            "UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = %s",
            "DELETE FROM {} WHERE tenant_id = %s",
        ):
            query = sql.SQL(statement).format(table(name))
            try:
                assert filled.ask(role, ours, query, theirs) == [(0,)]
            except psycopg.errors.InsufficientPrivilege:
                continue


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("bp_api", "INSERT INTO app.api_keys VALUES (%s, 'sealed', '1234')"),
        ("bp_api", "INSERT INTO app.data_keys VALUES (uuidv7(), %s, 'tenant', 'wrapped')"),
        (
            "bp_worker",
            "INSERT INTO app.model_calls VALUES (uuidv7(), 1, 1, %s, uuidv7(), '')",
        ),
    ],
)
async def test_nothing_is_stored_in_another_tenants_name(
    filled: Filled, role: str, statement: str
) -> None:
    stranger = uuid7()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        filled.ask(role, filled.tenants[0], sql.SQL(statement), stranger)  # type: ignore[arg-type]
    assert filled.ask(role, stranger, sql.SQL(statement), stranger) == [(1,)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*sorted(FUNCTIONS_ONLY), *NO_TENANT])
async def test_other_tables_are_read_by_those_named_here_only(filled: Filled, name: str) -> None:
    readers = NO_TENANT.get(name, set())
    query = sql.SQL("SELECT count(*) FROM {}").format(table(name))
    for role in ROLES:
        if role in readers:
            assert filled.ask(role, None, query)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                filled.ask(role, filled.tenants[0], query)


async def test_the_api_stores_a_key_that_it_cannot_read(filled: Filled) -> None:
    ours = filled.tenants[0]
    for column in ("sealed", "*"):
        query = sql.SQL("SELECT {} FROM app.api_keys").format(
            sql.SQL("*") if column == "*" else sql.Identifier(column)
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.ask("bp_api", ours, query)
    store = sql.SQL(
        "INSERT INTO app.api_keys (tenant_id, sealed, last4) VALUES (%s, %s, '5678')"
        " ON CONFLICT (tenant_id) DO UPDATE SET sealed = %s, last4 = '5678'"
    )
    assert filled.ask("bp_api", ours, store, ours, b"new", b"new") == [(1,)]
    opened = sql.SQL("SELECT sealed FROM app.api_keys")
    assert filled.ask("bp_worker", ours, opened) == [(b"sealed",)]


async def test_the_relay_reads_headers_and_nothing_sealed(filled: Filled) -> None:
    for query in ("SELECT sealed FROM es.events", "SELECT * FROM es.events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.ask("bp_relay", None, sql.SQL(query))


async def test_partitions_cannot_be_asked_past_the_policies(filled: Filled) -> None:
    for role in ROLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.ask(role, None, sql.SQL("SELECT * FROM app.views_dashboard"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM es.read_stream(%s, gen_random_uuid(), 0, 9, NULL, 9)",
        "SELECT * FROM app.data_key(%s, 'tenant')",
    ],
)
async def test_a_transaction_of_one_tenant_is_not_turned_into_anothers(
    filled: Filled, query: str
) -> None:
    ours, theirs = filled.tenants
    assert filled.ask("bp_api", None, sql.SQL(query), theirs) == []  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="another tenant"):
        filled.ask("bp_api", ours, sql.SQL(query), theirs)  # type: ignore[arg-type]


async def test_the_tenant_does_not_stay_on_a_pooled_connection(filled: Filled) -> None:
    """Also after a cancelled request: the setting ends with the transaction."""
    ours = filled.tenants[0]
    async with Database(filled.url, "bp_api", max_size=1) as api:
        for _ in range(20):
            with suppress(ZeroDivisionError):
                async with api.tenant(ours) as connection:
                    await connection.execute("SELECT 1")
                    raise ZeroDivisionError
            async with api.system() as connection:
                cursor = await connection.execute("SELECT count(*) FROM es.events")
                assert await cursor.fetchone() == (0,)
                cursor = await connection.execute("SELECT app.tenant(), current_user::text")
                assert await cursor.fetchone() == (None, "bp_api")


APPEND = sql.SQL("SELECT * FROM es.append_batch(%s, ARRAY['{}'::bytea], ARRAY[NULL::bytea])")


def appended_to(*tenants: UUID) -> str:
    """A batch with one event for each of these tenants."""
    event = {"expected": 0, "actor": "user:x", "first": 1, "types": ["feature_deleted"]}
    rest = {"schema_versions": [1], "cancel_tasks": False, "destroy_key": False}
    return json.dumps(
        [
            event
            | rest
            | {"item": number, "tenant_id": str(tenant), "feature_id": str(uuid7())}
            | {"correlation_id": str(uuid7()), "event_ids": [str(uuid7())]}
            for number, tenant in enumerate(tenants)
        ]
    )


@pytest.mark.parametrize("role", ["bp_api", "bp_worker", "bp_sweeper"])
async def test_an_append_is_refused_unless_its_transaction_is_bound_to_its_tenant(
    filled: Filled, role: str
) -> None:
    ours, theirs = filled.tenants
    for bound, tenants in ((None, [ours]), (theirs, [ours]), (ours, [ours, theirs])):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append"):
            filled.ask(role, bound, APPEND, appended_to(*tenants))
    assert [row[1] for row in filled.ask(role, ours, APPEND, appended_to(ours))] == ["appended"]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        filled.ask(role, ours, sql.SQL("SELECT * FROM es.append_items('[]', '{}', '{}')"))


async def test_appends_of_several_tenants_together_are_each_bound_to_their_own(
    filled: Filled,
) -> None:
    """One transaction, and no tenant left behind on its connection."""
    tenants = [uuid7() for _ in range(12)]
    async with PostgresEventLog(filled.url, "bp_api", new_ring()) as log:
        answers = await asyncio.gather(
            *(
                log.append(
                    uuid7(),
                    new(e.FeatureCreated("A")),
                    expected=0,
                    origin=Metadata(tenant, "user:x", uuid7()),
                )
                for tenant in reversed(tenants)
            )
        )
    assert [answer[0].tenant_id for answer in answers] == list(reversed(tenants))
    with psycopg.connect(filled.url) as connection:
        counted = connection.execute(
            "SELECT count(DISTINCT tenant_id), count(DISTINCT xmin::text) FROM es.events"
            " WHERE tenant_id = ANY (%s)",
            (tenants,),
        ).fetchone()
    assert counted is not None
    assert counted[0] == len(tenants)
    assert counted[1] < len(tenants)
