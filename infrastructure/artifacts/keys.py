"""What a store accepts as the key of a file: `{tenant}/{feature}/{sha256}`, and nothing else.

Invariant: a key holds only lower-case hex, dashes and two slashes, so that nothing an agent or a
person wrote ever becomes part of a path or an object name.
"""

import hashlib
import re
from typing import Final

from application.ports import ArtifactDamaged

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KEY: Final = re.compile(f"{_UUID}/{_UUID}/[0-9a-f]{{64}}")
_PACK: Final = re.compile(f"{_UUID}/{_UUID}/[0-9a-f]{{64}}\\.pack")
_PREFIX: Final = re.compile(f"{_UUID}/{_UUID}/")


class KeyRefused(ValueError):
    """No key of a stored file."""


def checked_key(key: str) -> str:
    """Give the key back if it is one. Raises KeyRefused."""
    if _KEY.fullmatch(key) is None:
        raise KeyRefused("this is no key of a stored file: expected tenant/feature/sha256")
    return key


def is_key(key: str) -> bool:
    """Whether it is the key of a stored file."""
    return _KEY.fullmatch(key) is not None


def is_pack(key: str) -> bool:
    """Whether it is the key of several files that are stored as one object."""
    return _PACK.fullmatch(key) is not None


def has_hash(key: str, body: bytes) -> bool:
    """Whether these bytes are those that the key names."""
    return hashlib.sha256(body).hexdigest() == key.rpartition("/")[2]


def checked_prefix(prefix: str) -> str:
    """Give the prefix back if it is one feature's. Raises KeyRefused."""
    if _PREFIX.fullmatch(prefix) is None:
        raise KeyRefused("this is no feature's prefix: expected tenant/feature/")
    return prefix


def checked_body(key: str, body: bytes) -> bytes:
    """Give the bytes back if they have the hash that the key names. Raises ArtifactDamaged."""
    if not has_hash(key, body):
        raise ArtifactDamaged(f"the stored file {key} is not what its hash says")
    return body
