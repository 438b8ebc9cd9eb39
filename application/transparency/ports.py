"""What the tree head signer works with: the tree beside the log, the store of heads, the key.

Invariant: what these promise is what the signer's own invariants rest on; each says how it fails.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from application.ports import Unavailable
from application.transparency.tree import CompactRange
from application.transparency.tree_head import SignedTreeHead


class NoteRefused(Exception):
    """The note is not signed by the key of this log."""


class StoreUnfit(Unavailable):
    """The object store lets anybody overwrite what was stored: it knows no conditional writes.

    Nothing that must stay as it is can be kept there. Waiting does not mend it.
    """

    def __init__(self) -> None:
        super().__init__("the object store")

    def __str__(self) -> str:
        """What is missing, what follows, and what to do."""
        return (
            "The object store does not do conditional writes (If-None-Match: *), so no tree head "
            "of the log is signed: use a store that does, or a folder on another machine."
        )


class Grown(Struct, frozen=True):
    """How far the tree is."""

    size: int
    position: int
    """Of the last event in it."""
    peaks: tuple[bytes, ...]
    at: datetime
    """When it had grown to here, by the database's clock."""
    noted_size: int
    """The size of the newest tree head that is known to be in the store."""
    waiting: bool
    """Whether the log has events after `position`."""
    age_seconds: float
    """Since `at`."""
    lag_seconds: float
    """Since the oldest event without a tree head was recorded; 0 if there is none."""


class LogTree(Protocol):
    """The compact range over the log, kept beside it. Every method raises Unavailable."""

    async def state(self) -> Grown:
        """The tree as it is now."""

    async def leaves(
        self, after: int, limit: int, upto: int | None = None
    ) -> Sequence[tuple[int, bytes]]:
        """Positions and leaf hashes of what is next, below the high-water mark and `upto`."""

    async def advance(self, before: Grown, tree: CompactRange, position: int) -> Grown | None:
        """Put `tree` in the place of `before`.

        None, and nothing changed, when another signer was faster.
        """

    async def noted(self, size: int, position: int) -> None:
        """Remember that the tree head of this size is in the store."""


class TreeHeadStore(Protocol):
    """Signed tree heads by size, kept apart from the database. Every method raises Unavailable."""

    async def fit(self) -> bool:
        """Whether what is stored stays as it is, tried out once; False is final. See StoreUnfit."""

    async def put_new(self, size: int, note: bytes) -> bool:
        """Store durably. False, and nothing stored, when there is one of this size already.

        Raises StoreUnfit when the store cannot tell.
        """

    async def list(self, after: int = 0) -> Sequence[int]:
        """The sizes of all stored tree heads above `after`, smallest first."""

    async def get(self, size: int) -> bytes:
        """Read one. Raises ArtifactMissing."""


class Signer(Protocol):
    """The key of this log."""

    @property
    def origin(self) -> str:
        """The name of the log."""

    def sign(self, tree_head: SignedTreeHead) -> bytes:
        """The same note for the same tree head, always."""

    def read(self, note: bytes) -> SignedTreeHead:
        """What the note says. Raises NoteRefused, NotACheckpoint."""
