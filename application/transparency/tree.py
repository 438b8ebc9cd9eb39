"""The tree hashing of RFC 6962 and RFC 9162, and the compact range that grows a tree leaf by leaf.

Invariant: a compact range holds one hash for each bit that is set in its size, the largest perfect
subtree first; its root is the root of the whole tree over the same leaves.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_EVENT: Final = b"bp-leaf-1"


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf, which no node can have."""
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(_NODE + left + right).digest()


def event_leaf(position: int, event_hash: bytes) -> bytes:
    """The leaf hash of a stored event: its position, and the chain hash, which covers all of it.

    Written down so that others can compute it: `bp-leaf-1`, the position in 8 bytes, big-endian,
    and the 32 bytes of the event's hash, after RFC 6962's zero byte.
    """
    return sha256(_LEAF + _EVENT + position.to_bytes(8, "big") + event_hash).digest()


class CompactRange:
    """The hashes of a tree that its root needs: at most 64."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Begin empty, or where another compact range ended. Raises ValueError for none."""
        self.size = size
        self.peaks = list(peaks)
        if (
            size < 0
            or len(self.peaks) != size.bit_count()
            or any(len(peak) != HASH_BYTES for peak in self.peaks)
        ):
            raise ValueError(f"{len(self.peaks)} hashes are no compact range of {size} leaves")

    def append(self, leaf: bytes) -> None:
        """Add one leaf's hash at the end."""
        node, size, peaks = leaf, self.size, self.peaks
        while size & 1:
            node = node_hash(peaks.pop(), node)
            size >>= 1
        peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves that were added."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            node = node_hash(peak, node)
        return node
