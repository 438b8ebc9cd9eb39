"""What a reviewer must look at: places that are often a hole, found by rules that stand as data.

A rule of these never refuses a file. `rules/notes.toml` holds what is looked for and what a person
and the reviewer read; two kinds that no pattern tells, a route that asks nobody who they are and a
statement that forgets whose rows it touches, stand in `access.py`.

Invariant: a note has a rule, a file, a line and a question; a file has a bounded number of them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from application.agents.checks.lexing import RegionKind, regions
from application.agents.inspection import RuleNote
from application.agents.told import RULE as TO_REVIEWER
from domain.documents import PlannedRoute
from infrastructure.inspection.access import access_notes
from infrastructure.inspection.syntax import (
    LANGUAGES,
    SCRIPTS,
    nodes,
    structure_of,
    suffix,
    tree_of,
)

if TYPE_CHECKING:
    from ast_grep_py import SgNode

RULES: Final = Path(__file__).with_name("rules") / "notes.toml"
MOST_A_FILE: Final = 40
"""Notes that one file may have; what is beyond is said in one."""
MOST_OF_ONE: Final = 6
"""Of one rule in one file."""
LONGEST_NODE: Final = 600
"""Characters of a part of the code that are looked at."""
LONGEST_LINE: Final = 2_000
"""Characters of a line that are looked at."""


class NotePlace(NamedTuple):
    """A kind of node, and what its beginning looks like."""

    kind: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    untagged: bool


class Rule(NamedTuple):
    """What is looked for, and what is said of it."""

    id: str
    kind: str
    says: str
    asks: str
    scripts: tuple[NotePlace, ...]
    lines: tuple[re.Pattern[str], ...]
    everywhere: bool


NOTES: Final = tuple(
    Rule(
        one["id"], one["kind"], one["says"], one["asks"],
        tuple(
            NotePlace(
                place["kind"], re.compile(place["regex"]),
                re.compile(place["unless"]) if "unless" in place else None,
                place.get("untagged", False),
            )
            for place in one.get("scripts", ())
        ),
        tuple(re.compile(pattern) for pattern in one.get("lines", ())),
        one.get("everywhere", False),
    )
    for one in tomllib.loads(RULES.read_text(encoding="utf-8"))["rule"]
)  # fmt: skip
_WRITTEN: Final = frozenset({"md", "txt", "rst", "mdx"})


def notes_for_review(
    files: Mapping[str, str], routes: tuple[PlannedRoute, ...] = ()
) -> tuple[RuleNote, ...]:
    """All notes over a set of files, in order of path and line.

    Args:
        files: Path to content.
        routes: Those of the plan, which say who may call them.
    """
    found: list[RuleNote] = []
    for path, content in files.items():
        found += _bounded(path, _of_file(path, content, routes))
    return tuple(sorted(found, key=lambda note: (note.path, note.line, note.rule)))


def _bounded(path: str, notes: Iterator[RuleNote]) -> Iterator[RuleNote]:
    counts: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for note in notes:
        if (note.rule, note.line) in seen:
            continue
        seen.add((note.rule, note.line))
        counts[note.rule] = counts.get(note.rule, 0) + 1
        if counts[note.rule] <= MOST_OF_ONE and sum(counts.values()) <= MOST_A_FILE:
            yield note
    for rule, count in counts.items():
        if count > MOST_OF_ONE:
            says = f"There are {count - MOST_OF_ONE} more places of this kind in the file."
            yield RuleNote(rule, path, 1, says, "Look at all places of this kind in the file.")


def _of_file(path: str, content: str, routes: tuple[PlannedRoute, ...]) -> Iterator[RuleNote]:
    kind = suffix(path)
    language = LANGUAGES.get(kind)
    script = language in SCRIPTS
    root = tree_of(path, content) if script else None
    if root is not None:
        root = structure_of(path, content, root)
        yield from _in_tree(path, root)
        yield from access_notes(path, content, root, routes)
    elif kind == "sql":
        yield from access_notes(path, content, None)
    for rule in NOTES:
        if rule.lines and (rule.everywhere or (not script and kind not in _WRITTEN)):
            yield from _in_lines(path, content, rule)


def _in_tree(path: str, root: "SgNode") -> Iterator[RuleNote]:
    """Each node of a kind that a rule wants is read once, for all rules."""
    for kind, places in _BY_KIND.items():
        for node in nodes(root, kind):
            text = node.text()[:LONGEST_NODE]
            line = 0
            for rule, place in places:
                if not place.pattern.search(text) or (place.unless and place.unless.search(text)):
                    continue
                if place.untagged and _is_tagged(node):
                    continue
                line = line or node.range().start.line + 1
                yield RuleNote(rule.id, path, line, rule.says, rule.asks)


def _is_tagged(node: "SgNode") -> bool:
    parent = node.parent()
    return parent is not None and parent.kind() == "call_expression"


_BY_KIND: Final[Mapping[str, Sequence[tuple[Rule, NotePlace]]]] = {
    kind: tuple((rule, place) for rule in NOTES for place in rule.scripts if place.kind == kind)
    for kind in sorted({place.kind for rule in NOTES for place in rule.scripts})
}


def _in_lines(path: str, content: str, rule: Rule) -> Iterator[RuleNote]:
    words = _words(path, content) if rule.id == TO_REVIEWER else content
    for number, line in enumerate(words.splitlines(), start=1):
        short = line[:LONGEST_LINE]
        if any(pattern.search(short) for pattern in rule.lines):
            yield RuleNote(rule.id, path, number, rule.says, rule.asks)


def _words(path: str, content: str) -> str:
    """The file with its code blanked: names of variables speak to nobody."""
    return "".join(
        "\n" * region.text.count("\n") + " " if region.part is RegionKind.CODE else region.text
        for region in regions(path, content)
    )
