"""Whether the log is still the one that this process knows.

A database may come back with less than it had: after a failover to a standby that lagged behind,
after a restore, from an older copy of its files. Then what processes remember is in no log, and
what people deleted is there again. So each process remembers where the log stood, by the hashes of
events, and looks about once a second whether they are there; and no process works on a database
that came back before somebody has looked.

Invariants: an incarnation of the database (see `app.incarnation`) is worked on only once a process
has vouched for it; nobody vouches before what signed notes say was destroyed is destroyed in it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import structlog
from msgspec import Struct

from application.ports import Unavailable
from application.running.pulse import Pulse
from application.running.waiting import any_set_within

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
RECENT: Final = 64
"""So many of the newest events are remembered; of older ones fewer and fewer."""
TELL_AGAIN_SECONDS: Final = 30.0
LATE_SECONDS: Final = 15.0
"""The database may be away for ten."""

Places = Sequence[tuple[int, bytes]]
"""Positions with the hashes of their events."""


class Stand(Struct, frozen=True):
    """What the database says of itself and of the log."""

    incarnation: str
    """Which database this is, in which run of its server."""
    vouched: bool
    """Whether a process has vouched for it."""
    system: str
    """The cluster, as PostgreSQL names it."""
    timeline: int | None
    """Grows with every failover and point-in-time recovery."""
    end: int
    """The position of the last event; 0 if there is none."""
    lost: Sequence[int]
    """Which of the places that were asked for hold another event, or none."""
    ahead: int | None
    """A position that another table has seen, whose event the log does not hold."""
    newest: Places
    """The last events, oldest first."""
    gaps: Sequence[tuple[int, int]]
    """After and up to which positions events were lost, in every set-back that is known."""
    noted_size: int
    """Size of the newest signed checkpoint that the database knows."""


class JudgedDatabase(Protocol):
    """The database, whether it is vouched for or not. Every method raises Unavailable."""

    async def look(self, places: Places) -> Stand:
        """How things stand, and which of these events the log does not hold."""

    async def vouch(self, incarnation: str, by: str, loss: "Loss | None") -> bool:
        """Vouch for an incarnation; False if it is another one by now.

        After a loss, what rests on lost events goes from the tables beside the log.
        """


class Outside(Protocol):
    """What is kept outside of the database. Every method raises Unavailable."""

    async def restore_deletions(self, *, newest_only: bool) -> int | None:
        """Delete again what is deleted by signed notes the database does not know.

        Of all notes, or of those newer than any it knows. The highest position they name; None if
        there are none.
        """

    async def covered(self, beyond: int) -> int:
        """The last position that a signed checkpoint of more than `beyond` events covers, or 0."""


class Loss(NamedTuple):
    """What a set-back took."""

    after: int
    """Every event up to this position is still there."""
    upto: int
    """The highest position that is known to be lost."""


class Continuity:
    """One process's memory of the log, and whom to tell when it is wrong."""

    def __init__(self, by: str = "") -> None:
        """Name the process. Nothing is trusted before the first look."""
        self.set_backs = 0
        """How often this process found the log set back."""
        self._by = by
        self._database: JudgedDatabase | None = None
        self._outside: Outside | None = None
        self._places: dict[int, bytes] = {}
        self._gaps: Sequence[tuple[int, int]] = ()
        self._found: list[Loss] = []
        self._noticed_in = ""
        self._pending: Loss | None = None
        self._trusted: set[str] = set()
        self._told: list[Callable[[], None]] = []
        self._doubt = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking = asyncio.Lock()
        self._said_at = -TELL_AGAIN_SECONDS
        self.pulse = Pulse("continuity", within_seconds=LATE_SECONDS)

    def bind(self, database: JudgedDatabase, outside: Outside | None) -> None:
        """Say where to look; without `outside`, others vouch, and are waited for."""
        self._database, self._outside = database, outside

    def on_set_back(self, forget: Callable[[], None]) -> None:
        """Call this whenever the log was set back: what was remembered is in no log."""
        self._told.append(forget)

    def trusts(self, incarnation: str) -> bool:
        """Whether to work on an incarnation of the database; if not, it is looked at soon.

        For threads too.
        """
        if incarnation in self._trusted:
            return True
        self.doubt()
        return False

    def saw(self, position: int, event_hash: bytes) -> None:
        """Remember that this event is in the log."""
        self._places[position] = event_hash

    def doubt(self) -> None:
        """Something remembered is not in the log: look at once. For threads too."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._doubt.set)

    def is_gap(self, position: int) -> bool:
        """Whether the event at a position was lost in a set-back: its reader starts over."""
        return any(after < position <= upto for after, upto in self._gaps)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
                self.pulse.beat()
            except Unavailable as down:
                self._postponed(down)
            await any_set_within((stop, self._doubt), LOOK_SECONDS)

    async def look(self) -> None:
        """Look once. Raises Unavailable."""
        if self._database is None:
            return
        self._loop = asyncio.get_running_loop()
        async with self._looking:
            self._doubt.clear()
            places = sorted(self._places.items())
            await self._judge(self._database, places, await self._database.look(places))

    async def _judge(self, database: JudgedDatabase, places: Places, stand: Stand) -> None:
        loss = _loss(places, stand, self._gaps)
        if loss is not None:
            # Before anybody may work on it, and whether or not the evidence outside can be read.
            self._noticed(loss, stand)
        elif (news := self._news(stand)) is not None:
            self._noticed(news, stand)
        loss = _both(self._pending, loss)
        if self._outside is not None and (loss or not stand.vouched):
            self._pending = loss
            loss = await self._compared(self._outside, stand, loss, whole=not places)
            if not await database.vouch(stand.incarnation, self._by, loss):
                self._doubt.set()
                return
            self._pending = None
        elif not stand.vouched:
            return
        self._gaps = [*stand.gaps, *self._found]
        self._trusted.add(stand.incarnation)
        for position in stand.lost:
            self._places.pop(position, None)
        self._places.update(stand.newest)
        self._places = dict(_thinned(sorted(self._places.items())))

    async def _compared(
        self, outside: Outside, stand: Stand, loss: Loss | None, *, whole: bool
    ) -> Loss | None:
        """What is missing, also by the evidence outside; lost deletions are made again.

        Whoever remembers the log and finds all of it looks at the newest evidence only, and goes
        on without when it cannot be read; so does who finds an empty log, with nothing to show.
        """
        whole = whole or loss is not None
        try:
            destroyed = await outside.restore_deletions(newest_only=not whole)
            covered = await outside.covered(stand.noted_size)
        except Unavailable:
            if whole and stand.end:
                raise
            return loss
        if destroyed is None and covered <= stand.end:
            return loss
        upto = max(destroyed or 0, covered if covered > stand.end else 0)
        found = Loss(stand.end, max(upto, stand.end))
        if loss is None:
            self._noticed(found, stand)
        return _both(loss, found)

    def _news(self, stand: Stand) -> Loss | None:
        """What others found lost while this process was working, and had not seen itself."""
        new = [gap for gap in stand.gaps if gap not in self._gaps]
        if not new or not self._trusted or self._noticed_in == stand.incarnation:
            return None
        return Loss(min(after for after, _ in new), max(upto for _, upto in new))

    def _noticed(self, loss: Loss, stand: Stand) -> None:
        self.set_backs += 1
        self._noticed_in = stand.incarnation
        self._found.append(loss)
        self._gaps = [*self._gaps, loss]
        log.error(
            "log_set_back",
            held_upto=loss.after,
            lost_upto=loss.upto,
            end=stand.end,
            timeline=stand.timeline,
            system=stand.system,
            consequence="what was remembered of it is forgotten",
        )
        for position in [position for position in self._places if position > loss.after]:
            del self._places[position]
        for forget in self._told:
            forget()

    def _postponed(self, down: Unavailable) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= TELL_AGAIN_SECONDS:
            self._said_at = now
            log.warning("continuity_unknown", reason=str(down))


def _loss(places: Places, stand: Stand, known: Sequence[tuple[int, int]]) -> Loss | None:
    """What the log does not hold of what was remembered, here or in another table."""
    if stand.lost:
        first = min(stand.lost)
        held = [position for position, _ in places if position < first]
        after = max(held) if held else min(first - 1, stand.end)
        return Loss(after, max(position for position, _ in places))
    ahead = stand.ahead
    if ahead is not None and not any(upto >= ahead for _, upto in (*stand.gaps, *known)):
        return Loss(min(stand.end, ahead - 1), ahead)
    return None


def _both(one: Loss | None, other: Loss | None) -> Loss | None:
    if one is None or other is None:
        return one or other
    return Loss(min(one.after, other.after), max(one.upto, other.upto))


def _thinned(places: Places) -> Places:
    """The newest, and of older ones the fewer, the more there are."""
    older, recent = places[:-RECENT], places[-RECENT:]
    while len(older) > RECENT:
        older = older[::2]
    return [*older, *recent]
