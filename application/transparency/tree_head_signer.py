"""The tree head signer: lets the tree grow with the log, and keeps signed heads of it elsewhere.

Invariants: the tree grows only from a state whose tree head is stored; a stored tree head is
never overwritten; nothing is signed that a stored tree head contradicts. So whoever rewrites the
log after a tree head, and the tree with it, meets the tree head.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from application.ports import ArtifactMissing
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from application.transparency.ports import (
    Grown,
    LogTree,
    NoteRefused,
    Signer,
    StoreUnfit,
    TreeHeadStore,
)
from application.transparency.tree import CompactRange
from application.transparency.tree_head import SignedTreeHead

log = structlog.get_logger(__name__)

EVENTS_AT_ONCE: Final = 20_000
"""As many events as one growth takes in, so that a backlog gets tree heads on its way."""

PAGE: Final = 2_000
LARGEST: Final = 2**63
LOOKS_PER_TREE_HEAD: Final = 4
LAST_SECONDS: Final = 5.0
"""How long a process that was told to stop still tries to have the newest events signed."""

BEHIND_AFTER: Final = 3
"""So many intervals without a tree head are worth a warning."""

LATE_SECONDS: Final = 15.0


class LogContradicted(Exception):
    """The log says something else than a tree head that was signed: nothing more is signed."""


class TreeHeadSigner:
    """One of any number; of those that run, one works at a time."""

    def __init__(
        self,
        tree: LogTree,
        store: TreeHeadStore,
        signer: Callable[[], Awaitable[Signer]],
        *,
        every_seconds: float,
    ) -> None:
        """Take the tree, the store, where the key comes from, and the longest wait for a note."""
        self._tree = tree
        self._store = store
        self._load = signer
        self._signer: Signer | None = None
        self._refused = False
        self._every = every_seconds
        self.pulse = Pulse("notary", within_seconds=every_seconds * BEHIND_AFTER + LATE_SECONDS)
        self._outage = Outage(log, "checkpoint_postponed")

    def forget(self) -> None:
        """The log was set back, and its key perhaps with it."""
        self._signer = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the tree heads up until told to stop; then sign what is there, if it goes fast."""
        look = self._every / LOOKS_PER_TREE_HEAD
        pause = self._every - look
        while not stop.is_set():
            await self._look(pause)
            await is_set_within(stop, look)
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._look(0)
        except TimeoutError:
            log.warning("checkpoint_postponed", reason="told to stop")

    async def _look(self, pause: float) -> None:
        try:
            while await self.round(pause):
                continue
            self.pulse.beat()
            await self._warn_if_behind()
        except StoreUnfit as unfit:
            if not self._refused:
                log.error("checkpoints_refused", reason=str(unfit))  # noqa: TRY400 - no defect.
            self._refused = True
        except LogContradicted as contradiction:
            log.error("log_contradicts_its_checkpoint", reason=str(contradiction))  # noqa: TRY400
        except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
            self._outage.on(error)
        else:
            self._refused = False
            self._outage.over()

    async def round(self, pause: float) -> bool:
        """Look once, and do what is due; whether to look again at once.

        Args:
            pause: Seconds that have to lie between two growths.

        Raises:
            Unavailable: the database or the store does not answer; the next round goes on.
            StoreUnfit: the store would let others overwrite what is signed: nothing is signed.
            LogContradicted: a stored tree head says something else than the log.
        """
        state = await self._tree.state()
        pending = state.noted_size < state.size
        # Negative after the database's clock was set back: then it says nothing about when.
        due = state.waiting and not 0 <= state.age_seconds < pause
        if not pending and not due:
            return False
        if not await self._store.fit():
            raise StoreUnfit
        if ahead := await self._store.list(state.size):
            return await self._follow(ahead[-1])
        if state.size:
            await self._publish(state)
        return due and await self._grow(state)

    async def _grow(self, state: Grown) -> bool:
        """Take in what is there, and publish; whether another backlog of events is left."""
        while True:
            grown, position = await self._extended(state, state.size + EVENTS_AT_ONCE)
            if grown.size == state.size:
                return False
            now = await self._tree.advance(state, grown, position)
            if now is None:
                return True
            await self._publish(now)
            if grown.size < state.size + EVENTS_AT_ONCE:
                return False
            state = now

    async def _extended(
        self, state: Grown, size: int, upto: int | None = None
    ) -> tuple[CompactRange, int]:
        """The state's tree with further events, up to a size; and the position of the last."""
        grown, position = _range(state), state.position
        while grown.size < size:
            page = await self._tree.leaves(position, min(PAGE, size - grown.size), upto)
            for _, leaf in page:
                grown.append(leaf)
            if not page:
                break
            position = page[-1][0]
        return grown, position

    async def _publish(self, state: Grown) -> None:
        """Make sure that this state's tree head is in the store, and says the same."""
        signer = await self._key()
        ours = tree_head_of(state, signer.origin)
        if state.noted_size == state.size:
            await self._compare(ours)
            return
        if await self._store.put_new(state.size, signer.sign(ours)):
            log.info("checkpoint_stored", size=state.size, position=state.position)
        else:
            await self._compare(ours)
        await self._tree.noted(state.size, state.position)

    async def _follow(self, size: int) -> bool:
        """The store is ahead of the tree: grow to there, compare, and sign nothing.

        Another signer was faster, or the tree was set back; a log that was set back too, or
        changed since, shows here.
        """
        state = await self._tree.state()
        if state.size < size:
            theirs = await self._read(size)
            grown, position = await self._extended(state, LARGEST, theirs.position)
            ours = SignedTreeHead(theirs.origin, grown.size, grown.root(), position, theirs.at)
            if not ours.agrees_with(theirs):
                raise LogContradicted(
                    f"{LogContradicted.__doc__} Up to position {theirs.position} it has "
                    f"{grown.size} events; the tree head was made of {size}."
                )
            await self._tree.advance(state, grown, position)
            await self._tree.noted(size, position)
        return True

    async def _compare(self, ours: SignedTreeHead) -> None:
        theirs = await self._read(ours.size)
        if not ours.agrees_with(theirs):
            raise LogContradicted(
                f"{LogContradicted.__doc__} The tree head of {ours.size} events has another root "
                "than the tree: `log verify` names the place."
            )

    async def _read(self, size: int) -> SignedTreeHead:
        try:
            return (await self._key()).read(await self._store.get(size))
        except ArtifactMissing:
            raise LogContradicted(
                f"The tree head of {size} events was stored, and is gone from the store."
            ) from None
        except NoteRefused as refused:
            raise LogContradicted(f"The tree head of {size} events: {refused}") from None

    async def _key(self) -> Signer:
        if self._signer is None:
            self._signer = await self._load()
        return self._signer

    async def _warn_if_behind(self) -> None:
        lag = (await self._tree.state()).lag_seconds
        if lag > self._every * BEHIND_AFTER:
            log.warning("checkpoints_behind", seconds=round(lag))


def tree_head_of(state: Grown, origin: str) -> SignedTreeHead:
    """What is said of a state of the tree. Raises LogContradicted."""
    return SignedTreeHead(origin, state.size, _range(state).root(), state.position, state.at)


def _range(state: Grown) -> CompactRange:
    try:
        return CompactRange(state.size, state.peaks)
    except ValueError as error:
        raise LogContradicted(f"The stored tree is damaged: {error}.") from None
