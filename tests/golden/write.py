"""Writes golden logs: `python -m tests.golden.write` adds what is missing, and changes nothing.

Before the first release `--anew` writes version 1 again; afterwards nobody may.
"""

import json
import sys
from pathlib import Path

import msgspec

from application.export import cloud_event
from infrastructure.event_log import REGISTRY
from tests.golden.lives import lives, stored
from tests.golden.shapes import fingerprint_of, kinds
from tests.integration.test_event_log_registry import EXAMPLES

HERE = Path(__file__).parent
SHAPES = HERE / "shapes.json"
SALT = bytes(range(16))


def main(arguments: list[str]) -> None:
    anew = arguments == ["--anew"]
    shapes = {} if anew or not SHAPES.exists() else json.loads(SHAPES.read_text())
    lines: dict[Path, list[str]] = {}
    for tag, kind in sorted(kinds().items()):
        known = shapes.setdefault(tag, {})
        version = str(kind.schema_version)
        if version in known:
            continue
        known[version] = fingerprint_of(kind)
        file = HERE / f"v{version}" / "events.jsonl"
        lines.setdefault(file, []).extend(_line(event) for event in EXAMPLES if type(event) is kind)
    for file, added in lines.items():
        file.parent.mkdir(exist_ok=True)
        before = "" if anew or not file.exists() else file.read_text()
        file.write_text(before + "".join(added))
    for name, life in lives().items():
        file = HERE / "v1" / f"{name}.ndjson"
        if anew or not file.exists():
            made = [cloud_event(one) for one in stored(life.events)]
            file.write_bytes(msgspec.json.Encoder().encode_lines(made))
    SHAPES.write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n")


def _line(event: object) -> str:
    written = REGISTRY.encode(event, SALT)
    told = {
        "type": written.tag,
        "schema_version": written.schema_version,
        "clear": written.clear.decode(),
        "personal": written.personal and written.personal.decode(),
        "means": msgspec.to_builtins(event),
    }
    return msgspec.json.encode(told).decode() + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
