"""How the database stands, told apart: what must be waited for, and what waiting would not mend.

Invariant: a server counts as ready only when it takes writes; a standby, or a primary that was made
read-only, is named as such, wherever it stands in an address with several hosts.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, NamedTuple

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from application.running.waiting import is_set_within

log = structlog.get_logger(__name__)

OLDEST: Final = 160_000
"""PostgreSQL 16, as libpq counts versions."""

FIRST_OF_TWO_PARTS: Final = 10
"""From here on versions have two parts; 9.6.24 counted as 90624."""

LOOK_SECONDS: Final = 2
"""For one attempt to connect to one host, and between two looks at a database that is away."""

WRITABLE: Final = frozenset({"read-write", "primary"})

_WORDS_OF_REFUSAL: Final = re.compile(
    r"authentication failed|no pg_hba\.conf entry|does not exist|no password supplied"
    r"|certificate|SSL is not enabled|does not support SSL|server requires"
    r"|permission denied for database|is not permitted to log in|sslmode"
)
"""What libpq says when trying again changes nothing. A server in another language is waited for."""

_WORDS_OF_ABSENCE: Final = re.compile(
    r"Connection refused|time-?out|timed out|could not translate|Name or service|No route"
    r"|unreachable|closed the connection|reset by peer|starting up|shutting down|in recovery"
    r"|not accepting connections|read-only|No such file"
)
"""What it says of a host that may come: with several, one that refuses is not the last word."""


class DatabaseStanding(StrEnum):
    """What can be said about the database."""

    READY = "ready"
    READ_ONLY = "read_only"
    """A standby, or a server whose `default_transaction_read_only` is on."""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """It answers, and does not let us in: credentials, database name, or encryption."""
    TOO_OLD = "too_old"

    @property
    def mends_itself(self) -> bool:
        """Whether it is waited for: somebody promotes a server, or starts it again."""
        return self in {DatabaseStanding.READ_ONLY, DatabaseStanding.UNREACHABLE}


SAID: Final = {
    DatabaseStanding.READ_ONLY: "database_read_only",
    DatabaseStanding.UNREACHABLE: "database_unreachable",
    DatabaseStanding.REFUSED: "database_refused",
    DatabaseStanding.TOO_OLD: "database_too_old",
}


class Look(NamedTuple):
    """What was seen, and the server's own words if it did not let us in."""

    standing: DatabaseStanding
    detail: str = ""

    def sentence(self) -> str:
        """One line for an operator that says what to do."""
        match self.standing:
            case DatabaseStanding.READY:
                return "The database takes writes."
            case DatabaseStanding.READ_ONLY:
                return (
                    "No host in BP_DATABASE_URL takes writes (a standby, or "
                    "default_transaction_read_only is on): name the primary, or promote one."
                )
            case DatabaseStanding.UNREACHABLE:
                return f"The database does not answer: {self.detail}"
            case DatabaseStanding.REFUSED:
                return f"The database refuses the connection: {self.detail}"
            case DatabaseStanding.TOO_OLD:
                return self.detail


class ServerTooOld(Exception):
    """The server's version of PostgreSQL is not supported."""

    def __init__(self, version: int) -> None:
        """Take the version as libpq counts it: 150018 is 15.18."""
        major, minor = divmod(version, 10_000)
        if major < FIRST_OF_TWO_PARTS:
            minor //= 100
        super().__init__(
            f"PostgreSQL {major}.{minor} is too old: BP_DATABASE_URL must name version "
            f"{OLDEST // 10_000} or later."
        )


def writable(url: str) -> str:
    """The address, for connections to a host that takes writes only; the others are passed over."""
    wanted = str(conninfo_to_dict(url).get("target_session_attrs") or "")
    return make_conninfo(url, target_session_attrs=wanted if wanted in WRITABLE else "read-write")


def refuse_old(version: int) -> None:
    """Raise ServerTooOld for a server before `OLDEST`. The version is `connection.info`'s."""
    if version < OLDEST:
        raise ServerTooOld(version)


def look(url: str) -> Look:
    """Connect once, and again without asking for writes if none are taken. Never raises."""
    try:
        with psycopg.connect(writable(url), connect_timeout=LOOK_SECONDS) as connection:
            refuse_old(connection.info.server_version)
    except ServerTooOld as old:
        return Look(DatabaseStanding.TOO_OLD, str(old))
    except psycopg.Error as error:
        return _without_writes(url, error)
    return Look(DatabaseStanding.READY)


def _without_writes(url: str, error: psycopg.Error) -> Look:
    said = " ".join(str(error).split())
    try:
        asked = make_conninfo(url, target_session_attrs="any")
        with psycopg.connect(asked, connect_timeout=LOOK_SECONDS) as connection:
            refuse_old(connection.info.server_version)
    except ServerTooOld as old:
        return Look(DatabaseStanding.TOO_OLD, str(old))
    except psycopg.Error:
        final = _WORDS_OF_REFUSAL.search(said) and not _WORDS_OF_ABSENCE.search(said)
        return Look(DatabaseStanding.REFUSED if final else DatabaseStanding.UNREACHABLE, said)
    return Look(DatabaseStanding.READ_ONLY)


class DatabaseWatch:
    """What one process knows of its database; each change is one line in the log."""

    def __init__(self, url: str, *, look: Callable[[str], Look] = look) -> None:
        """Take the address; nothing is asked yet."""
        self._url = url
        self._look = look
        self.standing = DatabaseStanding.UNREACHABLE
        """As seen last."""
        self._said = DatabaseStanding.READY
        self._was_ready = False

    async def look(self) -> Look:
        """Look now, and say what changed."""
        seen = await asyncio.to_thread(self._look, self._url)
        self.standing = seen.standing
        if seen.standing is not self._said:
            self._tell(seen)
        self._was_ready |= seen.standing is DatabaseStanding.READY
        return seen

    def _tell(self, seen: Look) -> None:
        if seen.standing is DatabaseStanding.READY:
            log.info("database_ready_again")
        elif seen.standing.mends_itself or self._was_ready:
            waits = "this process waits for it"
            log.warning(SAID[seen.standing], detail=seen.sentence(), consequence=waits)
        # Otherwise the process ends, with that sentence as its one line.
        self._said = seen.standing

    async def wait(self, stop: asyncio.Event) -> Look:
        """Look until it takes writes, or refuses what waiting does not mend, or `stop` is set."""
        while True:
            seen = await self.look()
            if not seen.standing.mends_itself or stop.is_set():
                return seen
            await is_set_within(stop, LOOK_SECONDS)

    async def follow(self, answers: Callable[[], Awaitable[bool]], stop: asyncio.Event) -> None:
        """Say when the database goes and when it comes back, until told to stop.

        Args:
            answers: Tells cheaply, over a connection that is there, whether all is well.
            stop: Set when it is time to stop.
        """
        while not stop.is_set():
            if self.standing is not DatabaseStanding.READY or not await answers():
                await self.look()
            await is_set_within(stop, LOOK_SECONDS)
