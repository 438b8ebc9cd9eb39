"""What a contract test is about: a requirement, its thing and deed, and values to try.

Invariant: a sample is accepted by its field, and two samples of a thing differ.
"""

from domain import documents as d
from infrastructure.demo_model.author.requirements import Deed
from infrastructure.demo_model.author.sketch import FieldKind, SketchPart, Thing
from infrastructure.demo_model.author.typescript import literal


class Case:
    """A requirement together with the thing and the deed it is about."""

    def __init__(self, requirement: d.Requirement, thing: Thing, deed: Deed) -> None:
        self.id = requirement.id
        self.criteria = [criterion.id for criterion in requirement.criteria]
        self.thing = thing
        self.deed = deed

    def title(self, criterion: int, says: str) -> str:
        """The test's name, with its ids, as a literal."""
        own = self.criteria[min(criterion, len(self.criteria)) - 1]
        return literal(f"{self.id} {own}: {says}")

    def covered(self, *criteria: int) -> tuple[str, ...]:
        """The ids these criteria stand for."""
        own = [self.criteria[min(n, len(self.criteria)) - 1] for n in criteria]
        return (self.id, *own)


def sample(part: SketchPart, number: int) -> str | int | float | bool:
    """A value that a field accepts; another one for another number."""
    day = f"2026-05-{10 + number:02}"
    match part.kind:
        case FieldKind.EMAIL:
            return f"person{number}@example.org"
        case FieldKind.LINK:
            return f"https://example.org/{number}"
        case FieldKind.WHOLE:
            return 3 + number
        case FieldKind.MONEY:
            return 9.5 + number
        case FieldKind.DATE:
            return day
        case FieldKind.MOMENT:
            return f"{day}T18:30"
        case FieldKind.TIME:
            return f"{10 + number}:30"
        case FieldKind.YES_NO:
            return number % 2 == 1
        case FieldKind.CHOICE:
            return part.options[number % len(part.options)]
        case FieldKind.REFERENCE:
            return number
        case _:
            return f"{part.label} {['one', 'two', 'three', 'four'][number % 4]}"
