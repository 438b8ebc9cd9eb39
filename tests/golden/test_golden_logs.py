"""What was ever written is read for ever, and no event changes its shape in silence."""

import json
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest

from application.verifier import verify
from domain import events as e
from domain.feature import fold as live
from infrastructure.event_log import REGISTRY
from infrastructure.event_log.imports import read_export
from infrastructure.event_log.upcasters import UPCASTERS
from projections.certificate import fold
from tests.golden.shapes import fingerprint_of, kinds, shape_of

HERE = Path(__file__).parent
SHAPES = json.loads((HERE / "shapes.json").read_text())
LINES = [
    json.loads(line)
    for file in sorted(HERE.glob("v*/events.jsonl"))
    for line in file.read_text().splitlines()
]
LOGS = sorted(HERE.glob("v*/*.ndjson"))
HOW = (
    "The shape of `{tag}` changed. Logs of the old shape exist: raise its schema_version, add the "
    "step from the old one to infrastructure/event_log/upcasters.py, then run "
    "`python -m tests.golden.write`. (Before the first release only: `--anew`.)"
)


@pytest.mark.parametrize("tag", sorted(kinds()))
def test_no_event_changes_its_shape_without_a_new_version(tag: str) -> None:
    kind = kinds()[tag]
    assert SHAPES.get(tag, {}).get(str(kind.schema_version)) == fingerprint_of(kind), HOW.format(
        tag=tag
    )


@pytest.mark.parametrize("tag", sorted(SHAPES))
def test_no_event_is_forgotten_and_every_version_leads_to_the_next(tag: str) -> None:
    assert tag in REGISTRY.tags, "an event that was ever written stays known for ever"
    now = kinds()[tag].schema_version
    assert sorted(map(int, SHAPES[tag])) == list(range(1, now + 1))
    assert [v for v in range(1, now) if (tag, v) not in UPCASTERS] == []


def test_every_version_of_every_event_has_a_golden_line() -> None:
    written = {(line["type"], str(line["schema_version"])) for line in LINES}
    assert written == {(tag, version) for tag, of in SHAPES.items() for version in of}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['type']}-{line['schema_version']}")
def test_a_golden_line_means_what_it_meant(line: dict) -> None:
    personal = line["personal"]
    event = REGISTRY.decode(
        line["type"],
        line["schema_version"],
        line["clear"].encode(),
        None if personal is None else personal.encode(),
    )
    if line["schema_version"] == event.schema_version:
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


def test_golden_logs_hold_the_events_that_a_life_is_made_of() -> None:
    written = {
        json.loads(line)["type"].removeprefix("build-practical.")
        for file in LOGS
        for line in file.read_bytes().splitlines()
    }
    assert len(LOGS) >= 7
    assert {
        "approval_renewed",
        "brief_revised",
        "feature_forked",
        "feature_replayed",
        "feature_retried",
        "part_carried",
        "verdict_reached",
    } <= written


def changed(kind: type, **more: object) -> type[e.Event]:
    """The event under the same tag, in another shape."""
    fields = {"note": str, "renamed": int, **more}
    return msgspec.defstruct(
        "Changed",
        list(fields.items()),
        bases=(e.Event,),
        tag=str(kind.__struct_config__.tag),
        frozen=True,
        kw_only=True,
    )


def test_the_fingerprint_sees_fields_types_defaults_nesting_and_what_is_sealed() -> None:
    class Inner(msgspec.Struct):
        a: int

    class Wider(msgspec.Struct):
        a: int
        b: int = 0

    shapes = {
        fingerprint_of(changed(e.FeatureDeleted)),
        fingerprint_of(changed(e.FeatureDeleted, more=int)),
        fingerprint_of(changed(e.FeatureDeleted, more=str)),
        fingerprint_of(changed(e.FeatureDeleted, more=Inner)),
        fingerprint_of(changed(e.FeatureDeleted, more=Wider)),
    }
    assert len(shapes) == 5

    class Open(e.Event, frozen=True, tag="one"):
        title: str

    class Sealed(e.Event, frozen=True, tag="one"):
        personal: ClassVar[frozenset[str]] = frozenset({"title"})
        title: str

    assert fingerprint_of(Open) != fingerprint_of(Sealed)
    assert "title" in json.dumps(shape_of(Open))


def test_words_about_an_event_are_no_part_of_its_shape() -> None:
    def one() -> type[e.Event]:
        class Said(e.Event, frozen=True, tag="said"):
            """One way to say it."""

            at: UUID

        return Said

    def other() -> type[e.Event]:
        class Said(e.Event, frozen=True, tag="said"):
            """Another way."""

            at: UUID

        return Said

    assert fingerprint_of(one()) == fingerprint_of(other())
