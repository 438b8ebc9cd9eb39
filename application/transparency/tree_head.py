"""A tree head as text: the body of a C2SP tlog-checkpoint, with two lines of ours after it.

    build-practical/log/<id>          the origin: which log
    1234                              how many events
    <base64>                          the root over them
    position 1240                     of the last of them
    time 2026-01-02T03:04:05.678901Z  by the database's clock, when the tree had grown to here

Invariant: `parse` takes exactly what `text` gives, and nothing that could be read in two ways.
"""

import binascii
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Final, Self

from msgspec import Struct

from application.transparency.tree import HASH_BYTES

_FORM: Final = re.compile(
    r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9]\d{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"position (?P<position>0|[1-9]\d{0,18})\n"
    r"time (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n",
    re.ASCII,
)


class NotATreeHead(Exception):
    """It is no tree head of our log."""


class SignedTreeHead(Struct, frozen=True):
    """The state of the log after its first `size` events."""

    origin: str
    size: int
    root: bytes
    position: int
    at: datetime
    """UTC."""

    def text(self) -> str:
        """The body that is signed."""
        at = self.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        root = b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nposition {self.position}\ntime {at}Z\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` gave. Raises NotACheckpoint."""
        found = _FORM.fullmatch(text)
        try:
            if found is None:
                raise NotATreeHead("expected five lines: origin, size, root, position, time")
            root = b64decode(found["root"], validate=True)
            at = datetime.fromisoformat(found["at"])
        except (ValueError, binascii.Error):
            raise NotATreeHead("its root or its time is none") from None
        if len(root) != HASH_BYTES or b64encode(root).decode() != found["root"]:
            raise NotATreeHead("its root is no SHA-256")
        return cls(found["origin"], int(found["size"]), root, int(found["position"]), at)

    def agrees_with(self, other: "SignedTreeHead") -> bool:
        """Whether both say the same of the log, whenever each was made."""
        return (self.origin, self.size, self.root, self.position) == (
            other.origin,
            other.size,
            other.root,
            other.position,
        )
