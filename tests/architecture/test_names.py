"""One name, one class: who looks for a word finds one thing."""

import ast
from collections import defaultdict

from tests.architecture.test_modules import MODULES, name_of

BOTH = {
    "Checkpoint": "the decider folds it, the read model shows it, and the API says it: one thing",
}
"""Names of two classes, and why one word is right for both."""


def _homes() -> dict[str, list[str]]:
    """Where each public class is defined, nested ones too."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name_of(path))
    return homes


def test_no_two_classes_have_one_name() -> None:
    doubled = {name: homes for name, homes in _homes().items() if len(homes) > 1}
    assert {name: homes for name, homes in doubled.items() if name not in BOTH} == {}
    assert set(doubled) == set(BOTH), "a name that is not doubled any more needs no reason"
