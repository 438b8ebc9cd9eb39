"""Who wrote each line of a delivery, as an Agent Trace record (version 0.1.0 of that format).

The specification: https://github.com/cursor/agent-trace, CC BY 4.0. Storage is left to whoever
makes the record; here it is one file of the delivery.

Invariant: every line of every delivered source file stands in exactly one range. The record names
recordings by the ids that `log.jsonl` gives them, and nothing of any person beyond what is there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from application.delivery.origins import LineRange, lines_in, origins_of
from application.delivery.writings import Writing, Writings

VERSION: Final = "0.1.0"
NAMESPACE: Final = "build-practical"
"""Of what is ours inside `metadata`."""
DEMO_MODEL: Final = "demo-model"
PROVIDER: Final = "anthropic"
CONTRIBUTORS: Final = {"user": "human", "agent": "ai"}
"""By the kind of who recorded."""


def agent_trace(
    feature_id: UUID,
    made_at: datetime,
    writings: Writings,
    version: int,
    bodies: Mapping[str, bytes],
    delivered: Mapping[str, str],
) -> bytes:
    """The record, as JSON.

    Args:
        feature_id: Whose code it is.
        made_at: When the code was finished.
        writings: All recordings of its files.
        version: Of the recording that is delivered.
        bodies: The bytes of every delivered file, and of those before it, by hash.
        delivered: The hash of each delivered file by its path.
    """
    files = [
        {
            "path": path,
            "conversations": list(
                _conversations(
                    writings,
                    origins_of(writings, version, path, bodies),
                    lines_in(bodies[hashed]),
                )
            ),
        }
        for path, hashed in sorted(delivered.items())
    ]
    record = {
        "version": VERSION,
        "timestamp": _time(made_at),
        "files": files,
        "metadata": {NAMESPACE: {"feature": str(feature_id), "log": "log.jsonl"}},
    }
    number = uuid5(feature_id, json.dumps(record, sort_keys=True))
    named = {"version": VERSION, "id": str(number), **record}
    return msgspec.json.format(msgspec.json.encode(named), indent=1) + b"\n"


def _conversations(
    writings: Writings, ranges: Sequence[LineRange], lines: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """What each recording contributed to a file, the oldest first; what nobody knows last."""
    by_writing: dict[int | None, list[LineRange]] = {}
    for one in ranges:
        by_writing.setdefault(one.writing, []).append(one)
    for version in sorted(by_writing, key=lambda v: (v is None, v or 0)):
        writing = writings.by_version[version] if version is not None else None
        yield {
            **(_named(writings, writing) if writing else {"contributor": {"type": "unknown"}}),
            "ranges": [
                {
                    "start_line": one.first,
                    "end_line": one.last,
                    "content_hash": _hash(lines[one.first - 1 : one.last]),
                }
                for one in by_writing[version]
            ],
        }


def _named(writings: Writings, writing: Writing) -> dict[str, Any]:
    """Where a recording can be looked up in the log, who wrote, and what it was written from."""
    kind = CONTRIBUTORS.get(writing.by.partition(":")[0], "unknown")
    model = {"model_id": _model(writing.model)} if writing.model else {}
    sources = {"specification": writing.spec, "plan": writing.plan, "brief": writing.brief}
    return {
        "url": writing.event_id.urn,
        "contributor": {"type": kind, **model},
        "related": [
            {"type": name, "url": writings.ids[at].urn}
            for name, at in sources.items()
            if at is not None
        ],
    }


def _model(name: str) -> str:
    """A model as `provider/model`, as models.dev writes it."""
    return f"{NAMESPACE if name == DEMO_MODEL else PROVIDER}/{name}"


def _hash(lines: Sequence[str]) -> str:
    body = "".join(lines).encode("utf-8", "surrogateescape")
    return f"sha256:{sha256(body).hexdigest()}"


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
