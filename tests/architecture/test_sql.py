"""SQL stands under infrastructure only, and what it names a second time is what the code names."""

import ast
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from domain.events import FeatureEvent
from infrastructure.postgres.database import ROLES
from infrastructure.postgres.migrations import FOLDER
from interface.cli.generate import rights
from projections.catalogue import PROJECTIONS, RETIRED
from tests.architecture.pages import PROJECT, tree_of

CODE = ("application", "infrastructure", "interface", "projections")

STATEMENT = re.compile(
    r"^\s*(?:with\s[^;]*?\bas\s*(?:materialized\s*)?\()|"
    r"\bselect\b[\s\S]*?\bfrom\s+[\w{]|\bselect\s+[\w.]+\(|\binsert\s+into\s|\bdelete\s+from\s|"
    r"\bupdate\s+(?:only\s+)?[\w.{]+\s+(?:as\s+\w+\s+)?set\s|\btruncate\s|\bmerge\s+into\s|"
    r"^\s*(?:create|alter|drop|grant|revoke|lock|listen|notify|copy|call|vacuum|set\s+local)\s+\w",
    re.IGNORECASE,
)
UPPER = re.compile(r"\b[A-Z]{4,}\b")
ASKING = frozenset({"execute", "executemany", "fetchone", "fetchmany", "fetchall"})
"""What a connection or cursor of psycopg is asked with."""

SQL = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.sql")))


def _named_in(pattern: str) -> set[str]:
    return {name for found in re.findall(pattern, SQL) for name in re.findall(r"'(\w+)'", found)}


def test_the_events_whose_payload_is_followed_are_those_that_resume_steps() -> None:
    resuming = {
        kind.__struct_config__.tag
        for kind in get_args(FeatureEvent)
        if "resume" in kind.__struct_fields__
    }
    assert _named_in(r"\btype in \(([^)]*)\)") == resuming


def test_what_resumes_steps_is_in_clear() -> None:
    assert all(
        "resume" not in kind.personal
        for kind in get_args(FeatureEvent)
        if "resume" in kind.__struct_fields__
    )


def test_every_read_model_has_its_partition() -> None:
    partitions = set(re.findall(r"partition of app\.views for values in \('(\w+)'\)", SQL))
    assert partitions == {projection.name for projection in PROJECTIONS} | {*RETIRED}


def test_every_role_of_a_process_is_made_and_shown() -> None:
    assert set(ROLES) == set(rights.ROLES)
    assert set(ROLES) <= _named_in(r"foreach wanted in array array\[([^\]]*)\]")


def test_migrations_have_numbers_of_their_own_and_go_forward_only() -> None:
    files = sorted(FOLDER.glob("*.sql"))
    assert len({path.name[:4] for path in files}) == len(files)
    for path in files:
        up, down = path.read_text(encoding="utf-8").split("-- migrate:down")
        assert up.startswith("-- migrate:up")
        assert [line for line in down.splitlines() if line and not line.startswith("--")] == []


def test_the_databases_clock_is_asked_for_by_two_names_only() -> None:
    """So that a test can find all there is to account for when somebody sets it."""
    other = re.compile(
        r"\bnow\(\)|current_timestamp|localtime|transaction_timestamp", re.IGNORECASE
    )
    assert other.findall(re.sub(r"--[^\n]*", "", SQL)) == []
    ours = [path for folder in CODE for path in (PROJECT / folder).rglob("*.py")]
    assert not any("current_timestamp" in path.read_text(encoding="utf-8").lower() for path in ours)


def test_no_statement_takes_columns_that_it_does_not_name() -> None:
    """A column that a later version adds must not turn up in a row that this one unpacks."""
    every = re.compile(r"\b(?:select|returning)\s+(?:\w+\.)?\*", re.IGNORECASE)
    given = re.compile(r"\s+from\s+unnest\(|,\s*%s\s+from\s+unnest\(", re.IGNORECASE)
    ours = [path for folder in CODE for path in (PROJECT / folder).rglob("*.py")]
    assert len(ours) > 200
    found = []
    for path in ours:
        code = path.read_text(encoding="utf-8")
        found += [
            f"{path.relative_to(PROJECT)}: {code[match.start() : match.end() + 40]}"
            for match in every.finditer(code)
            # The demo model writes the SQL of other people's programs.
            if "demo_model" not in path.parts and not given.match(code, match.end())
        ]
    assert found == []


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module but its docstrings, a formatted one as a whole."""
    silent = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # A text that is a statement of its own documents something.
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in silent:
            yield node.lineno, str(node.value)


def _sql_in(tree: ast.Module) -> list[str]:
    """The lines of a module that hold SQL, or ask a connection for something."""
    texts = [
        f"{line}: {text.strip()[:60]}"
        for line, text in _texts(tree)
        if STATEMENT.search(text) and (UPPER.search(text) or text == text.lower())
    ]
    asked = [
        f"{node.lineno}: .{node.func.attr}(…)"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKING
    ]
    return [*texts, *asked]


@pytest.mark.parametrize(
    "code",
    [
        'NEWEST = "SELECT version FROM es.streams WHERE stream_id = %s"',
        'NEWEST = """\nselect version\nfrom es.streams\n"""',
        'async def f(t):\n    return f"SELECT version FROM {t}"',
        'x = "SELECT app.figures()"',
        'x = "INSERT INTO app.tasks VALUES (1)"',
        'x = "UPDATE app.tasks SET status = 1"',
        'x = "DELETE FROM app.tasks"',
        'x = "WITH old AS (SELECT 1) SELECT a FROM old"',
        'x = "LISTEN poke"',
        'x = "SET LOCAL role bp_api"',
        "async def f(connection):\n    return await connection.execute(QUESTION)",
    ],
    ids=range(11),
)
def test_the_check_knows_sql_when_it_sees_it(code: str) -> None:
    assert _sql_in(ast.parse(code)) != []


@pytest.mark.parametrize(
    "code",
    [
        'def f():\n    """Select what is wanted from the list. UPDATE nothing."""',
        'say("Select a version from the list.")',
        'say("Drop the file here")',
        'say("The schema is up to date.")',
    ],
    ids=range(4),
)
def test_the_check_takes_no_sentence_for_sql(code: str) -> None:
    assert _sql_in(ast.parse(code)) == []


def test_sql_stands_under_infrastructure_only() -> None:
    elsewhere = [
        path
        for folder in ("domain", "application", "projections", "interface")
        for path in sorted((PROJECT / folder).rglob("*.py"))
    ]
    assert len(elsewhere) > 150
    found = {
        str(path.relative_to(PROJECT)): lines
        for path in elsewhere
        if (lines := _sql_in(tree_of(path)))
    }
    assert found == {}, "move it into an adapter under infrastructure, behind a function with types"
