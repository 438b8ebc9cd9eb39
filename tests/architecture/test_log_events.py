"""Every line of the log is an event with a name that can be searched for: words in snake_case."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.test_modules import MODULES, name_of

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _events() -> Iterator[tuple[str, str]]:
    """Each event that a module's `log` is told of, and where, those of an `Outage` too."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            of_log = (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            )
            of_outage = isinstance(node.func, ast.Name) and node.func.id == "Outage"
            said = node.args[1 if of_outage and len(node.args) > 1 else 0]
            if (of_log or of_outage) and isinstance(said, ast.Constant):
                yield str(said.value), f"{name_of(path)}:{node.lineno}"


def test_log_events_are_words_in_snake_case() -> None:
    events = list(_events())
    assert len(events) > len(MODULES) / 10, "events are not found any more"
    assert [(event, place) for event, place in events if not NAME.fullmatch(event)] == []
