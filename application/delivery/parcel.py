"""A delivery as one file: what names its bytes, and the bytes as often as they are asked for.

Invariant: the same name is the same bytes, so that whoever was cut off goes on where it was.
"""

from collections.abc import AsyncGenerator, Callable

from msgspec import Struct


class Parcel(Struct, frozen=True):
    """One file, not made yet."""

    called: str
    """What people may call it: a name for a file, without its ending."""
    name: str
    """SHA-256 in hex of all that its bytes depend on: the files, and what packs them."""
    chunks: Callable[[], AsyncGenerator[bytes, None]]
    """Its bytes, made anew each time."""
