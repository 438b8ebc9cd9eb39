"""Proofs for who holds only checkpoints: an event is in the log; a later log continues an earlier.

Invariant: a proof of RFC 9162 (sections 2.1.3 and 2.1.4) that verifies for a root cannot be made
for another leaf, another index or another earlier root without breaking SHA-256.
"""

from collections.abc import Sequence

from application.transparency.tree import EMPTY_ROOT, HASH_BYTES, node_hash


class MerkleTree:
    """A whole tree over given leaf hashes, for making proofs. Holds two hashes for each leaf."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Compute every perfect subtree once."""
        self._levels = [list(leaves)]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0])

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves, or all. Raises ValueError beyond the tree."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree has {self.size} leaves")
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Prove that the leaf at `index`, from 0, is among the first `size`. Raises ValueError."""
        size = self.size if size is None else size
        if not 0 <= index < size <= self.size:
            raise ValueError(f"no leaf {index} among the first {size} of {self.size}")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _left_of(high - low)
            if index < middle:
                path.append(self._over(middle, high))
                high = middle
            else:
                path.append(self._over(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """Prove that the first `second` leaves begin with the first `first`. Raises ValueError."""
        second = self.size if second is None else second
        if not 0 < first <= second <= self.size:
            raise ValueError(f"no trees of {first} and {second} leaves in one of {self.size}")
        path: list[bytes] = []
        low, high, whole = 0, second, True
        while high != first:
            middle = low + _left_of(high - low)
            if first <= middle:
                path.append(self._over(middle, high))
                high = middle
            else:
                path.append(self._over(low, middle))
                low, whole = middle, False
        return [*([] if whole else [self._over(low, high)]), *path[::-1]]

    def _over(self, low: int, high: int) -> bytes:
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._levels[count.bit_length() - 1][low // count]
        middle = low + _left_of(count)
        return node_hash(self._over(low, middle), self._over(middle, high))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether `proof` shows that the leaf hash stands at `index` under this root."""
    if not 0 <= index < size or any(len(part) != HASH_BYTES for part in proof):
        return False
    place, last, node = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(part, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, part)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether `proof` shows that the tree of `second` leaves begins with that of `first`."""
    if not 0 < first <= second or any(len(part) != HASH_BYTES for part in proof):
        return False
    if first == second:
        return not proof and first_root == second_root
    parts = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not parts:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    earlier = later = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            earlier, later = node_hash(part, earlier), node_hash(part, later)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            later = node_hash(later, part)
        place, last = place >> 1, last >> 1
    return last == 0 and earlier == first_root and later == second_root


def _left_of(count: int) -> int:
    """The largest power of two below `count`: how many leaves stand left of the root."""
    return 1 << (count - 1).bit_length() - 1
