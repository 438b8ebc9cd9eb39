"""Strangers who try an account's password lock out strangers, and never its owner."""

from collections.abc import MutableMapping
from typing import Any

from application.identity.sign_in_tries import BY_ACCOUNT, BY_DEVICE, BY_PAIR
from tests.interface.http.account.test_auth import EMAIL, PASSWORD, cookies_of, signed_up
from tests.interface.world import Person, World

DEVICE = "__Host-bp_device"
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.200"
RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "wrong password"}


async def log_in(ann: Person, address: str, body: dict[str, str] = RIGHT, device: str = "") -> Any:
    """A try from an address, as a trusted proxy tells it, perhaps with a device's cookie."""
    headers = {"X-Forwarded-For": f"192.0.2.1, {address}"}
    if device:
        headers["Cookie"] = f"{DEVICE}={device}"
    return await ann.ask("POST", "/auth/login", json=body, headers=headers)


async def device_of(ann: Person, address: str = HOME) -> str:
    """The cookie of a device on which ann signed in."""
    return cookies_of(await log_in(ann, address))[DEVICE]


async def lock(ann: Person) -> None:
    """As many strangers as it takes."""
    for n in range(BY_ACCOUNT.tries // BY_PAIR.tries):
        for _ in range(BY_PAIR.tries):
            await log_in(ann, f"203.0.113.{n}", WRONG)
    assert (await log_in(ann, "203.0.113.100", WRONG)).status_code == 429


async def test_six_addresses_lock_out_strangers_and_not_a_known_device(
    ann: Person, world: World
) -> None:
    await signed_up(ann)
    device = await device_of(ann)
    await lock(ann)
    world.clock.forward(1)
    assert (await log_in(ann, ELSEWHERE)).status_code == 429
    known = await log_in(ann, ELSEWHERE, device=device)
    assert known.status_code == 200
    assert cookies_of(known)[DEVICE] != device, "it is good for longer now"


async def test_a_network_of_a_good_sign_in_is_known_without_a_cookie(ann: Person) -> None:
    await signed_up(ann)
    await device_of(ann, HOME)
    await lock(ann)
    assert (await log_in(ann, HOME)).status_code == 200
    for _ in range(BY_PAIR.tries):
        await log_in(ann, HOME, WRONG)
    assert (await log_in(ann, HOME)).status_code == 429, "it has tries of its own, and no more"


async def test_a_network_of_ipv6_addresses_is_known_as_one(ann: Person) -> None:
    await signed_up(ann)
    await device_of(ann, "2001:db8:1:2::7")
    await lock(ann)
    assert (await log_in(ann, "2001:db8:1:2:ffff::1")).status_code == 200
    assert (await log_in(ann, "2001:db8:1:3::7")).status_code == 429


async def test_a_device_is_known_for_the_account_it_was_signed_in_to(ann: Person) -> None:
    await signed_up(ann)
    body = {"email": "bob@example.org", "password": PASSWORD}
    assert (await ann.ask("POST", "/auth/signup", json=body)).status_code == 201
    bobs = cookies_of(await log_in(ann, HOME, body))[DEVICE]
    await lock(ann)
    assert (await log_in(ann, ELSEWHERE, device=bobs)).status_code == 429


async def test_two_people_share_a_browser(ann: Person) -> None:
    await signed_up(ann)
    body = {"email": "bob@example.org", "password": PASSWORD}
    await ann.ask("POST", "/auth/signup", json=body)
    anns = await device_of(ann)
    both = cookies_of(await log_in(ann, HOME, body, device=anns))[DEVICE]
    await lock(ann)
    assert (await log_in(ann, ELSEWHERE, device=both)).status_code == 200


async def test_what_nobody_signed_makes_no_device(ann: Person) -> None:
    await signed_up(ann)
    nonce, noted, tag = (await device_of(ann)).split("~")[0].split(".")
    changed = ((nonce + "x", noted, tag), (nonce, noted + "0", tag), (nonce, noted, tag[:-4]))
    forged = ["x", "~~~", "a.b.c", "a.1.", ".".join(["x" * 300] * 3), "%00", "a.9" * 400]
    await lock(ann)
    for device in (*forged, *map(".".join, changed)):
        assert (await log_in(ann, ELSEWHERE, device=device)).status_code == 429, device


async def test_a_device_has_tries_of_its_own_and_no_more(ann: Person) -> None:
    await signed_up(ann)
    device = await device_of(ann)
    await lock(ann)
    for _ in range(BY_DEVICE.tries):
        assert (await log_in(ann, ELSEWHERE, WRONG, device)).status_code == 401
    assert (await log_in(ann, ELSEWHERE, device=device)).status_code == 429


async def test_a_device_is_forgotten_after_half_a_year(ann: Person, world: World) -> None:
    await signed_up(ann)
    device = await device_of(ann)
    world.store.networks.clear()
    world.clock.forward(180 * 24 * 3600)
    await lock(ann)
    assert (await log_in(ann, ELSEWHERE, device=device)).status_code == 429


async def test_a_new_password_makes_devices_strangers_but_the_one_it_was_set_on(
    ann: Person, world: World
) -> None:
    """Whoever has the mailbox is let in, however many strangers have locked the account."""
    await signed_up(ann)
    before = await device_of(ann)
    await lock(ann)
    world.clock.forward(1)
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    token = world.letters.sent[0][2].partition("#token=")[2].split()[0]
    body = {"token": token, "password": "another long password"}
    answer = await ann.ask("POST", "/auth/password/reset", json=body)
    after = cookies_of(answer)[DEVICE]
    new = {"email": EMAIL, "password": "another long password"}
    assert (await log_in(ann, ELSEWHERE, new, before)).status_code == 429
    assert (await log_in(ann, ELSEWHERE, new, after)).status_code == 200


async def test_strangers_at_the_same_address_do_not_lock_out_a_known_device(ann: Person) -> None:
    await signed_up(ann)
    device = await device_of(ann)
    for n in range(120):
        body = {"email": f"stranger{n}@example.org", "password": "x"}
        await log_in(ann, HOME, body)
    assert (await log_in(ann, HOME)).status_code == 429
    assert (await log_in(ann, HOME, device=device)).status_code == 200
    asked = {"Cookie": f"{DEVICE}={device}", "X-Forwarded-For": HOME}
    forgot = await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL}, headers=asked)
    assert forgot.status_code == 202


async def test_a_lock_is_said_once_and_each_refusal_with_its_reason(
    ann: Person, logged: list[MutableMapping[str, Any]]
) -> None:
    await signed_up(ann)
    await lock(ann)
    locks = [entry for entry in logged if entry["event"] == "locked"]
    assert [entry["reason"] for entry in locks] == ["pair"] * 6 + ["account"]
    assert locks[-1]["account"]
    assert locks[-1]["log_level"] == "warning"
    refused = [entry for entry in logged if entry["event"] == "sign_in_refused"]
    reasons = [entry["reason"] for entry in refused]
    assert reasons == ["wrong_password"] * BY_ACCOUNT.tries + ["too_many_requests"]
    for secret in (EMAIL, PASSWORD, "wrong password"):
        assert secret not in str(logged)
