"""Events with nothing left out: each field holds something other than its default, at every depth.

Together the events of a type hold every value of every enum and every member of every union that
it may hold. Invariant: the same events every time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from re import search
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import inspect

from domain.events import Event, PartCarried

TEXTS: Final = ("Grüße \U0001f41b", "FR-1", "ab" * 32, "src/server.ts")
"""One of these fits each pattern that an event's text may have to."""
PLAIN: Final[dict[type[inspect.Type], Any]] = {
    inspect.NoneType: None,
    inspect.BoolType: True,
    inspect.IntType: 7,
    inspect.FloatType: 2.5,
    inspect.UUIDType: UUID(int=11),
    inspect.DecimalType: Decimal("0.25"),
    inspect.DateTimeType: datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
}


def filled(kind: type[Event]) -> list[Any]:
    """Events of a type that are whole, as few as hold every value once."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    made = list(_structs(described))
    assert all(msgspec.convert(msgspec.to_builtins(one), kind) == one for one in made)
    return made


def _structs(described: inspect.StructType) -> Iterator[Any]:
    values = {field.name: list(_values(field)) for field in described.fields}
    if issubclass(described.cls, PartCarried):
        values["event_schema_version"] = [event.schema_version for event in values["event"]]
    for n in range(max((len(each) for each in values.values()), default=1)):
        yield described.cls(**{name: each[n % len(each)] for name, each in values.items()})


def _values(field: inspect.Field) -> Iterator[Any]:
    """What a field may hold; first of all something other than its default."""
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if isinstance(field.type, inspect.BoolType) and default is True:
        yield False
        return
    yield from sorted(_all(field.type), key=lambda value: value == default or value is None)


def _all(described: inspect.Type) -> Iterator[Any]:
    match described:
        case inspect.Metadata(type=inner):
            yield from _all(inner)
        case inspect.UnionType(types=members):
            for member in members:
                yield from _all(member)
        case inspect.EnumType(cls=cls):
            yield from cls
        case inspect.LiteralType(values=values):
            yield from values
        case inspect.StructType(cls=cls) if issubclass(cls, Event):
            yield next(_structs(described))
        case inspect.StructType():
            yield from _structs(described)
        case inspect.DictType(key_type=key, value_type=value):
            keys, values = list(_all(key)), list(_all(value))
            pairs = max(len(keys), len(values))
            yield {keys[n % len(keys)]: values[n % len(values)] for n in range(pairs)}
        case inspect.CollectionType(item_type=item):
            yield tuple(_all(item))[: described.max_length]
        case inspect.IntType(ge=least) if least is not None:
            yield least + PLAIN[inspect.IntType]
        case inspect.StrType():
            yield next(text for text in TEXTS if _fits(text, described))
        case _:
            yield PLAIN[type(described)]


def _fits(text: str, described: inspect.StrType) -> bool:
    short = described.max_length is None or len(text) <= described.max_length
    return short and (described.pattern is None or search(described.pattern, text) is not None)
