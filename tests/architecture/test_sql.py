"""What the migrations name a second time is what the code names."""

import re
from typing import get_args

from domain.events import FeatureEvent
from infrastructure.database import ROLES
from infrastructure.migrations import FOLDER
from interface.cli import rights
from projections.catalogue import PROJECTIONS, RETIRED
from tests.architecture.pages import PROJECT

CODE = ("application", "infrastructure", "interface", "projections")

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
