"""No migration blocks the running service, or takes away what the version before it still uses."""

import pytest

from infrastructure.postgres.migrations import FOLDER
from tests.architecture.migration_rules import RELEASED, USED, complaints
from tests.architecture.pages import text

NEW = [path for path in sorted(FOLDER.glob("*.sql")) if path.name[:4] > RELEASED]


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.name)
def test_a_migration_keeps_the_rules(path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


BREAKING = {
    "alter table app.tasks drop column error": "ban-drop-column",
    "drop table app.receipts": "ban-drop-table",
    "alter table app.tasks rename column error to cause": "renaming-column",
    "alter table app.tasks rename to jobs": "renaming-table",
    "alter table app.tasks alter column attempt type bigint": "changing-column-type",
    "alter table app.tasks add column kind text not null": "adding-required-field",
    "create index tasks_by_step on app.tasks (step)": "require-concurrent-index-creation",
    "drop index app.tasks_open": "require-concurrent-index-deletion",
    "alter table app.tasks add constraint c check (attempt > 0)": "constraint-missing-not-valid",
    "alter table app.tasks add constraint f foreign key (event_id) references es.events": (
        "adding-foreign-key-constraint"
    ),
    "alter table app.tasks add column at timestamptz default clock_timestamp()": (
        "adding-field-with-default"
    ),
    "alter table app.tasks add constraint one unique (event_id)": "disallowed-unique-constraint",
    "alter table app.tasks alter column error set not null": "set-not-null",
    "drop function app.beat(uuid[], bigint[], uuid[], float8)": "drop-used",
    "alter function app.beat rename to heartbeat": "rename-used",
    "drop policy work on app.tasks": "drop-used",
    "revoke select on app.tasks from bp_api": "revoke-used",
    "lock table app.tasks in exclusive mode": "lock-table",
    "update app.tasks set error = ''": "backfill",
    "do $$ begin update app.tasks set error = ''; end $$": "backfill",
    "delete from app.tasks where status = 'done'": "backfill",
}


def _file(*statements: str, head: str = "") -> str:
    return f"-- migrate:up{head}\n\n{'; '.join(statements)};\n\n-- migrate:down\n"


@pytest.mark.parametrize(("statement", "rule"), BREAKING.items(), ids=range(len(BREAKING)))
def test_a_migration_that_blocks_or_breaks_is_refused(statement: str, rule: str) -> None:
    assert rule in complaints(_file("set local role bp_owner", statement, "reset role"))


def test_what_expands_is_taken() -> None:
    assert (
        complaints(
            _file(
                "set local role bp_owner",
                "alter table app.tasks add column kind text",
                "create table app.kinds (kind text primary key, step text not null)",
                "create index kinds_by_step on app.kinds (step)",
                "create or replace function app.kind() returns text language plpgsql as "
                "$$ begin update app.kinds set step = ''; return ''; end $$",
                "grant select on app.kinds to bp_api",
                "reset role",
            )
        )
        == []
    )
    alone = "create index concurrently if not exists tasks_by_step on app.tasks (step)"
    assert complaints(_file(alone, head=" transaction:false")) == []


def test_outside_a_transaction_stands_one_statement() -> None:
    two = ("create index concurrently if not exists a on app.tasks (step)", "select 1")
    assert complaints(_file(*two, head=" transaction:false")) == ["one-statement-outside"]
    assert complaints(_file(two[0])) == ["concurrently-inside"]


def test_a_rule_is_waived_with_a_reason_only() -> None:
    statement = "drop function app.old()"
    reason = "-- allow drop-used: nobody has called it since 0.4"
    assert complaints(_file(f"{reason}\n{statement}")) == []
    assert complaints(_file(f"-- allow drop-used:\n{statement}")) == ["drop-used"]


def test_every_rule_of_ours_is_written_down() -> None:
    page = text("docs/architecture.md")
    assert all(f"`{rule}`" in page for rule in USED)
