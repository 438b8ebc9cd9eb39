"""Places for streams, answers and downloads: each kind its own, and a fair share for everybody."""

from collections.abc import Callable
from uuid import UUID, uuid5

from hypothesis import given as forall
from hypothesis import strategies as st

from interface.addresses import network_of
from interface.http.places import AllPlaces, Holder, RequestPlaces
from interface.limits import LARGEST_CONNECTIONS, ROOMS, Capacity, Room, rooms_of
from interface.shares import Shares


def somebody(name: object, address: str = "192.0.2.1") -> Holder:
    return Holder(uuid5(UUID(int=0), str(name)), address)


def taken(places: RequestPlaces, *holders: Holder) -> list[Callable[[], None]]:
    """Places for as many of these as get one."""
    return [place for holder in holders if (place := places.take(holder)) is not None]


def test_a_tenant_has_so_many_and_gives_back_each_once() -> None:
    places = RequestPlaces(Capacity(in_all=100, tenant=2))
    mine = taken(places, *[somebody("ann")] * 5)
    assert (len(mine), places.taken) == (2, 2)
    for give_back in mine:
        give_back()
        give_back()
    assert places.taken == 0
    assert places.take(somebody("ann")) is not None


def test_fifty_accounts_of_one_address_leave_two_thirds_to_others() -> None:
    for room in Room:
        places = AllPlaces(ROOMS)[room]
        held = taken(places, *(somebody(n % 50) for n in range(50 * ROOMS[room].tenant)))
        assert len(held) <= ROOMS[room].in_all // 3 + 1
        assert places.take(somebody("bob", "192.0.2.2")) is not None


def test_a_full_kind_leaves_the_others_alone() -> None:
    places = AllPlaces(ROOMS)
    for n in range(10_000):
        places[Room.LIVE].take(somebody(n, f"address {n}"))
    assert places.taken == ROOMS[Room.LIVE].in_all
    assert places[Room.LIVE].take(somebody("bob")) is None
    assert places[Room.TALK].take(somebody("bob")) is not None
    assert places[Room.FILE].take(somebody("bob")) is not None


@forall(names=st.integers(1, 60), in_all=st.integers(60, 500))
def test_however_many_are_greedy_a_newcomer_gets_in(names: int, in_all: int) -> None:
    shares = Shares(in_all)
    for _ in range(in_all):
        for name in range(names):
            shares.take(name)
    held = [shares._held.get(name, 0) for name in range(names)]  # noqa: SLF001 - the point.
    assert max(held) - min(held) <= 1
    if in_all >= 3 * names:
        assert shares.take("newcomer")


@forall(steps=st.lists(st.tuples(st.booleans(), st.sampled_from([None, "a", "b", "c"]))))
def test_what_is_given_back_is_free_again(steps: list[tuple[bool, str | None]]) -> None:
    shares, held = Shares(8), []
    for takes, name in steps:
        if takes and shares.take(name):
            held.append(name)
        elif not takes and name in held:
            held.remove(name)
            shares.give_back(name)
        assert shares.taken == len(held) <= 8
    for name in held:
        shares.give_back(name)
    assert shares.taken == 0
    assert not shares._held  # noqa: SLF001 - nothing is kept of anybody.


def test_all_kinds_together_leave_connections_for_requests() -> None:
    for connections in (16, 128, 768, LARGEST_CONNECTIONS):
        rooms = rooms_of({}, connections)
        assert sum(capacity.in_all for capacity in rooms.values()) <= connections * 7 // 8
        assert all(capacity.in_all >= 1 for capacity in rooms.values())


def test_an_operator_changes_what_is_named_and_no_more() -> None:
    rooms = rooms_of({"live": {"tenant": 3}, "file": {"in_all": 7}})
    assert rooms[Room.LIVE] == Capacity(ROOMS[Room.LIVE].in_all, 3)
    assert rooms[Room.FILE] == Capacity(7, ROOMS[Room.FILE].tenant)
    assert rooms[Room.TALK] == ROOMS[Room.TALK]


def test_a_household_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of(None) == network_of("") == "unknown"
    assert len(network_of("x" * 1_000)) == 64
