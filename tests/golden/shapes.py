"""The shape of an event, as a fingerprint: what JSON it is written as, and what of it is sealed."""

import json
from hashlib import sha256
from typing import Any, get_args

import msgspec

from domain.events import Event, FeatureEvent

WORDS = ("description", "title")


def shape_of(kind: type[Event]) -> Any:
    """The JSON schema without its words, and the personal fields."""
    schema = _bare(msgspec.json.schema(kind))
    return {"schema": schema, "personal": sorted(kind.personal)}


def fingerprint_of(kind: type[Event]) -> str:
    """The shape in one hash: the same as long as what is written stays the same."""
    return sha256(json.dumps(shape_of(kind), sort_keys=True).encode()).hexdigest()


def kinds() -> dict[str, type[Event]]:
    """Every event by its tag."""
    return {str(kind.__struct_config__.tag): kind for kind in get_args(FeatureEvent)}


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _bare(value) for key, value in part.items()}
        if name in ("properties", "$defs")
        else _bare(part)
        for name, part in schema.items()
        if not (name in WORDS and isinstance(part, str))
    }
