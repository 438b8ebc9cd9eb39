"""No text of a person's, or of a model's, takes longer than in proportion to its length.

The suite tries some shapes in every place, other ones in the next; `python -m tests.growth` tries
all in all.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, get_type_hints

import pytest

from tests.architecture.pages import PROJECT, name_of
from tests.growth.measure import MOST, growth
from tests.growth.places import PLACES
from tests.growth.shapes import HARSH, SHAPES

EVERY = 8
"""Each place gets every eighth shape, its neighbour the next ones."""

READERS = (
    "application/agents",
    "application/delivery",
    "application/delivery/diff.py",
    "application/execution/drafting.py",
    "application/transparency/export.py",
    "application/delivery/matching.py",
    "application/transparency/verifier.py",
    "domain/brief_html.py",
    "domain/brief_lines.py",
    "domain/reading.py",
    "domain/sentences.py",
    "infrastructure/audit/search.py",
    "infrastructure/demo_model/answering.py",
    "infrastructure/demo_model/author",
    "infrastructure/demo_model/prompt.py",
    "infrastructure/demo_model/reply.py",
    "infrastructure/demo_model/wire.py",
    "infrastructure/delivery/git_bundle.py",
    "infrastructure/inspection",
    "infrastructure/observability/redaction.py",
    "interface/http/preconditions.py",
    "interface/http/audit/audit_filter.py",
    "interface/http/requests/body.py",
    "interface/http/requests/cursors.py",
)
"""Modules that read what people and models write."""

SHORT = "reads ids, hashes, names of files or our own texts, all of them short"
PARSER = "a parser of others, in a process of its own with a limit of time"
OFFLINE = "part of the program that people run over their own delivery"
BOUNDED = "reads comments of a few thousand characters, and documents of its own"
SPOILS = "makes a fault for a test out of what the demo model wrote"
EQUAL = "asks whether whole texts are equal, and reads none of them"
PARTS = "asks others; what it does with their words is tried by itself"
ELSEWHERE = {
    "application/agents/checks/code.py:missing": SHORT,
    "application/agents/failures.py:advice_of": SHORT,
    "application/agents/faults.py:approved": SHORT,
    "application/agents/prompting.py:nonce_of": SHORT,
    "application/agents/steps/inspected.py:inspected": PARTS,
    "application/delivery/changelog.py:changelog_of": PARTS,
    "application/agents/submission.py:go_on": PARTS,
    "application/agents/submission.py:obtain": PARTS,
    "application/agents/prices.py:free": SHORT,
    "application/agents/prices.py:operators_table": SHORT,
    "application/agents/prices.py:read_tables": SHORT,
    "application/agents/prices.py:table_of": SHORT,
    "application/agents/prices.py:unpriced": SHORT,
    "domain/sentences.py:ends": SHORT,
    "application/delivery/beside.py:beside": OFFLINE,
    "application/delivery/beside.py:could_run": OFFLINE,
    "application/delivery/beside.py:files_in": OFFLINE,
    "application/delivery/beside.py:folders_of": OFFLINE,
    "application/delivery/beside.py:is_litter": OFFLINE,
    "application/delivery/beside.py:passed_over": OFFLINE,
    "application/delivery/beside.py:runs_by_itself": OFFLINE,
    "application/agents/table.py:agent_configs_of": SHORT,
    "application/delivery/checker.py:check": OFFLINE,
    "application/delivery/checker.py:main": OFFLINE,
    "application/delivery/checker.py:notes": OFFLINE,
    "application/delivery/checker.py:rooted": OFFLINE,
    "application/delivery/guide.py:named": SHORT,
    "application/delivery/kit.py:is_secret": SHORT,
    "application/delivery/checker.py:standing_of": OFFLINE,
    "application/delivery/checker.py:summary": OFFLINE,
    "application/transparency/verifier.py:main": OFFLINE,
    "infrastructure/audit/search.py:titled": PARTS,
    "infrastructure/audit/search.py:titles_of": PARTS,
    "infrastructure/demo_model/author/by_schema.py:filled": SHORT,
    "infrastructure/demo_model/author/commented.py:commented_plan": BOUNDED,
    "infrastructure/demo_model/author/commented.py:commented_spec": BOUNDED,
    "infrastructure/demo_model/author/commented.py:commented_tests": BOUNDED,
    "infrastructure/demo_model/author/mistakes.py:mended": EQUAL,
    "infrastructure/demo_model/author/reviews.py:failing_review": SPOILS,
    **{
        f"infrastructure/demo_model/author/spoiled.py:{fault}": SPOILS
        for fault in (
            "bad_paths", "empty", "malformed", "missing_file", "placeholder", "prose", "refused",
            "truncated", "wrong_ids",
        )
    },
    "infrastructure/demo_model/wire.py:error": SHORT,
    "infrastructure/demo_model/wire.py:model_info": SHORT,
    **{
        f"infrastructure/inspection/{place}": PARSER
        for place in (
            "access.py:access_notes", "contract_tests.py:contract_test_findings",
            "exports.py:asked", "exports.py:export_findings", "exports.py:exports_of",
            "exports.py:all_names", "exports.py:declared_names", "exports.py:shape_of",
            "exports.py:specified_names", "pieces.py:pieces_of", "planned.py:export_agreement",
            "planned.py:query_agreement",
            "planned.py:route_agreement",
            "planned.py:table_agreement", "routes.py:answered", "routes.py:called",
            "schema.py:is_statement", "schema.py:query_faults", "schema.py:tables_of",
            "imports.py:import_findings", "imports.py:imports", "imports.py:neighbours",
            "notes.py:notes_for_review",
            "schema.py:schema_findings", "settings.py:settings_findings",
            "settings.py:settings_read", "sql_tokens.py:inside", "sql_tokens.py:parts",
            "stubs.py:stub_findings", "syntax.py:nodes", "syntax.py:structure_of",
            "syntax.py:tree_of", "types.py:is_strict", "types.py:type_findings",
            "inspector.py:read", "sql.py:sql_findings", "syntax.py:parsed",
            "syntax.py:syntax_findings",
        )
    },
    **{
        f"infrastructure/inspection/{place}": SHORT
        for place in (
            "contract_tests.py:is_test", "imports.py:types_of", "migrations.py:migration_findings",
            "resolving.py:is_relative", "resolving.py:resolved", "routes.py:ends", "routes.py:fits",
            "routes.py:is_of_pages", "routes.py:segments_of",
        )
    },
    "infrastructure/inspection/syntax.py:suffix": SHORT,
    "interface/http/preconditions.py:terms": PARTS,
    "interface/http/audit/audit_filter.py:wanted": PARTS,
    "application/agents/freezing.py:same_bytes": PARTS,
    "application/agents/freezing.py:unasked": SHORT,
    "infrastructure/demo_model/author/frozen.py:asked_for": SHORT,
}  # fmt: skip
"""Public readers of text that no place tries, and why."""


def shapes_for(place: str) -> list[str]:
    return list(HARSH[list(PLACES).index(place) % EVERY :: EVERY])


@pytest.mark.parametrize("place", PLACES)
def test_twice_the_text_costs_twice_the_work(place: str) -> None:
    grown = [growth(place, shape) for shape in shapes_for(place)]
    assert [str(one) for one in grown if one.ratio > MOST] == []


def test_every_shape_of_the_suite_is_in_the_catalogue_and_tried() -> None:
    assert set(HARSH) <= SHAPES.keys()
    assert {shape for place in PLACES for shape in shapes_for(place)} == set(HARSH)


def _modules() -> Iterator[Path]:
    for reader in READERS:
        path = PROJECT / reader
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _reads_text(function: FunctionType) -> bool:
    """Whether a text, bytes, or something that holds some is among what it is given."""
    with suppress(NameError):
        hints = get_type_hints(function)
        hints.pop("return", None)
        return any("str" in str(kind) or "bytes" in str(kind) for kind in hints.values())
    return True


def _public() -> dict[CodeType, str]:
    found: dict[CodeType, str] = {}
    for path in _modules():
        name = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        module: Any = importlib.import_module(name)
        for kind, value in vars(module).items():
            if hasattr(value, "cache_clear"):
                value.cache_clear()  # Or it would not be called.
            function = inspect.unwrap(value) if callable(value) else None
            if (
                isinstance(function, FunctionType)
                and function.__module__ == name
                and not kind.startswith("_")
                and _reads_text(function)
            ):
                found[function.__code__] = f"{name_of(path)}:{kind}"
    return found


def test_nothing_public_that_reads_text_is_missing() -> None:
    public = _public()
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    text = "# A title\n\n- BF-1: Each tool has a name (a, b).\n\n```a``` We need to see it."
    sys.setprofile(note)
    try:
        for place in PLACES.values():
            place(text)
    finally:
        sys.setprofile(None)
    missing = {name for code, name in public.items() if code not in called}
    assert missing - ELSEWHERE.keys() == set()
    assert ELSEWHERE.keys() <= missing, "an exception that is not needed any more"
