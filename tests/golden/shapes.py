"""The shape of an event, and what of a change to it an old log would not survive.

A shape says what JSON an event is written as and what of it is sealed, and nothing else: names of
Python's classes, docstrings and the order of fields are no part of it. An event that another one
carries is named by its tag, because its shape has a schema version of its own.

A change is compatible when everything that was written before is read as what it was: one more
value of an enum, one more member of a union, one more field with a default, a wider limit. It is a
break when a value, member or field is gone or has another name, another type, another default, a
narrower limit, or is sealed where it was not.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from domain.events import Event, FeatureEvent

Shape = dict[str, Any]

LOWER: Final = ("ge", "gt", "min_length")
UPPER: Final = ("le", "lt", "max_length")
EXACT: Final = ("pattern", "multiple_of", "tz")

PLAIN: Final = (
    inspect.AnyType,
    inspect.NoneType,
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.BytesType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeDeltaType,
    inspect.UUIDType,
    inspect.DecimalType,
)


def kinds() -> dict[str, type[Event]]:
    """Every event by its tag."""
    return {tag_of(kind): kind for kind in get_args(FeatureEvent)}


def tag_of(kind: type[Event]) -> str:
    """What the log calls it."""
    return str(kind.__struct_config__.tag)


def shape_of(kind: type[Event]) -> Shape:
    """The fields of an event as they are written, and which of them are sealed."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return {**_struct(described), "personal": sorted(kind.personal)}


def breaks(before: Shape, after: Shape) -> list[str]:
    """What an old log would not survive, one sentence each; empty if it is read as it was."""
    both = before["fields"].keys() & after["fields"].keys()
    moved = both & (set(before["personal"]) ^ set(after["personal"]))
    sealed = [f"`{name}` is sealed in one of the two and not in the other" for name in moved]
    return [*_breaks(before, after, ""), *sorted(sealed)]


def _struct(described: inspect.StructType) -> Shape:
    fields = {}
    for field in described.fields:
        one: Shape = {"type": _shape(field.type)}
        if not field.required:
            made = field.default_factory
            default = field.default if made is msgspec.NODEFAULT else made()
            one["default"] = msgspec.json.decode(msgspec.json.encode(default))
        fields[field.encode_name] = one
    shape: Shape = {"is": "object", "fields": dict(sorted(fields.items()))}
    if described.tag is not None:
        shape["tag"] = {str(described.tag_field): described.tag}
    if described.array_like:
        shape["is"] = "array of fields"
        shape["order"] = [field.encode_name for field in described.fields]
    return shape


def _shape(described: inspect.Type) -> Shape:
    match described:
        case inspect.Metadata(type=inner):
            return _shape(inner)
        case inspect.UnionType(types=members):
            shapes = [_shape(member) for member in members]
            tags = {tag for one in shapes if one["is"] == "event" for tag in one["tags"]}
            others = [one for one in shapes if one["is"] != "event"]
            events = [{"is": "event", "tags": sorted(tags)}] if tags else []
            members_of = sorted([*others, *events], key=repr)
            return members_of[0] if len(members_of) == 1 else {"is": "either", "of": members_of}
        case inspect.EnumType(cls=cls):
            return {"is": "one of", "values": sorted((one.value for one in cls), key=repr)}
        case inspect.LiteralType(values=values):
            return {"is": "one of", "values": sorted(values, key=repr)}
        case inspect.StructType(cls=cls) if issubclass(cls, Event):
            return {"is": "event", "tags": [tag_of(cls)]}
        case inspect.StructType():
            return _struct(described)
        case inspect.DictType(key_type=key, value_type=value):
            return {"is": "map", "key": _shape(key), "value": _shape(value), **_limits(described)}
        case inspect.TupleType(item_types=items):
            return {"is": "tuple", "items": [_shape(item) for item in items]}
        case inspect.CollectionType(item_type=item):
            return {"is": "list", "item": _shape(item), **_limits(described)}
        case _ if type(described) in PLAIN:
            name = type(described).__name__.removesuffix("Type").lower()
            return {"is": name, **_limits(described)}
        case _:
            raise TypeError(f"teach tests/golden/shapes.py what {described} is written as")


def _limits(described: inspect.Type) -> Shape:
    found = {name: getattr(described, name, None) for name in (*LOWER, *UPPER, *EXACT)}
    return {name: value for name, value in found.items() if value is not None}


def _breaks(before: Shape, after: Shape, at: str) -> Iterator[str]:
    here = f"`{at}`" if at else "the event"
    if "either" in (before["is"], after["is"]):
        now = after["of"] if after["is"] == "either" else [after]
        for one in before["of"] if before["is"] == "either" else [before]:
            tried = [list(_breaks(one, other, at)) for other in now]
            if all(tried):
                yield (
                    min(tried, key=len)[0] if len(now) == 1 else f"{here} is no longer {one['is']}"
                )
        return
    if before["is"] != after["is"]:
        yield f"{here} was {before['is']} and is {after['is']}"
        return
    yield from _narrower(before, after, here)
    match before["is"]:
        case "one of":
            yield from _gone(before["values"], after["values"], here)
        case "event":
            yield from _gone(before["tags"], after["tags"], here)
        case "list":
            yield from _breaks(before["item"], after["item"], f"{at}[]")
        case "map":
            yield from _breaks(before["key"], after["key"], f"{at}.*")
            yield from _breaks(before["value"], after["value"], f"{at}.*")
        case "tuple":
            if len(before["items"]) != len(after["items"]):
                yield f"{here} has another number of items"
            for n, (one, other) in enumerate(zip(before["items"], after["items"], strict=False)):
                yield from _breaks(one, other, f"{at}[{n}]")
        case "object" | "array of fields":
            yield from _fields(before, after, at)


def _fields(before: Shape, after: Shape, at: str) -> Iterator[str]:
    if before.get("tag") != after.get("tag"):
        yield f"the tag of {f'`{at}`' if at else 'the event'} is another"
    if before.get("order", []) != after.get("order", [])[: len(before.get("order", []))]:
        yield f"the fields of `{at}` stand in another order"
    for name, old in before["fields"].items():
        where = f"{at}.{name}".removeprefix(".")
        new = after["fields"].get(name)
        if new is None:
            yield f"`{where}` is gone, or has another name"
            continue
        yield from _breaks(old["type"], new["type"], where)
        if "default" in old and "default" not in new:
            yield f"`{where}` has no default any more: where it was left out, it is missing"
        elif "default" in old and not _same(old["default"], new["default"]):
            yield f"`{where}` has another default: where it was left out, it means something else"
    for name in sorted(after["fields"].keys() - before["fields"].keys()):
        if "default" not in after["fields"][name]:
            yield f"`{f'{at}.{name}'.removeprefix('.')}` is new and has no default"


def _same(before: Any, after: Any) -> bool:
    """Whether a default means what it meant; a struct in it may have grown."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and _same(old, after[name]) for name, old in before.items())
    return bool(before == after)


def _gone(before: list[Any], after: list[Any], here: str) -> Iterator[str]:
    for value in before:
        if value not in after:
            yield f"{here} can no longer be {value}"


def _narrower(before: Mapping[str, Any], after: Mapping[str, Any], here: str) -> Iterator[str]:
    for name in (*LOWER, *UPPER, *EXACT):
        old, new = before.get(name), after.get(name)
        if new is None or new == old:
            continue
        wider = old is not None and ((name in LOWER and new < old) or (name in UPPER and new > old))
        if not wider:
            yield f"{here} is held to a narrower {name}: {new}"
