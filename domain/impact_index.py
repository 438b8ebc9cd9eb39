"""Where things of an application stand: which requirement cites what, which file says what.

Invariant: made once for an application, in time in proportion to its texts; asked by word or by id.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Final

from msgspec import Struct

from domain import documents as d
from domain.impact_words import LineWords, is_number, lines_of, topics_of, words_of

_IDENT: Final = re.compile(r"\b(?:FR|AC)-[0-9]{1,4}\b")
_ADDRESS: Final = re.compile(r"""(/[^\s"'`]{0,240})["'`]""")
_IMPORT: Final = re.compile(
    r"""(?:from|import|require|href|src)\s{0,9}[=(]?\s{0,9}["']([^"'\s]{1,240})["']"""
)


class ImpactKind(StrEnum):
    """What can become stale."""

    REQUIREMENTS = "requirements"
    CRITERIA = "criteria"
    INTERFACES = "interfaces"
    TASKS = "tasks"
    TESTS = "tests"
    FILES = "files"


class Base(Struct, frozen=True):
    """An application as it stands: what a round goes on from."""

    points: Mapping[str, str]
    """Text of each point of its brief, by id."""
    spec: d.Spec
    plan: d.Plan
    tests: d.Tests
    files: Mapping[str, str] = {}
    """Text of each planned file by path, as far as it is known."""


class Index:
    """What is asked of an application."""

    def __init__(self, base: Base) -> None:
        """Read it."""
        self.base = base
        self.needs = {need.id: need for need in base.spec.requirements}
        self.citing: dict[str, list[str]] = defaultdict(list)
        for need in base.spec.requirements:
            for point in dict.fromkeys(need.sources):
                self.citing[point].append(need.id)
        self.owner = {file.path: file.task for file in base.plan.files}
        self.tasks = {task.id: task for task in base.plan.tasks}
        self.tasks_for: dict[str, list[d.Task]] = defaultdict(list)
        for task in base.plan.tasks:
            for ident in dict.fromkeys(task.requirements):
                self.tasks_for[ident].append(task)

    @cached_property
    def lines(self) -> dict[str, tuple[LineWords, ...]]:
        """The words of each planned file, line by line; its path is the first."""
        return {
            path: (*lines_of(path.replace("/", " ")), *lines_of(self.base.files.get(path, "")))
            for path in self.owner
        }

    @cached_property
    def words(self) -> dict[str, frozenset[str]]:
        """All words of each planned file and of its path."""
        return {
            path: frozenset[str]().union(*(line.words for line in lines))
            for path, lines in self.lines.items()
        }

    @cached_property
    def saying(self) -> dict[str, list[str]]:
        """Planned files by the words in them."""
        found: dict[str, list[str]] = defaultdict(list)
        for path, words in self.words.items():
            for word in words:
                found[word].append(path)
        return found

    @cached_property
    def counting(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        """Planned files by the numbers in them, with the words of the line and of the file."""
        found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        for path, lines in self.lines.items():
            for line in lines:
                for number in line.numbers:
                    found[number].append((path, line.words))
        return found

    @cached_property
    def cited_in(self) -> dict[str, list[str]]:
        """Planned files by the ids in them."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.owner:
            for ident in dict.fromkeys(_IDENT.findall(self.base.files.get(path, ""))):
                found[ident].append(path)
        return found

    @cached_property
    def tested(self) -> dict[str, tuple[frozenset[str], ...]]:
        """The ids in the titles of each test file, line by line."""
        return {
            file.path: tuple(
                frozenset(named)
                for line in file.content.splitlines()
                if (named := _IDENT.findall(line))
            )
            or (frozenset(file.covers),)
            for file in self.base.tests.files
        }

    @cached_property
    def naming(self) -> dict[str, list[str]]:
        """Test files by the ids in their titles."""
        found: dict[str, list[str]] = defaultdict(list)
        for path, titles in self.tested.items():
            for ident in sorted(frozenset[str]().union(*titles)):
                found[ident].append(path)
        return found

    @cached_property
    def naming_whole(self) -> dict[str, list[str]]:
        """Test files by the requirements in titles that name no criterion."""
        found: dict[str, list[str]] = defaultdict(list)
        for path, titles in self.tested.items():
            whole = (named for named in titles if not any(x.startswith("AC-") for x in named))
            for ident in sorted(frozenset[str]().union(*whole)):
                found[ident].append(path)
        return found

    @cached_property
    def about(self) -> dict[str, int]:
        """How many requirements each test file names."""
        return {
            path: sum(x.startswith("FR-") for x in frozenset[str]().union(*titles))
            for path, titles in self.tested.items()
        }

    @cached_property
    def serving(self) -> dict[str, list[str]]:
        """Planned files by the addresses in quotes in them."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.owner:
            for address in dict.fromkeys(_ADDRESS.findall(self.base.files.get(path, ""))):
                found[address].append(path)
        return found

    @cached_property
    def aims(self) -> dict[str, frozenset[str]]:
        """The topics of what each requirement does, without those of its criteria."""
        return {i: topics_of(f"{one.trigger} {one.response}") for i, one in self.needs.items()}

    @cached_property
    def actors(self) -> dict[str, frozenset[str]]:
        """The words of who does it, by requirement."""
        return {ident: topics_of(need.actor) for ident, need in self.needs.items()}

    @cached_property
    def routes(self) -> list[tuple[d.PlannedRoute, frozenset[str], frozenset[str]]]:
        """Each address with the words of its path and of who may call it."""
        found = []
        for route in self.base.plan.routes:
            fixed = " ".join(x for x in route.path.split("/") if not x.startswith(":"))
            words = frozenset(word for line in lines_of(fixed) for word in line.words)
            found.append((route, words, topics_of(" ".join(route.who))))
        return found

    @cached_property
    def servers(self) -> frozenset[str]:
        """Planned files that name an address of the plan."""
        every = (self.serving.get(route.path, ()) for route in self.base.plan.routes)
        return frozenset(path for paths in every for path in paths)

    @cached_property
    def counted(self) -> dict[tuple[str, str], list[tuple[d.Requirement, d.Criterion]]]:
        """Criteria by the numbers in them, each with the word behind it."""
        found: dict[tuple[str, str], list[tuple[d.Requirement, d.Criterion]]] = defaultdict(list)
        for need in self.needs.values():
            for one in need.criteria:
                words = words_of(f"{one.given} {one.when} {one.then}")
                for pair in dict.fromkeys(pairwise(words)):
                    if is_number(pair[0]):
                        found[pair].append((need, one))
        return found

    @cached_property
    def test_words(self) -> dict[str, frozenset[str]]:
        """The words in each test file."""
        return {
            file.path: frozenset().union(*(line.words for line in lines_of(file.content)))
            for file in self.base.tests.files
        }

    @cached_property
    def test_imports(self) -> dict[str, list[str]]:
        """Planned files that each test file imports."""
        return {file.path: self._imports(file.path, file.content) for file in self.base.tests.files}

    @cached_property
    def importers(self) -> dict[str, list[str]]:
        """Planned files and tests by what they import."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.owner:
            for other in self._imports(path, self.base.files.get(path, "")):
                found[other].append(path)
        return found

    def _imports(self, path: str, text: str) -> list[str]:
        folder = posixpath.dirname(path)
        found = (posixpath.normpath(posixpath.join(folder, one)) for one in _IMPORT.findall(text))
        return [one for one in dict.fromkeys(found) if one in self.owner]

    @cached_property
    def fields(self) -> dict[str, dict[str, frozenset[str]]]:
        """The words of each field by its name, of each entity by its name."""
        return {
            entity.name: {
                one.name: words for one in entity.fields if (words := frozenset(words_of(one.name)))
            }
            for entity in self.base.spec.entities
        }

    @cached_property
    def elsewhere(self) -> dict[str, int]:
        """How many points speak of each topic."""
        found: dict[str, int] = defaultdict(int)
        for text in self.base.points.values():
            for word in topics_of(text):
                found[word] += 1
        return found

    @cached_property
    def said(self) -> dict[str, frozenset[str]]:
        """The topics of each requirement, with those of its criteria."""
        return {ident: topics_of(text_of(need)) for ident, need in self.needs.items()}

    def narrowest(self, need: str) -> Iterable[str]:
        """The files of the task that builds a requirement and the fewest others."""
        tasks = self.tasks_for.get(need, ())
        least = min((len(task.requirements) for task in tasks), default=0)
        return (path for task in tasks if len(task.requirements) == least for path in task.writes)


def text_of(need: d.Requirement) -> str:
    """The words of a requirement."""
    criteria = (f"{one.given} {one.when} {one.then}" for one in need.criteria)
    return " ".join((need.actor, need.trigger, need.response, *criteria))


def interfaces_of(plan: d.Plan) -> dict[str, str]:
    """The text of each planned interface by its id."""
    return {
        **{f"export {x.path}#{x.name}": f"{x.path} {x.name} {x.signature}" for x in plan.exports},
        **{
            f"route {x.method} {x.path}": f"{x.method.lower()} {_route_text(x)}"
            for x in plan.routes
        },
        **{
            f"table {x.name}": " ".join((x.name, *(f"{c.name} {c.note}" for c in x.columns)))
            for x in plan.tables
        },
    }


def _route_text(route: d.PlannedRoute) -> str:
    answers = (answer.body for answer in route.answers)
    return " ".join((route.path, *route.who, route.input, *answers))
