"""What was spent, why, and what it would have cost at other prices.

Invariant: it only reads the log; no call is made, and no price of the record changes.
"""

from uuid import UUID

from litestar import get
from msgspec.structs import replace

from application.audit.usage import Usage, WhatIf
from domain.errors import NotFound
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.problems.table import Fault, refuse
from interface.http.requests.parameters import (
    AsModel,
    FeatureId,
    Prices,
    Since,
    Until,
    read_time,
)
from interface.http.services import Services
from interface.limits import Rate


@get("/usage", summary="What was spent", guards=[Counted(Rate.SEARCH)])
async def read_usage(
    services: OfServices,
    tenant_id: OfTenant,
    since: Since = None,
    until: Until = None,
    prices: Prices = None,
    as_model: AsModel = None,
) -> Usage:
    """Tokens and cost by agent, model, feature and day, and why each token was paid.

    Deleted features count, too. With `prices` or `as_model`, `what_if` says what the same tokens
    would have cost; nothing is asked of a model for that.
    """
    period = read_time("from", since), read_time("to", until)
    usage = await services.usages.of(tenant_id, *period, _what_if(services, prices, as_model))
    features = [UUID(share.name) for share in usage.by_feature]
    return replace(usage, titles=await services.audit.titles(tenant_id, features))


@get(
    "/features/{feature_id:str}/usage",
    summary="What a feature cost, and why",
    guards=[Counted(Rate.SEARCH)],
)
async def read_feature_usage(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    prices: Prices = None,
    as_model: AsModel = None,
) -> Usage:
    """The same sums for one feature, over all its life."""
    if await services.chain.living(tenant_id, feature_id) is None:
        raise NotFound
    what_if = _what_if(services, prices, as_model)
    return await services.usages.of_feature(tenant_id, feature_id, what_if)


def _what_if(services: Services, prices: str | None, as_model: str | None) -> WhatIf | None:
    """Other prices, if they are asked for. Raises HttpProblem: there is no such table."""
    if prices is None and as_model is None:
        return None
    table = services.usages.table(prices)
    if table is None:
        versions = ", ".join(services.usages.versions)
        raise refuse("invalid_request", errors=(Fault("prices", f"One of: {versions}"),))
    return WhatIf(table, as_model)


HANDLERS = (read_usage, read_feature_usage)
