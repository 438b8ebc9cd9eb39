"""Every limit of the HTTP side, with its unit: how long, how large, how many, how often.

Invariant: these numbers stand here and nowhere else (those of API keys in
`application.identity.api_keys`); the tables of the documentation are made from them, and the
settings `BP_CONNECTIONS`, `BP_PLACES` and `BP_RATES` change them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from application.identity.api_keys import KEY_CHECKS, KEY_REJECTIONS
from application.identity.rate_limit import Allowance

HEAD_SECONDS: Final = 10.0
"""From a connection, or the first byte of a further request, to a complete head."""
HEAD_BYTES: Final = 64 * 1024
HEADERS: Final = 100
IDLE_SECONDS: Final = 15.0
"""Between two requests of one connection."""
PROXY_IDLE_SECONDS: Final = 150.0
"""The same for a trusted proxy: longer than proxies keep one, so that none meets a closed one."""
BODY_SECONDS: Final = 30.0
BODY_BYTES: Final = 256 * 1024
PACE_SECONDS: Final = 10.0
PACE_BYTES_PER_SECOND: Final = 1024
"""What a client sends and takes at least when it is its turn; the slowest phones do more."""
SEND_SECONDS: Final = 30.0
"""A client that takes nothing, or less than the pace, for so long is gone."""
LINGER_SECONDS: Final = 2.0
"""How long what a client still sends is thrown away, so that it can read the answer."""
REFUSED_AT_ONCE: Final = 64
"""Refused connections that get an answer at the same time; more are closed without."""
PIPELINED: Final = 16
"""Requests that wait on one connection for the answer to the one before."""

LONGEST_SECONDS: Final = 7 * 24 * 3_600.0
"""Over which anything is counted."""

LARGEST_CONNECTIONS: Final = 4_096
OPERATOR_CONNECTIONS: Final = 32
RESERVED_FILES: Final = 128
"""Open files for databases, models and objects: so many, or a quarter of what the process may."""
FEWEST_CONNECTIONS: Final = 16


def connections_for(open_files: int) -> int:
    """How many connections a process takes that may have so many files open."""
    spare = max(RESERVED_FILES, open_files // 4)
    return max(FEWEST_CONNECTIONS, min(LARGEST_CONNECTIONS, open_files - spare))


class Room(StrEnum):
    """What keeps a connection for long: each kind has places of its own."""

    LIVE = "live"
    TALK = "talk"
    FILE = "file"


class Capacity(NamedTuple):
    """How many at once in one process, in all and for one tenant."""

    in_all: int
    tenant: int


ROOMS: Final[Mapping[Room, Capacity]] = {
    Room.LIVE: Capacity(2_000, 40),
    Room.TALK: Capacity(500, 8),
    Room.FILE: Capacity(64, 4),
}
ROOM_SHARES: Final[Mapping[Room, int]] = {Room.LIVE: 2, Room.TALK: 4, Room.FILE: 8}
"""Each room takes at most one part in so many of the connections; the rest is for requests."""

IN_ROOMS: Final[Mapping[Room, str]] = {
    Room.LIVE: "live streams: of a feature, of all features",
    Room.TALK: "answers of the assistant under way",
    Room.FILE: "downloads and exports under way",
}


class Rate(StrEnum):
    """What is counted over time."""

    CREATE = "create"
    CREATE_BY_ADDRESS = "create_by_address"
    RENAME = "rename"
    DECIDE = "decide"
    TALK = "talk"
    STREAM = "stream"
    DOWNLOAD = "download"
    SEARCH = "search"
    KEY_CHECK = "key_check"
    KEY_REJECTED_BY_ADDRESS = "key_rejected_by_address"


RATES: Final[Mapping[Rate, Allowance]] = {
    Rate.CREATE: Allowance(300, 600.0),
    Rate.CREATE_BY_ADDRESS: Allowance(900, 1_800.0),
    Rate.RENAME: Allowance(300, 300.0),
    Rate.DECIDE: Allowance(300, 60.0),
    Rate.TALK: Allowance(60, 60.0),
    Rate.STREAM: Allowance(240, 60.0),
    Rate.DOWNLOAD: Allowance(60, 60.0),
    Rate.SEARCH: Allowance(120, 60.0),
    Rate.KEY_CHECK: KEY_CHECKS,
    Rate.KEY_REJECTED_BY_ADDRESS: KEY_REJECTIONS,
}

COUNTED: Final[Mapping[Rate, str]] = {
    Rate.CREATE: "features begun, forks included, by one tenant",
    Rate.CREATE_BY_ADDRESS: "the same by all tenants of one address together",
    Rate.RENAME: "renames by one tenant",
    Rate.DECIDE: "briefs, readings, previews, approvals, comments, edits, revisions, stops, "
    "retries, goings back and deletions by one tenant",
    Rate.TALK: "messages to the assistant by one tenant",
    Rate.STREAM: "live streams opened by one tenant",
    Rate.DOWNLOAD: "downloads and exports by one tenant",
    Rate.SEARCH: "looks through the log, certificates, comparisons, reasons of lines and "
    "usage pages by one tenant",
    Rate.KEY_CHECK: "API keys checked with the provider, by one account; over all processes",
    Rate.KEY_REJECTED_BY_ADDRESS: "API keys that the provider rejected, from one address; "
    "over all processes",
}

LARGEST_COUNTED: Final = 100_000
"""Names of tenants and addresses that a process counts for; some 20 MB."""
LOOKS_AT_ONCE: Final = 2
"""Looks of streams into the log under way at the same time: others find a connection free."""
LOOKS_PER_SECOND: Final = 100
"""Looks of streams without messages, all together: with many open, each looks less often."""


def rates_of(given: Mapping[str, str]) -> Mapping[Rate, Allowance]:
    """The rates in force: ours, with what an operator set as `TRIES/SECONDS`.

    Raises:
        ValueError: there is no such rate, or it is none.
    """
    changed = {Rate(name): _allowance(name, text) for name, text in given.items()}
    return {**RATES, **changed}


def rooms_of(
    given: Mapping[str, Mapping[str, int]], connections: int = LARGEST_CONNECTIONS
) -> Mapping[Room, Capacity]:
    """The rooms in force: ours, with what an operator set, in no more than their connections.

    Raises:
        ValueError: there is no such room or field, or it has no place.
    """
    changed = {Room(name): _capacity(ROOMS[Room(name)], fields) for name, fields in given.items()}
    rooms = {**ROOMS, **changed}
    return {
        room: capacity._replace(in_all=min(capacity.in_all, connections // ROOM_SHARES[room]))
        for room, capacity in rooms.items()
    }


def _allowance(name: str, text: str) -> Allowance:
    tries, slash, seconds = text.partition("/")
    try:
        made = Allowance(int(tries), float(seconds))
    except ValueError:
        slash = ""
        made = Allowance(0, 0)
    if not slash or made.tries < 1 or not 0 < made.seconds <= LONGEST_SECONDS:
        raise ValueError(f"{name} must be tries per seconds, such as 200/600")
    return made


def _capacity(ours: Capacity, fields: Mapping[str, int]) -> Capacity:
    unknown = set(fields) - set(Capacity._fields)
    if unknown:
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
    made = ours._replace(**fields)
    if min(made) < 1:
        raise ValueError("a room has one place at least")
    return made


OF_CONNECTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("a head to come", f"{HEAD_SECONDS:g} s", "closed"),
    ("a head", f"{HEAD_BYTES // 1024} KiB, {HEADERS} headers", "431, closed"),
    ("a body to come", f"{BODY_SECONDS:g} s", "408, closed"),
    (
        "the pace of a body",
        f"{PACE_BYTES_PER_SECOND} bytes a second, looked at every {PACE_SECONDS:g} s",
        "408, closed",
    ),
    ("a body", f"{BODY_BYTES // 1024} KiB", "413, closed"),
    (
        "the next request to begin",
        f"{IDLE_SECONDS:g} s; {PROXY_IDLE_SECONDS:g} s for a trusted proxy",
        "closed",
    ),
    (
        "the pace at which answers are taken, streams included",
        f"{PACE_BYTES_PER_SECOND} bytes a second, looked at every {SEND_SECONDS:g} s",
        "cut off",
    ),
    ("requests waiting for the answer to another one", str(PIPELINED), "429, closed"),
    ("a body that was answered before it was read", f"{LINGER_SECONDS:g} s", "closed"),
    (
        "connections of one process",
        (
            f"as many as it may have files open, less {RESERVED_FILES} or a quarter, "
            f"{LARGEST_CONNECTIONS} at most; or `BP_CONNECTIONS`"
        ),
        "503, closed",
    ),
    ("connections from one address", "half as many as are free", "429, closed"),
)
"""What there is a limit for, the limit, and what happens beyond it: for the documentation."""
