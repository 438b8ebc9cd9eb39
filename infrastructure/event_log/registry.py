"""What the log's tags mean: which struct, which schema version, which fields are personal.

Invariant: a tag or version that this program does not know is an error, never skipped; a struct is
written in two parts (clear and personal) whose union is the whole.

The clear part of an event that has a personal one commits to it: `personal_sha256` is the SHA-256
of the personal part's bytes, which begin with a random `salt`. Whoever has the personal part can
show that it is what was recorded; whoever has not can learn nothing from the commitment, not even
by guessing, so it may stay when the feature is deleted.
"""

import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, get_args

import msgspec

from domain.events import Event, FeatureEvent, tag_of
from infrastructure.event_log.upcasters import UPCASTERS, Upcaster

SALT_BYTES: Final = 16
SALT: Final = "salt"
COMMITMENT: Final = "personal_sha256"
RESERVED: Final = frozenset({SALT, COMMITMENT, "type"})
"""Names that stand beside an event's own fields."""

CARRIED: Final = "event"
CARRIED_VERSION: Final = "event_schema_version"
"""Fields of an event that carries another one, which is brought up by its own upcasters."""

UNKNOWN_FIELDS: Final = "fields that are not known"


class UnknownEvent(Exception):
    """The log holds an event that this version of the program does not know. Start a later one."""

    def __init__(self, tag: str, schema_version: int, fields: str = "") -> None:
        beside = f", with {fields}" if fields else ""
        super().__init__(f"{self.__doc__} ({tag} in schema version {schema_version}{beside})")
        self.tag = tag
        self.schema_version = schema_version


class EncodedEvent(NamedTuple):
    """An event as it goes into the log; `personal` is still to be sealed."""

    tag: str
    schema_version: int
    clear: bytes
    personal: bytes | None


class _Kind(NamedTuple):
    cls: type[Event]
    schema_version: int
    clear: tuple[tuple[str, Any], ...]
    personal: tuple[tuple[str, Any], ...]
    decode: Callable[[bytes], Event]
    check: Callable[[bytes], object]
    """Refuses fields that the struct has not: it would lose them in silence."""
    names: frozenset[str]
    carries: bool
    """Whether it holds another event."""


class Registry:
    """Tags and their structs, built once from the union of events."""

    def __init__(
        self,
        events: object = FeatureEvent,
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
    ) -> None:
        """Take a union of event structs, and upcasters by tag and the version they start from."""
        self._upcasters = dict(upcasters)
        self._kinds: dict[str, _Kind] = {}
        self._tags: dict[type, str] = {}
        self._encode = msgspec.json.Encoder().encode
        for cls in get_args(events):
            tag = tag_of(cls)
            if tag in self._kinds:
                raise ValueError(f"two events share the tag {tag}")
            fields = [(f.name, f.default) for f in msgspec.structs.fields(cls)]
            unknown = cls.personal - {name for name, _ in fields}
            if unknown:
                raise ValueError(f"{tag} has no field {', '.join(sorted(unknown))}")
            if not RESERVED.isdisjoint(name for name, _ in fields):
                raise ValueError(f"{tag} has a field with a reserved name")
            self._tags[cls] = tag
            self._kinds[tag] = _Kind(
                cls,
                cls.schema_version,
                tuple(f for f in fields if f[0] not in cls.personal),
                tuple(f for f in fields if f[0] in cls.personal),
                msgspec.json.Decoder(cls).decode,
                _check_of(name for name, _ in fields),
                frozenset(name for name, _ in fields),
                carries=any(name == CARRIED_VERSION for name, _ in fields),
            )

    @property
    def tags(self) -> frozenset[str]:
        """All tags."""
        return frozenset(self._kinds)

    def encode(self, event: FeatureEvent, salt: bytes | None = None) -> EncodedEvent:
        """Write an event as its clear and its personal part, without values at their default.

        `salt` is 16 random bytes, drawn here unless a test wants the same bytes again.
        """
        tag = self._tags[type(event)]
        kind = self._kinds[tag]
        clear = self._part(event, kind.clear)
        personal = self._part(event, kind.personal)
        if not personal:
            return EncodedEvent(tag, kind.schema_version, self._encode(clear), None)
        salted = b64encode(salt or os.urandom(SALT_BYTES)).decode()
        kept = self._encode({SALT: salted, **personal})
        clear[COMMITMENT] = sha256(kept).hexdigest()
        return EncodedEvent(tag, kind.schema_version, self._encode(clear), kept)

    def decode(
        self, tag: str, schema_version: int, clear: bytes, personal: bytes | None
    ) -> FeatureEvent:
        """Read an event of any version ever written.

        Raises:
            UnknownEvent: the tag, the version, a field, or the way from it is not known here.
            msgspec.MsgspecError: the bytes are not such an event.
        """
        kind = self._kinds.get(tag)
        if kind is None or not 0 < schema_version <= kind.schema_version:
            raise UnknownEvent(tag, schema_version)
        whole = _joined(clear, personal)
        if schema_version == kind.schema_version and not kind.carries:
            event = kind.decode(whole)
            try:
                kind.check(whole)
            except msgspec.ValidationError:
                raise UnknownEvent(tag, schema_version, UNKNOWN_FIELDS) from None
            return event  # type: ignore[return-value]  # Of the union, by the tag.
        plain = self._upcast(tag, schema_version, msgspec.json.decode(whole, type=dict[str, Any]))
        if kind.carries:
            plain = self._upcast_carried(plain)
        return msgspec.convert(plain, kind.cls)  # type: ignore[return-value]  # As above.

    def _upcast(self, tag: str, schema_version: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        kind = self._kinds.get(tag)
        if kind is None or not 0 < schema_version <= kind.schema_version:
            raise UnknownEvent(tag, schema_version)
        plain = {name: value for name, value in fields.items() if name not in RESERVED}
        for version in range(schema_version, kind.schema_version):
            upcast = self._upcasters.get((tag, version))
            if upcast is None:
                raise UnknownEvent(tag, schema_version)
            plain = upcast(plain)
        if not plain.keys() <= kind.names:
            raise UnknownEvent(tag, schema_version, UNKNOWN_FIELDS)
        return plain

    def _upcast_carried(self, plain: dict[str, Any]) -> dict[str, Any]:
        inner = plain.get(CARRIED)
        if not isinstance(inner, dict) or not isinstance(inner.get("type"), str):
            raise msgspec.ValidationError("it carries no event")
        tag = inner["type"]
        fields = self._upcast(tag, plain.get(CARRIED_VERSION, 1), inner)
        now = self._kinds[tag].schema_version
        return {**plain, CARRIED: {"type": tag, **fields}, CARRIED_VERSION: now}

    @staticmethod
    def _part(event: Event, fields: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        return {
            name: value for name, default in fields if (value := getattr(event, name)) != default
        }


def _check_of(names: Iterable[str]) -> Callable[[bytes], object]:
    """What passes over every value, and takes no other field than these and those beside them."""
    fields = [(name, msgspec.Raw, msgspec.Raw()) for name in (*names, *sorted(RESERVED))]
    known = msgspec.defstruct("Known", fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(known).decode


def _joined(clear: bytes, personal: bytes | None) -> bytes:
    """Two JSON objects as one, without reading either."""
    if personal is None or personal == b"{}":
        return clear
    return personal if clear == b"{}" else clear[:-1] + b"," + personal[1:]


REGISTRY: Final = Registry()
"""All events of this version."""
