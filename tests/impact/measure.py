"""Compares what is computed with what a person judged."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from domain.impact import Base, ImpactKind, impact_of
from tests.impact.cases import KEPT_BACK, KINDS, Case, cases


class Score(Struct, frozen=True):
    """How many are rightly stale, wrongly stale, wrongly left."""

    right: int = 0
    too_many: int = 0
    missed: int = 0

    def __add__(self, other: "Score") -> "Score":
        """Both together."""
        return Score(
            self.right + other.right, self.too_many + other.too_many, self.missed + other.missed
        )

    @property
    def precision(self) -> float:
        """Of what was called stale, the part that is."""
        return self.right / max(1, self.right + self.too_many)

    @property
    def recall(self) -> float:
        """Of what is stale, the part that was called so."""
        return self.right / max(1, self.right + self.missed)


class Measured(Struct, frozen=True):
    """One change, compared."""

    case: Case
    by_kind: dict[str, tuple[frozenset[str], frozenset[str]]]
    """What is wrongly stale and what is wrongly left, by kind."""

    def score(self, kind: str) -> Score:
        """Of one kind."""
        extra, missed = self.by_kind[kind]
        return Score(len(self.case.truth[kind] - missed), len(extra), len(missed))


def base_of(case: Case) -> Base:
    """The application of a case as the computation takes it."""
    app = case.app
    return Base(app.points, app.spec, app.plan, app.tests, app.files)


def measured() -> list[Measured]:
    """All changes, compared."""
    found = []
    for case in cases():
        impact = impact_of(base_of(case), case.points)
        wrong = {
            kind: (
                impact.ids(ImpactKind(kind)) - case.truth[kind],
                case.truth[kind] - impact.ids(ImpactKind(kind)),
            )
            for kind in KINDS
        }
        found.append(Measured(case, wrong))
    return found


def total(every: Iterable[Measured], kinds: Sequence[str] = KINDS) -> Score:
    """All of these together."""
    return sum((one.score(kind) for one in every for kind in kinds), Score())


def report(every: list[Measured], *, wrong: bool = False) -> str:
    """The figures as people read them."""
    foreign = [one for one in every if not one.case.app.by_demo]
    demo = [one for one in every if one.case.app.by_demo]
    lines = [f"{len(every)} changes, {len(foreign)} on applications written by hand"]
    rows = [(kind, total(every, [kind])) for kind in KINDS]
    rows += [("written by hand", total(foreign)), ("by the demo model", total(demo))]
    kept_back = [one for one in every if one.case.app.name in KEPT_BACK]
    rows += [("kept back", total(kept_back)), ("all", total(every))]
    for name, score in rows:
        counts = f"{score.right} right, {score.too_many} too many, {score.missed} missed"
        lines.append(
            f"{name:18} precision {score.precision:.3f} recall {score.recall:.3f}  {counts}"
        )
    for one in every if wrong else ():
        for kind, (extra, missed) in one.by_kind.items():
            if extra or missed:
                lines.append(
                    f"{one.case.app.name}: {one.case.name}: {kind}: "
                    f"too many {sorted(extra)}, missed {sorted(missed)}"
                )
    return "\n".join([*lines, ""])
