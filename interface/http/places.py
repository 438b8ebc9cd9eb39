"""Places for what keeps a connection for long: each kind has its own, for each tenant and address.

Invariant: a place is given back once, however its holder ends; what needs none is never behind it.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from interface.limits import Capacity, Room
from interface.shares import Shares

FULL: Final[Mapping[Room, str]] = {
    Room.LIVE: "Too many live streams are open. Close one: a single one, GET /api/live, "
    "tells of all features.",
    Room.TALK: "Too many answers are being written. Wait until one has ended.",
    Room.FILE: "Too many downloads are under way. Wait until one has ended.",
}
"""What to do when there is no place."""


class Holder(NamedTuple):
    """Who takes a place."""

    tenant_id: UUID
    address: str


class RequestPlaces:
    """The places of one kind: so many in all and for a tenant, and a fair share for an address."""

    def __init__(self, capacity: Capacity) -> None:
        """Take how many there are."""
        self._capacity = capacity
        self._shares = Shares(capacity.in_all)
        self._tenants: dict[UUID, int] = {}

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._shares.taken

    def take(self, holder: Holder) -> Callable[[], None] | None:
        """Take a place; the function that gives it back, or None when there is none left."""
        tenant, address = holder
        if self._tenants.get(tenant, 0) >= self._capacity.tenant or not self._shares.take(address):
            return None
        self._tenants[tenant] = self._tenants.get(tenant, 0) + 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if given_back:
                return
            given_back = True
            self._shares.give_back(address)
            self._tenants[tenant] -= 1
            if not self._tenants[tenant]:
                del self._tenants[tenant]

        return give_back


class AllPlaces:
    """The places of every kind."""

    def __init__(self, rooms: Mapping[Room, Capacity]) -> None:
        """Take how many there are of each."""
        self._of = {room: RequestPlaces(capacity) for room, capacity in rooms.items()}

    def __getitem__(self, room: Room) -> RequestPlaces:
        """Those of one kind."""
        return self._of[room]

    @property
    def taken(self) -> int:
        """How many of all kinds are taken now."""
        return sum(places.taken for places in self._of.values())
