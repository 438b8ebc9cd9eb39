"""How often a tenant may do what, route by route: a guard that counts before a body is read.

Counts are of one process. That is enough for what protects the process itself: several of them
serve so many times more, and allow so many times more. What protects other people, the checks of
API keys, is counted over all processes (`application.identity.api_keys`).

Invariant: a request that is refused here has done nothing, and is told when to come again.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from application.identity.rate_limit import TooOften
from interface.http.account.signed_in import address_of, caller_of
from interface.http.services import of
from interface.limits import COUNTED, Rate


def count(
    connection: ASGIConnection[Any, Any, Any, Any], rate: Rate, by_address: Rate | None = None
) -> None:
    """Count a try of whoever is signed in, and perhaps of all at their address. Raises TooOften."""
    services = of(connection.app.state)
    rates = services.settings.rates
    tenant = str(caller_of(connection).tenant_id)
    names = [((str(rate), tenant), rates[rate])]
    if by_address is not None:
        names.append(((str(by_address), address_of(connection)), rates[by_address]))
    seconds = services.throttle.take(*names)
    if seconds:
        raise TooOften(seconds, f"That was too often: {COUNTED[rate]}.")


class Counted:
    """A guard that counts whatever comes, good or not."""

    def __init__(self, rate: Rate, *, by_address: Rate | None = None) -> None:
        """Take what is counted for the tenant, and what for all of an address."""
        self._rate = rate
        self._by_address = by_address

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        """Count. Raises TooOften."""
        count(connection, self._rate, self._by_address)
