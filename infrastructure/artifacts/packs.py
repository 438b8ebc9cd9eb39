"""Files that are stored together, as one object: an index, then their bytes, one after the other.

Invariant: a pack is never changed; its name says all that is in it, so that the same files make the
same object. What is taken out of one is checked against its own hash by whoever takes it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

SUFFIX: Final = ".pack"
MAGIC: Final = b"bp-pack-1\n"
LENGTH_BYTES: Final = 4
FILES_AT_MOST: Final = 256
BYTES_AT_MOST: Final = 16 << 20
"""Of one pack; more files that come together become several."""
HEAD_BYTES: Final = 32 << 10
"""So much from the beginning holds the whole index: 256 lines of less than 100 bytes."""


class PlaceInPack(NamedTuple):
    """Where in a pack a file is."""

    offset: int
    size: int


Index = Mapping[str, PlaceInPack]
"""What a pack holds, by the SHA-256 of each file."""


class PackDamaged(Exception):
    """The beginning of a pack is no index."""


def packed(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A pack's name and bytes, of files by their SHA-256."""
    ordered = sorted(files.items())
    index = msgspec.json.encode([(digest, len(body)) for digest, body in ordered])
    length = len(index).to_bytes(LENGTH_BYTES, "big")
    body = b"".join((MAGIC, length, index, *(body for _, body in ordered)))
    return hashlib.sha256(body).hexdigest() + SUFFIX, body


def index_of(head: bytes) -> Index:
    """The index, read from the first `HEAD_BYTES` of a pack. Raises PackDamaged."""
    begin = len(MAGIC) + LENGTH_BYTES
    length = int.from_bytes(head[len(MAGIC) : begin], "big")
    end = begin + length
    if not head.startswith(MAGIC) or not begin < end <= len(head):
        raise PackDamaged
    try:
        lines = msgspec.json.decode(head[begin:end], type=list[tuple[str, int]])
    except (msgspec.MsgspecError, RecursionError):
        raise PackDamaged from None
    found: dict[str, PlaceInPack] = {}
    for digest, size in lines:
        if size < 0:
            raise PackDamaged
        found[digest] = PlaceInPack(end, size)
        end += size
    return found


def grouped(
    files: Iterable[tuple[str, bytes]], *, apart: bool = False
) -> Sequence[Mapping[str, bytes]]:
    """Files that come together, by key, as they are stored: each group is one object.

    A group holds files of one feature, each once; only one, if they are to stand apart.
    """
    if apart:
        return [{key: body} for key, body in dict(files).items()]
    groups: list[dict[str, bytes]] = []
    open_groups: dict[str, tuple[dict[str, bytes], int]] = {}
    for key, body in dict(files).items():
        parent = key.rpartition("/")[0]
        group, size = open_groups.get(parent, ({}, BYTES_AT_MOST))
        if len(group) >= FILES_AT_MOST or size + len(body) > BYTES_AT_MOST or not group:
            group, size = {}, 0
            groups.append(group)
        group[key] = body
        open_groups[parent] = (group, size + len(body))
    return groups


def as_object(group: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A group's key and bytes: a file alone stands under its own hash, several are a pack."""
    key, body = next(iter(group.items()))
    if len(group) == 1:
        return key, body
    name, body = packed({key.rpartition("/")[2]: body for key, body in group.items()})
    return f"{key.rpartition('/')[0]}/{name}", body
