"""What is found of the seeds, and what is found in good files.

Seeds are inspected together, each in a folder of its own, so that a compiler is started three times
and not two hundred times. Seeds of imports that lead nowhere and seeds that break the grammar are
apart: where a file is missing or broken, the compiler judges no types.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from application.agents.checks.placeholders import placeholders
from application.agents.inspection import StaticFinding
from application.running.computing import Here
from infrastructure.inspection import Inspector, types
from infrastructure.inspection.notes import notes_for_review
from tests.trust import hosts
from tests.trust.facts import Planted, planted
from tests.trust.seeds import KINDS, Class, Seed
from tests.trust.traced import Traced, traced

GROUPS: Final = ({"08"}, {"01", "01b", "30", "34"}, set(KINDS) - {"08", "01", "01b", "30", "34"})
"""Kinds that are inspected together."""
PLANNED: Final = ("pg",)
OWN_RULES: Final = frozenset({"unplanned_package", "missing_package", "unresolved_import"})
"""Rules of ours that a good file of another project may break: they are set aside for false alarms."""


BY_TYPES: Final = frozenset({"01b", "06", "09", "11", "33"})
"""Kinds that types may tell. In the others an unknown name is an accident of the seed, and no find."""


class Recall(NamedTuple):
    """Of a kind: how many were stopped, how many noted for the reviewer, of how many."""

    stopped: int
    noted: int
    of: int
    missed: tuple[str, ...]


def recall_of_tracing() -> dict[str, Recall]:
    """What is found of each kind that the checks of documents and paths are for."""
    kinds: dict[str, list[Traced]] = defaultdict(list)
    for one in traced():
        kinds[one.kind].append(one)
    return {
        kind: Recall(
            sum(bool(one.told) for one in ones),
            0,
            len(ones),
            tuple(one.wording for one in ones if not one.told),
        )
        for kind, ones in kinds.items()
    }


class FactRecall(NamedTuple):
    """Of a fact of a brief: how many wordings are noticed, of how many, in how many points."""

    noticed: int
    of: int
    missed: tuple[str, ...]
    alarms: tuple[str, ...]
    """What is said of specifications that hold the fact."""


def recall_of_facts() -> dict[str, FactRecall]:
    """What is noticed of each kind of fact that a specification bends or leaves out."""
    kinds: dict[str, list[Planted]] = defaultdict(list)
    for one in planted():
        kinds[one.kind].append(one)
    return {
        kind: FactRecall(
            sum(one.is_noticed for one in ones),
            len(ones),
            tuple(one.wording for one in ones if not one.is_noticed),
            tuple(dict.fromkeys(said for one in ones for said in one.told_of_honest)),
        )
        for kind, ones in kinds.items()
    }


PATIENCE_SECONDS: Final = 300.0
"""For the compiler: here it reads hundreds of small projects at once."""


async def recall(seeds: Sequence[Seed]) -> dict[str, Recall]:
    """What is found of each kind."""
    stopped: set[int] = set()
    noted: set[int] = set()
    for kinds_together in GROUPS:
        group = [n for n, seed in enumerate(seeds) if seed.kind in kinds_together]
        errors, notes = await _found({n: seeds[n] for n in group})
        stopped |= errors
        noted |= notes
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, seed in enumerate(seeds):
        kinds[seed.kind].append(number)
    return {
        kind: _recall(kind, kinds[kind], stopped, noted, seeds) for kind in KINDS if kind in kinds
    }


def _recall(
    kind: str, numbers: Sequence[int], stopped: set[int], noted: set[int], seeds: Sequence[Seed]
) -> Recall:
    is_code = KINDS[kind][0] is Class.CODE
    hit = stopped if is_code else noted
    missed = tuple(seeds[n].wording for n in numbers if n not in hit)
    return Recall(len(stopped & set(numbers)), len(noted & set(numbers)), len(numbers), missed)


async def _found(seeds: Mapping[int, Seed]) -> tuple[set[int], set[int]]:
    """Which seeds are refused, and which have a note that the host alone has not."""
    files: dict[str, str] = {"tsconfig.json": hosts.SETTINGS}
    errors: set[int] = set()
    notes: set[int] = set()
    for number, seed in seeds.items():
        for path, text in hosts.alone(seed.files).items():
            files[f"s{number}/{path}"] = text
            if path in seed.files and list(placeholders(path, text)):
                errors.add(number)
    for finding in await patient(files):
        number = int(finding.path.partition("/")[0][1:]) if finding.path.startswith("s") else -1
        kind = seeds[number].kind if number >= 0 else ""
        if finding.error and (finding.rule != "type" or kind in BY_TYPES):
            errors.add(number)
    good = hosts.application() | hosts.web_modules()
    before = {path: Counter(n.rule for n in notes_for_review({path: good[path]})) for path in good}
    for number, seed in seeds.items():
        for path, text in seed.files.items():
            now = Counter(note.rule for note in notes_for_review({path: text}))
            if now - before.get(path, Counter()):
                notes.add(number)
    return errors, notes


async def patient(files: Mapping[str, str]) -> Sequence[StaticFinding]:
    """What the inspector finds, however slow this machine is today."""
    usual, types.SECONDS = types.SECONDS, PATIENCE_SECONDS
    try:
        return await Inspector(Here()).inspect(None, files, PLANNED)
    finally:
        types.SECONDS = usual


async def false_alarms(files: Mapping[str, str]) -> dict[str, list[str]]:
    """Good files that are refused, with why; rules of ours that others need not keep are set aside."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, text in files.items():
        found[path] += placeholders(path, text)
    for finding in await patient(files):
        if finding.error and finding.rule not in OWN_RULES:
            found[finding.path].append(str(finding))
    return {path: why for path, why in found.items() if why}


def share(found: Mapping[str, Recall], of: Class) -> float:
    """The part of a class that was found, 0 to 1."""
    of_class = [one for kind, one in found.items() if KINDS[kind][0] is of]
    hits = sum(one.of - len(one.missed) for one in of_class)
    return hits / sum(one.of for one in of_class)
