"""What counts as a break of old logs is what a reader of old logs would stumble over, no more."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from domain import events as e
from infrastructure.event_log import Registry, UnknownEvent
from tests.golden import write
from tests.golden.filled import filled
from tests.golden.shapes import breaks, kinds, shape_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class More(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Fewer(StrEnum):
    RED = "red"


class Renamed(StrEnum):
    RED = "red"
    BLUE = "azure"


class Inner(msgspec.Struct, frozen=True, omit_defaults=True):
    size: int
    colour: Colour = Colour.RED


class Wider(msgspec.Struct, frozen=True, omit_defaults=True):
    size: int
    colour: Colour = Colour.RED
    weight: int = 0


class Heavier(msgspec.Struct, frozen=True, omit_defaults=True):
    size: int
    weight: int
    colour: Colour = Colour.RED


class Repainted(msgspec.Struct, frozen=True, omit_defaults=True):
    size: int
    colour: Colour = Colour.BLUE


class Sized(msgspec.Struct, frozen=True, omit_defaults=True):
    length: int
    colour: Colour = Colour.RED


Short = Annotated[str, msgspec.Meta(max_length=40)]
BEFORE: dict[str, Any] = {
    "colour": Colour,
    "perhaps": Colour | None,
    "all": tuple[Colour, ...],
    "by": dict[Colour, Inner],
    "inner": Inner,
    "text": Short,
    "note": (str, ""),
}
COMPATIBLE: dict[str, dict[str, Any]] = {
    "one more value of an enum": {"colour": More},
    "one more value of an enum that may be null": {"perhaps": More | None},
    "one more value of an enum in a list": {"all": tuple[More, ...]},
    "one more value of an enum that is a key": {"by": dict[More, Inner]},
    "one more field with a default": {"more": (int, 0)},
    "one more field with a default, inside": {"inner": Wider, "by": dict[Colour, Wider]},
    "what may now be null": {"colour": Colour | None},
    "what may now be left out": {"text": (Short, "")},
    "a wider limit": {"text": Annotated[str, msgspec.Meta(max_length=80)]},
    "no limit": {"text": str},
}
BREAKING: dict[str, dict[str, Any]] = {
    "a value of an enum taken away": {"colour": Fewer},
    "a value of an enum renamed": {"colour": Renamed},
    "a value taken away that may be null": {"perhaps": Fewer | None},
    "a value taken away in a list": {"all": tuple[Fewer, ...]},
    "a value taken away that is a key": {"by": dict[Fewer, Inner]},
    "a field taken away": {"text": None},
    "a field renamed": {"text": None, "words": Short},
    "a field renamed that has a default": {"note": None, "remark": (str, "")},
    "another type": {"text": int},
    "another type, inside": {"inner": tuple[Colour, ...]},
    "one more field without a default": {"more": int},
    "one more field without a default, inside": {"inner": Heavier},
    "a field renamed, inside": {"inner": Sized},
    "null no longer": {"perhaps": Colour},
    "another default, inside": {"inner": Repainted},
    "another default": {"note": (str, "none")},
    "a default no longer": {"note": str},
    "a narrower limit": {"text": Annotated[str, msgspec.Meta(max_length=4)]},
    "a pattern": {"text": Annotated[str, msgspec.Meta(pattern="^[0-9]$")]},
}


def event(fields: dict[str, Any], *, personal: frozenset[str] = frozenset()) -> Any:
    """An event under one tag; a field is given its type, or its type and its default."""
    given = sorted(fields.items(), key=lambda item: isinstance(item[1], tuple))
    return msgspec.defstruct(
        "Changed",
        [(name, *(of if isinstance(of, tuple) else (of,))) for name, of in given],
        bases=(e.Event,),
        namespace={"personal": personal, "__annotations__": {}},
        tag="changed",
        frozen=True,
        kw_only=True,
    )


def changed(by: dict[str, Any]) -> Any:
    return event({name: of for name, of in {**BEFORE, **by}.items() if of is not None})


class Other(e.Event, frozen=True, tag="other"):
    pass


def old_log() -> Iterator[Any]:
    """Lines with every value and without, written before the change."""
    before = event(BEFORE)
    registry = Registry(before | Other)
    for one in filled(before):
        yield one, registry.encode(one)
        less = msgspec.structs.replace(one, note="", perhaps=None, inner=Inner(3))
        yield less, registry.encode(less)


def is_read_as_it_was(after: Any) -> bool:
    """Whether each value of each line of the old log means after the change what it meant."""
    registry = Registry(after | Other)
    for old, line in old_log():
        try:
            new = registry.decode(*line)
        except (msgspec.ValidationError, UnknownEvent):
            return False
        if not _holds(_plain(new), _plain(old)):
            return False
    return True


def _plain(event: Any) -> Any:
    """All values, also those at their default."""
    if isinstance(event, msgspec.Struct):
        return {name: _plain(getattr(event, name)) for name in event.__struct_fields__}
    if isinstance(event, dict):
        return {str(key): _plain(value) for key, value in event.items()}
    return [_plain(one) for one in event] if isinstance(event, tuple) else event


def _holds(new: Any, old: Any) -> bool:
    """Whether all of the old is in the new, which may have more fields."""
    if isinstance(new, dict) and isinstance(old, dict):
        return all(name in new and _holds(new[name], value) for name, value in old.items())
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_holds, new, old))
    return (type(new) is type(old) and new == old) or str(new) == str(old)


@pytest.mark.parametrize("name", COMPATIBLE)
def test_what_every_old_log_survives_asks_for_no_new_version(name: str) -> None:
    after = changed(COMPATIBLE[name])
    assert breaks(shape_of(event(BEFORE)), shape_of(after)) == []
    assert is_read_as_it_was(after)


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_an_old_log_asks_for_a_new_version(name: str) -> None:
    after = changed(BREAKING[name])
    assert breaks(shape_of(event(BEFORE)), shape_of(after)) != []
    assert not is_read_as_it_was(after)


def test_a_field_that_is_sealed_from_now_on_asks_for_a_new_version() -> None:
    open_, sealed = (event({"title": str}, personal=frozenset(of)) for of in ((), ("title",)))
    assert breaks(shape_of(open_), shape_of(sealed)) != []
    assert breaks(shape_of(sealed), shape_of(open_)) != []


def test_an_event_may_carry_more_events_and_never_fewer() -> None:
    class One(e.Event, frozen=True, tag="one"):
        at: UUID

    class Two(e.Event, frozen=True, tag="two"):
        at: UUID

    one, both = event({"event": One | Other}), event({"event": One | Two | Other})
    assert breaks(shape_of(one), shape_of(both)) == []
    assert breaks(shape_of(both), shape_of(one)) == ["`event` can no longer be two"]


def test_what_an_event_carries_has_a_version_of_its_own() -> None:
    def one(of: type) -> Any:
        fields = [("at", of)]
        return msgspec.defstruct("One", fields, bases=(e.Event,), tag="one", frozen=True)

    first, second = (event({"event": one(of)}) for of in (UUID, int))
    assert breaks(shape_of(first), shape_of(second)) == []


def test_words_about_an_event_and_names_of_its_class_are_no_part_of_its_shape() -> None:
    class Said(e.Event, frozen=True, tag="said"):
        """One way to say it."""

        personal: ClassVar[frozenset[str]] = frozenset({"note"})
        colour: Colour
        note: str = ""

    class Told(e.Event, frozen=True, tag="said"):
        """Another way, the fields in another order."""

        personal: ClassVar[frozenset[str]] = frozenset({"note"})
        note: str = ""
        """What was noted."""
        colour: Colour = msgspec.field(default=Colour.RED)

    required = shape_of(Told)
    del required["fields"]["colour"]["default"]
    assert shape_of(Said) == required


def test_a_type_that_nobody_judged_is_refused() -> None:
    with pytest.raises(TypeError, match="teach"):
        shape_of(event({"raw": msgspec.Raw}))


def test_an_enum_of_an_event_may_grow_and_every_value_is_held_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: recorded, grown, recorded again, and then refused to shrink."""
    monkeypatch.setattr(write, "HERE", tmp_path)
    monkeypatch.setattr(write, "SHAPES", tmp_path / "shapes.json")
    (tmp_path / "v1").mkdir()
    monkeypatch.setattr(write, "EXAMPLES", ())

    def recorded(kind: Any) -> dict[str, Any]:
        monkeypatch.setattr(write, "kinds", lambda: {"changed": kind})
        monkeypatch.setattr(write, "REGISTRY", Registry(kind | Other))
        write.main([])
        return write.read(tmp_path / "shapes.json")["changed"]["1"]

    before, grown = event(BEFORE), changed({"colour": More})
    first = recorded(before)
    lines = (tmp_path / "v1" / "whole.jsonl").read_text()
    second = recorded(grown)
    assert (first, second) == (shape_of(before), shape_of(grown))
    more = (tmp_path / "v1" / "whole.jsonl").read_text()
    assert more.startswith(lines), "a golden line never changes"
    assert "green" in more.removeprefix(lines)
    with pytest.raises(SystemExit, match="`colour` can no longer be green"):
        recorded(before)


def test_the_recorded_shapes_are_written_as_they_are_read() -> None:
    shapes = {tag: {"1": shape_of(kind)} for tag, kind in kinds().items()}
    assert json.loads(json.dumps(shapes)) == shapes
    assert write.read(write.SHAPES) == json.loads(json.dumps(shapes))
