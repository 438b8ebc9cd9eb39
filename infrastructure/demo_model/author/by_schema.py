"""Answers for an agent that nobody wrote an author for: its tool's schema, filled with a sentence.

Invariant: what a schema requires is there, in its shape; patterns and limits are not known here.
"""

from collections.abc import Mapping
from typing import Any

DEEPEST = 20
"""Structures inside structures: more is no answer that anybody would read."""


def filled(schema: Mapping[str, Any], text: str, depth: int = 0) -> Any:  # noqa: ANN401 - JSON.
    """The smallest value of a schema; each of its texts is `text`."""
    if depth > DEEPEST:
        return None
    if choices := schema.get("enum"):
        return choices[0]
    if members := schema.get("anyOf"):
        return filled(members[0], text, depth + 1)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            names = [name for name in schema.get("required", ()) if name in properties]
            return {name: filled(properties[name], text, depth + 1) for name in names}
        case "array":
            return [filled(schema["items"], text, depth + 1)] if "items" in schema else []
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case "string":
            return text
        case _:
            return None
