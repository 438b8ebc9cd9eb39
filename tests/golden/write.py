"""Writes golden logs: `python -m tests.golden.write` adds what is missing, and changes no line.

A shape that grew (one more value of an enum, one more field with a default) replaces the recorded
one, so that what was added is held to from then on. A shape that breaks old logs is refused.
Before the first release `--anew` writes version 1 again; afterwards nobody may.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from application.transparency.export import cloud_event
from infrastructure.event_log import REGISTRY
from tests.golden.filled import filled
from tests.golden.lives import lives, stored
from tests.golden.shapes import Shape, breaks, kinds, shape_of
from tests.integration.test_event_log_registry import EXAMPLES

HERE = Path(__file__).parent
SHAPES = HERE / "shapes.json"
SALT = bytes(range(16))


def main(arguments: list[str]) -> None:
    anew = arguments == ["--anew"]
    if anew:
        for file in HERE.glob("v1/*.jsonl"):
            file.unlink()
    shapes = {} if anew or not SHAPES.exists() else read(SHAPES)
    grown = []
    for tag, kind in sorted(kinds().items()):
        versions, now = shapes.setdefault(tag, {}), shape_of(kind)
        version = str(kind.schema_version)
        if version not in versions:
            folder = HERE / f"v{version}"
            folder.mkdir(exist_ok=True)
            examples = [event for event in EXAMPLES if type(event) is kind]
            _add(folder / "events.jsonl", (_line(event, means=True) for event in examples))
        elif broken := breaks(versions[version], now):
            sys.exit(f"{tag}: {'; '.join(broken)}. Raise its schema_version first.")
        if versions.get(version) != now:
            versions[version] = now
            grown.append(kind)
    for kind in grown:
        file = HERE / f"v{kind.schema_version}" / "whole.jsonl"
        before = file.read_text() if file.exists() else ""
        _add(file, (line for one in filled(kind) if (line := _line(one)) not in before))
    for name, life in lives().items():
        file = HERE / "v1" / f"{name}.ndjson"
        if anew or not file.exists():
            made = [cloud_event(one) for one in stored(life.events)]
            file.write_bytes(msgspec.json.Encoder().encode_lines(made))
    SHAPES.write_text(written(shapes))


def written(shapes: dict[str, dict[str, Shape]]) -> str:
    """The shapes as JSON with a line for each field, so that a change can be read in a diff."""
    entries = [
        f"{json.dumps(f'{tag} {version}')}: {{\n{_entry(shape)}\n}}"
        for tag, versions in sorted(shapes.items())
        for version, shape in sorted(versions.items(), key=lambda item: int(item[0]))
    ]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def read(file: Path) -> dict[str, dict[str, Shape]]:
    """The shapes by tag and schema version."""
    shapes: dict[str, dict[str, Shape]] = {}
    for name, entry in json.loads(file.read_text()).items():
        tag, version = name.split()
        beside = {key: value for key, value in entry.items() if not key.startswith(".")}
        fields = {key[1:]: value for key, value in entry.items() if key.startswith(".")}
        shapes.setdefault(tag, {})[version] = {**beside, "fields": fields}
    return shapes


def _entry(shape: Shape) -> str:
    beside = {key: value for key, value in shape.items() if key != "fields"}
    fields = {f".{name}": field for name, field in shape["fields"].items()}
    return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in {**beside, **fields}.items())


def _add(file: Path, lines: Iterable[str]) -> None:
    with file.open("a") as written:
        written.writelines(lines)


def _line(event: object, *, means: bool = False) -> str:
    """An event as the log holds it, with what it means where the shape alone does not say it."""
    written = REGISTRY.encode(event, SALT)
    told = {
        "type": written.tag,
        "schema_version": written.schema_version,
        "clear": written.clear.decode(),
        "personal": written.personal and written.personal.decode(),
        **({"means": msgspec.to_builtins(event)} if means else {}),
    }
    return msgspec.json.encode(told).decode() + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
