"""How often somebody may try to sign in, and who is counted together.

Invariant: strangers use up the tries of strangers only. A device that is known has tries of its
own, and goes on with everybody's when it has used them up; a network that is known is not counted
with those who try the same account from elsewhere.
"""

from typing import Final

from application.identity.account_ports import TooManyTries
from application.identity.devices import Device
from application.identity.rate_limit import Allowance, RateLimiter
from application.identity.security_log import SecurityLog

BY_PAIR: Final = Allowance(10, 15 * 60)
"""Tries of one address at one account."""
BY_ACCOUNT: Final = Allowance(60, 15 * 60)
"""Tries at one account, from networks that are not known."""
BY_ADDRESS: Final = Allowance(120, 15 * 60)
"""Tries from one address, at any account."""
BY_DEVICE: Final = Allowance(20, 15 * 60)
"""Tries on a known device, good ones included: each costs a hash."""
MAILS: Final = Allowance(3, 60 * 60)
"""Letters to one account that strangers ask for, and as many for each device that is known."""

Name = tuple[str, ...]


class SignInTries:
    """Counts them."""

    def __init__(self, throttle: RateLimiter, security: SecurityLog) -> None:
        """Take where they are counted, and who is told of locks."""
        self._throttle = throttle
        self._security = security

    def address(self, address: str) -> None:
        """Count what an address asks. Raises TooManyTries."""
        self._count({("address", address): BY_ADDRESS}, address=address)

    def pair(self, address: str, email: str) -> None:
        """Count a try of an address at an account. Raises TooManyTries."""
        pair = ("pair", address, email)
        self._count({pair: BY_PAIR, ("address", address): BY_ADDRESS}, address=address)

    def account(self, email: str, **about: object) -> None:
        """Count a try at an account from a network that it does not know. Raises TooManyTries."""
        self._count({("account", email): BY_ACCOUNT}, **about)

    def has_own(self, device: Device | None) -> bool:
        """Count a try of a device; False, and nothing counted, if it has none of its own left."""
        if device is None or self._throttle.wait(("device", device.nonce), BY_DEVICE) > 0:
            return False
        self._count({("device", device.nonce): BY_DEVICE})
        return True

    def letter(self, email: str, device: Device | None) -> bool:
        """Count a letter; False, and nothing counted, if there were enough."""
        name = ("letter", email, device.nonce if device else "")
        if self._throttle.wait(name, MAILS) > 0:
            return False
        self._throttle.count(name, MAILS)
        return True

    def forgive(self, address: str, email: str) -> None:
        """Begin anew for a pair: whoever signs in well has not guessed."""
        self._throttle.forget(("pair", address, email))

    def _count(self, buckets: dict[Name, Allowance], **about: object) -> None:
        longest = max(self._throttle.wait(name, allowed) for name, allowed in buckets.items())
        if longest > 0:
            raise TooManyTries(longest)
        for name, allowed in buckets.items():
            self._throttle.count(name, allowed)
            if (seconds := self._throttle.wait(name, allowed)) > 0:
                self._security.note("locked", name[0], seconds=round(seconds), **about)
