"""The parts of a document that stands at a gate, each under the name that a person points at.

Invariant: what is kept of an earlier version is the very part that stood there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from domain import documents as d

T = TypeVar("T", bound=Struct)
Key = Callable[[Any], str]


def _export(part: d.PlannedExport) -> str:
    return f"{part.path} {part.name}"


def _route(part: d.PlannedRoute) -> str:
    return f"{part.method} {part.path}"


def _of(name: str) -> Key:
    return lambda part: str(getattr(part, name))


KEYS: Final[Mapping[type[Struct], Mapping[str, Key]]] = {
    d.Spec: {
        "requirements": _of("id"),
        "entities": _of("name"),
        "roles": _of("name"),
        "bounds": str,
        "errors": _of("when"),
        "out_of_scope": _of("text"),
    },
    d.Plan: {
        "files": _of("path"),
        "tasks": _of("id"),
        "decisions": _of("choice"),
        "interfaces": _of("name"),
        "packages": str,
        "exports": _export,
        "routes": _route,
        "tables": _of("name"),
    },
    d.Tests: {"files": _of("path"), "untestable": _of("id")},
}
"""The lists of each document, and what their entries are called by."""
WHOLE: Final = ("title", "summary")
"""Fields that are a part each."""
LOOSE: Final = frozenset({"bounds", "errors", "out_of_scope", "decisions", "packages"})
"""Lists of sentences, which can be named as a whole: an entry is called by its own words."""


def parts_of(document: Struct) -> dict[str, Any]:
    """Every part of a document by its name: ids, paths, names, and fields that are a whole."""
    found: dict[str, Any] = {}
    for field in (*WHOLE, *LOOSE):
        if field in document.__struct_fields__:
            found[field] = getattr(document, field)
    for field, key in KEYS[type(document)].items():
        for part in getattr(document, field):
            name = key(part)
            # What two lists call by one name is one part: whoever names it means both.
            found[name] = (*found.get(name, ()), part)
            if isinstance(part, d.Requirement):
                found.update({one.id: (one,) for one in part.criteria})
    return found


def differing(before: Struct, now: Struct, names: Iterable[str]) -> tuple[str, ...]:
    """Which of these parts are not as they were; gone and new ones too."""
    was, is_now = parts_of(before), parts_of(now)
    return tuple(
        name for name in dict.fromkeys(names) if name and was.get(name) != is_now.get(name)
    )


def keep_unmentioned(previous: T, answer: T, touched: Collection[str]) -> T:
    """The answer, in which every part that is not touched stands as it stood before.

    Args:
        previous: The version before.
        answer: What came instead.
        touched: Names of the parts that may change, be added or go.
    """
    kept: dict[str, Any] = {
        field: getattr(previous, field)
        for field in WHOLE
        if field in previous.__struct_fields__ and field not in touched
    }
    for field, key in KEYS[type(previous)].items():
        if field not in touched or field not in LOOSE:
            before, after = getattr(previous, field), getattr(answer, field)
            kept[field] = _merged(before, after, key, touched)
    return replace(answer, **kept)


def _merged(
    before: Iterable[Any], after: Iterable[Any], key: Key, touched: Collection[str]
) -> tuple[Any, ...]:
    news = {key(part): part for part in after}
    merged = []
    for part in before:
        now = news.pop(key(part), None)
        if key(part) not in touched:
            merged.append(_inside(part, now, touched))
        elif now is not None:
            merged.append(now)
    return (*merged, *(part for name, part in news.items() if name in touched))


def _inside(part: Any, now: Any, touched: Collection[str]) -> Any:  # noqa: ANN401 - of any list.
    """A part that stays, but for criteria of a requirement that may change."""
    if not isinstance(part, d.Requirement) or not isinstance(now, d.Requirement):
        return part
    criteria = _merged(part.criteria, now.criteria, _of("id"), touched)
    return part if not criteria or criteria == part.criteria else replace(part, criteria=criteria)
