"""The tools that agents answer with: each takes one of the domain's structures.

Invariant: names and shapes are a contract with every model that answers, the demo model included.
The schemas carry no `$ref` and none of the keywords that structured output refuses: limits stand in
the descriptions, and code checks them when the answer comes.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from domain import documents as d


class WriteFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """Write whole files. A file written again replaces the earlier one."""

    files: Annotated[tuple[d.SourceFile, ...], Meta(min_length=1, max_length=200)]
    also_changed: tuple[d.AlsoChanged, ...] = ()
    """Of these files, those of `frozen` that must change all the same."""


class ReportBlocked(Struct, frozen=True, forbid_unknown_fields=True):
    """Say that the work cannot be done as it is planned, and why."""

    reason: d.Line


class TaskDone(Struct, frozen=True, forbid_unknown_fields=True):
    """Say that all files of these tasks are written."""

    tasks: Annotated[tuple[d.Ident, ...], Meta(min_length=1)]
    notes: Annotated[str, Meta(max_length=4_000)] = ""


class Tool(Struct, frozen=True):
    """A tool: its name, what the agent is told of it, and the structure it takes."""

    name: str
    description: str
    takes: type[Struct]

    def definition(self) -> dict[str, Any]:
        """The tool as the Messages API wants it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": schema_of(self.takes),
        }


ASK_QUESTION: Final = Tool(
    "ask_question",
    "Ask the user one question that can be answered by a click. Use it whenever you need an answer "
    "before you go on. Say why it matters, offer up to six options and recommend one.",
    d.Question,
)
PROPOSE_BRIEF: Final = Tool(
    "propose_brief",
    "Propose the whole brief. The user reads it, may change it, and confirms it by a button; "
    "nothing happens before that. Always hand over the whole brief, never a part.",
    d.Brief,
)
SUBMIT_SPEC: Final = Tool("submit_spec", "Hand over the whole specification, once.", d.SaidSpec)
SUBMIT_PLAN: Final = Tool("submit_plan", "Hand over the whole plan, once.", d.SaidPlan)
SUBMIT_TESTS: Final = Tool("submit_tests", "Hand over all test files, whole, once.", d.SaidTests)
WRITE_FILES: Final = Tool(
    "write_files",
    "Write one or more whole files of the plan. Each file is complete from its first line to its "
    "last: nothing is left out, abbreviated or marked as unchanged.",
    WriteFiles,
)
REPORT_BLOCKED: Final = Tool(
    "report_blocked",
    "Stop, because spec, plan or tests contradict each other or cannot be met. The user reads the "
    "reason: say in plain words what contradicts what, by id, and what would resolve it.",
    ReportBlocked,
)
TASK_DONE: Final = Tool(
    "task_done",
    "Say which tasks are done: every file they write is written. Call it when the last file of the "
    "last task is written.",
    TaskDone,
)
SUBMIT_REVIEW: Final = Tool(
    "submit_review",
    "Hand over the whole review, once. When you are asked again, hand over only what is asked for: "
    "all that you hand over is joined, and nothing is taken back.",
    d.SaidReport,
)
SUBMIT_RECOMMENDATION: Final = Tool(
    "submit_recommendation", "Hand over your recommendation, once.", d.Alignment
)
SUBMIT_TITLE: Final = Tool("submit_title", "Hand over the title, once.", d.Title)

LIMITS: Final[Mapping[str, str]] = {
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "pattern": "matches {}",
}
"""Keywords of JSON Schema that structured output refuses, in words."""

DROPPED: Final = frozenset({"title", "default", "minLength"})
ORDINARY: Final = 2_000
"""Characters of an ordinary line: a limit that need not be said each time."""


@cache
def _schema(takes: type[Struct]) -> bytes:
    schema = msgspec.json.schema(takes)
    return msgspec.json.encode(_inlined(schema, schema.get("$defs", {})))


def schema_of(takes: type[Struct]) -> dict[str, Any]:
    """The JSON schema of a structure, in one piece and without refused keywords."""
    schema: dict[str, Any] = msgspec.json.decode(_schema(takes))
    return schema


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON.
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    out: dict[str, Any] = {}
    limits = [
        LIMITS[key].format(value)
        for key, value in node.items()
        if key in LIMITS and not (key == "maxLength" and value == ORDINARY)
    ]
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: _inlined(of, definitions) for name, of in value.items()}
        elif key not in LIMITS and key not in DROPPED and key != "$defs":
            out[key] = _inlined(value, definitions)
    if "enum" in out:
        out["type"] = "string"
    if limits:
        said = out.get("description", "")
        out["description"] = f"{said} ({', '.join(limits)})".strip()
    return out
