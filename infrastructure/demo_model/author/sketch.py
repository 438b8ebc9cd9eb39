"""The application to be written: things, their fields, and what they refer to.

Invariant: references never form a circle, so tables can be made in the order of `Sketch.things`.
"""

import re
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import documents as d
from infrastructure.demo_model.author.words import ident, pascal, plural

MOST_THINGS, MOST_FIELDS = 5, 9
TAKEN = frozenset({"id", "created_at", "updated_at"})
ONE_OF = re.compile(r"one of:? ?(.+)", re.IGNORECASE)
REFERENCE_TO = re.compile(r"reference to (.+)", re.IGNORECASE)


class FieldKind(StrEnum):
    """What a field holds, in the words of the specification."""

    TEXT = "short text"
    LONG = "long text"
    EMAIL = "e-mail address"
    LINK = "link"
    WHOLE = "whole number"
    MONEY = "amount of money"
    DATE = "date"
    MOMENT = "date and time"
    TIME = "time of day"
    YES_NO = "yes or no"
    CHOICE = "one of"
    REFERENCE = "reference to"


class SketchPart(Struct, frozen=True):
    """A field of a thing."""

    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    options: tuple[str, ...] = ()
    target: str = ""
    """The thing referred to, by its label."""

    @property
    def name(self) -> str:
        """As a column and a property."""
        plain = ident(self.label)
        return f"{plain}_value" if plain in TAKEN else plain

    @property
    def words(self) -> str:
        """Its type, as the specification says it."""
        if self.kind is FieldKind.CHOICE:
            return f"{self.kind}: {', '.join(self.options)}"
        return f"{self.kind} {self.target}" if self.kind is FieldKind.REFERENCE else str(self.kind)


class Thing(Struct, frozen=True):
    """Something the application keeps."""

    label: str
    """In the singular and lower case: `tool`."""
    parts: tuple[SketchPart, ...]

    @property
    def many(self) -> str:
        """In the plural: `tools`."""
        return plural(self.label)

    @property
    def table(self) -> str:
        """As a table, a path of the API and a file name."""
        return ident(self.many)

    @property
    def type(self) -> str:
        """As a type."""
        return pascal(self.label)

    @property
    def shown(self) -> SketchPart:
        """The field that stands for the whole thing in a list."""
        for part in self.parts:
            if part.kind is FieldKind.TEXT:
                return part
        return self.parts[0]

    @property
    def needed(self) -> tuple[SketchPart, ...]:
        """The fields that may not be empty."""
        return tuple(p for p in self.parts if p.required and p.kind is not FieldKind.YES_NO)


class Sketch(Struct, frozen=True):
    """All things, each after those it refers to."""

    things: tuple[Thing, ...]

    def named(self, label: str) -> Thing | None:
        """The thing of that label."""
        return next((thing for thing in self.things if thing.label == label.lower()), None)


def _without_circles(things: list[Thing]) -> list[Thing]:
    """Order things so that references point backwards; one that cannot becomes a text."""
    done: list[Thing] = []
    waiting = list(things)
    while waiting:
        known = {thing.label for thing in done}
        ready = next((t for t in waiting if _targets(t) <= known), waiting[0])
        waiting.remove(ready)
        parts = tuple(
            p
            if p.kind is not FieldKind.REFERENCE or p.target in known
            else replace(p, kind=FieldKind.TEXT, target="")
            for p in ready.parts
        )
        done.append(replace(ready, parts=parts))
    return done


def _targets(thing: Thing) -> set[str]:
    return {part.target for part in thing.parts if part.kind is FieldKind.REFERENCE}


def _distinct(parts: tuple[SketchPart, ...]) -> tuple[SketchPart, ...]:
    by_name: dict[str, SketchPart] = {}
    for part in parts:
        by_name.setdefault(part.name, part)
    kept = tuple(by_name.values())[:MOST_FIELDS]
    if any(part.required and part.kind is not FieldKind.YES_NO for part in kept):
        return kept
    return (
        (SketchPart("name"), *kept)[:MOST_FIELDS]
        if "name" not in by_name
        else tuple(replace(part, required=True) if part.name == "name" else part for part in kept)
    )


def sketch(things: list[Thing]) -> Sketch:
    """Put things in order, without circles, doubles and empty ones; at most five."""
    by_table: dict[str, Thing] = {}
    for thing in things:
        by_table.setdefault(thing.table, replace(thing, parts=_distinct(thing.parts)))
    kept = list(by_table.values())[:MOST_THINGS]
    return Sketch(tuple(_without_circles(kept)))


def to_entities(drawn: Sketch) -> tuple[d.Entity, ...]:
    """The sketch in the specification's words."""
    return tuple(
        d.Entity(
            name=thing.label.capitalize(),
            description=f"One of the {thing.many} the application keeps.",
            fields=tuple(d.Field(p.label, p.words, p.required) for p in thing.parts),
        )
        for thing in drawn.things
    )


def _kind(words: str) -> tuple[FieldKind, tuple[str, ...], str]:
    text = " ".join(words.split())
    if found := ONE_OF.match(text):
        options = tuple(dict.fromkeys(o.strip() for o in found[1].split(",") if o.strip()))
        return (FieldKind.CHOICE, options, "") if options else (FieldKind.TEXT, (), "")
    if found := REFERENCE_TO.match(text):
        return FieldKind.REFERENCE, (), found[1].strip().lower()
    plain = {str(k): k for k in FieldKind if k not in (FieldKind.CHOICE, FieldKind.REFERENCE)}
    return plain.get(text.lower(), FieldKind.TEXT), (), ""


def from_entities(entities: tuple[d.Entity, ...]) -> Sketch:
    """Read the sketch back from a specification; unknown types become short texts."""
    things = []
    for entity in entities:
        parts = []
        for field in entity.fields:
            kind, options, target = _kind(field.type)
            parts.append(SketchPart(field.name, kind, field.required, options, target))
        things.append(Thing(entity.name.lower(), tuple(parts)))
    return sketch(
        things
        or [
            Thing("item", (SketchPart("name"), SketchPart("notes", FieldKind.LONG, required=False)))
        ]
    )
