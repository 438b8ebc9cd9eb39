"""The page about what the log holds: every event, its fields, and which of them are sealed."""

import inspect
from collections.abc import Iterator
from typing import Final, get_args

from msgspec import Struct

from domain import content, runs
from domain.events import Event, FeatureEvent, FileWritten
from domain.recorded import Recorded
from interface.cli.generate.markdown import code, table
from interface.cli.generate.struct_fields import fields_of, summary_of

_PAGE: Final = """\
# Events

Made from `domain/events.py` by `./bp docs`; never edited by hand. How they follow each
other: [lifecycle.md](lifecycle.md).

The log stores an event under its tag, with the schema version of that tag. Fields marked *sealed*
are encrypted under the feature's own data key, a random `salt` before them; the others are in
clear, with `personal_sha256`, the SHA-256 of the sealed fields' JSON, salt included: so an export
can be checked without the key, and after a deletion the hash tells nothing. Fields at their default
are left out. Documents (`d.Spec`, `d.Plan`, …) are the structs of `domain/documents.py`.

## Beside every event

{envelope}

{events}
## Parts of events

{parts}"""


def events_page() -> str:
    """The whole page."""
    return _PAGE.format(
        envelope=_fields(Recorded, frozenset()),
        events="\n".join(line for kind in get_args(FeatureEvent) for line in _event(kind)),
        parts="\n".join(line for kind in _parts() for line in _part(kind)),
    )


def _event(kind: type[Event]) -> Iterator[str]:
    yield f"## `{kind.__struct_config__.tag}`"
    yield ""
    yield summary_of(kind)
    yield ""
    sealed = code(*(name for name in kind.__struct_fields__ if name in kind.personal))
    yield f"Schema version {kind.schema_version}. Sealed: {sealed or 'nothing'}."
    yield ""
    if kind.__struct_fields__:
        yield _fields(kind, kind.personal)
        yield ""


def _part(kind: type) -> Iterator[str]:
    yield f"### `{kind.__name__}`"
    yield ""
    yield summary_of(kind)
    yield ""
    yield _fields(kind, frozenset())
    yield ""


def _parts() -> list[type]:
    return [FileWritten, *_structs_of(runs), *_structs_of(content)]


def _structs_of(module: object) -> list[type]:
    name = getattr(module, "__name__", "")
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Struct) and kind.__module__ == name
    ]


def _fields(kind: type, personal: frozenset[str]) -> str:
    return table(
        ("field", "type", "sealed", "meaning"),
        (
            (f"`{f.name}`", f"`{f.type}`", "yes" if f.name in personal else "", f.note)
            for f in fields_of(kind)
        ),
    )
