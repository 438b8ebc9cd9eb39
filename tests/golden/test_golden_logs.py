"""What was ever written is read for ever; an event may grow, and breaks no old log in silence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from application.transparency.verifier import verify
from domain.feature import fold as live
from infrastructure.event_log import REGISTRY
from infrastructure.event_log.imports import read_export
from infrastructure.event_log.upcasters import UPCASTERS
from projections.certificate import fold
from tests.golden.shapes import Shape, breaks, kinds, shape_of
from tests.golden.write import read

HERE = Path(__file__).parent
SHAPES = read(HERE / "shapes.json")
LINES = [
    json.loads(line)
    for file in sorted(HERE.glob("v*/*.jsonl"))
    for line in file.read_text().splitlines()
]
LOGS = sorted(HERE.glob("v*/*.ndjson"))
HOW = (
    "Old logs hold `{tag}` in a shape that is not read as it was: {broken}. Raise its "
    "schema_version, add the step from the old one to infrastructure/event_log/upcasters.py, then "
    "run `python -m tests.golden.write`. (Before the first release only: `--anew`.)"
)
GREW = "Something was added, which breaks no old log: record it, `python -m tests.golden.write`."


@pytest.mark.parametrize("tag", sorted(kinds()))
def test_no_event_breaks_an_old_log_without_a_new_version(tag: str) -> None:
    kind = kinds()[tag]
    recorded = SHAPES.get(tag, {}).get(str(kind.schema_version))
    broken = [] if recorded is None else breaks(recorded, shape_of(kind))
    assert not broken, HOW.format(tag=tag, broken="; ".join(broken))


def test_all_that_may_be_written_is_recorded() -> None:
    """So that it is held to from then on: what was never recorded could be taken away again."""
    now = {(tag, str(kind.schema_version)): shape_of(kind) for tag, kind in kinds().items()}
    new = [
        tag for (tag, version), shape in now.items() if SHAPES.get(tag, {}).get(version) != shape
    ]
    assert new == [], GREW


@pytest.mark.parametrize("tag", sorted(SHAPES))
def test_no_event_is_forgotten_and_every_version_leads_to_the_next(tag: str) -> None:
    assert tag in REGISTRY.tags, "an event that was ever written stays known for ever"
    now = kinds()[tag].schema_version
    assert sorted(map(int, SHAPES[tag])) == list(range(1, now + 1))
    assert [v for v in range(1, now) if (tag, v) not in UPCASTERS] == []


def test_every_version_of_every_event_has_a_golden_line() -> None:
    written = {(line["type"], str(line["schema_version"])) for line in LINES}
    assert written == {(tag, version) for tag, of in SHAPES.items() for version in of}


@pytest.mark.parametrize("tag", sorted(SHAPES))
def test_the_golden_lines_of_an_event_leave_out_no_field_and_no_value(tag: str) -> None:
    for version, shape in SHAPES[tag].items():
        told = [
            {**json.loads(line["clear"]), **json.loads(line["personal"] or "{}")}
            for line in LINES
            if (line["type"], str(line["schema_version"])) == (tag, version)
        ]
        assert set(_left_out(shape, told)) - {"event_schema_version"} == set()


def _left_out(shape: Shape, told: list[Any], at: str = "") -> Iterator[str]:
    """Fields at any depth that no line has, and values of enums that none holds."""
    match shape:
        case {"is": "object", "fields": fields}:
            for name, field in fields.items():
                # An enum of one value, which is the default, is never written.
                choices = field["type"].get("values")
                silent = "default" in field and choices == [field["default"]]
                if not silent and not any(name in value for value in told):
                    yield f"{at}.{name}".removeprefix(".")
                values = [value.get(name, field.get("default")) for value in told]
                yield from _left_out(field["type"], values, f"{at}.{name}".removeprefix("."))
        case {"is": "either", "of": members}:
            for member in members:
                yield from _left_out(member, [value for value in told if value is not None], at)
        case {"is": "list", "item": item}:
            yield from _left_out(item, [one for value in told for one in value], at)
        case {"is": "map", "value": value}:
            yield from _left_out(value, [one for each in told for one in each.values()], at)
        case {"is": "event", "tags": tags}:
            yield from (f"{at}: {tag}" for tag in set(tags) - {value["type"] for value in told})
        case {"is": "one of", "values": values}:
            yield from (f"{at}: {value}" for value in values if value not in told)


@pytest.mark.parametrize("tag", sorted(SHAPES))
def test_the_golden_lines_of_an_event_mean_what_they_meant(tag: str) -> None:
    lines = [line for line in LINES if line["type"] == tag]
    assert lines
    for line in lines:
        _means_what_it_meant(line)


def _means_what_it_meant(line: dict) -> None:
    personal = line["personal"]
    event = REGISTRY.decode(
        line["type"],
        line["schema_version"],
        line["clear"].encode(),
        None if personal is None else personal.encode(),
    )
    if line["schema_version"] == event.schema_version:
        if "means" in line:
            assert json.loads(msgspec.json.encode(event)) == line["means"]
        again = REGISTRY.encode(event, bytes(range(16)))
        assert (again.clear.decode(), again.personal and again.personal.decode()) == (
            line["clear"],
            line["personal"],
        )


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.stem)
def test_a_golden_log_verifies_and_folds(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    report = verify(lines)
    assert report.valid, report
    imported = read_export(lines)
    assert len(imported.facts) == report.events
    tables = fold(imported.facts)
    feature = live([fact.event for fact in imported.facts])
    assert feature.version == report.events
    if file.stem == "deleted":
        assert not any(tables.values())
    else:
        assert tables["dashboard"][""].row["status"] == feature.status
        assert tables["dashboard"][""].version == report.events


def test_golden_logs_hold_every_event() -> None:
    written = {
        json.loads(line)["type"].removeprefix("build-practical.")
        for file in LOGS
        for line in file.read_bytes().splitlines()
    }
    assert written == kinds().keys()
