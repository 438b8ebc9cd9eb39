"""What the round of a feature changed of the finished one before it.

Invariant: it is what the zip of that round tells, as far as the round has come.
"""

from uuid import UUID

from litestar import get

from application.delivery.changelog import Changelog, Told, changelog_of, versions_of
from domain.content import Content
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.requests.parameters import FeatureId
from interface.http.responses.as_of import AsOf, AsOfDependency, load_snapshot
from interface.http.services import Services
from interface.limits import Rate


@get(
    "/features/{feature_id:str}/changelog",
    summary="What this round changed",
    guards=[Counted(Rate.SEARCH)],
)
async def read_changelog(
    services: OfServices, tenant_id: OfTenant, feature_id: FeatureId, moment: AsOfDependency
) -> Changelog:
    """Points, requirements and files that changed since the last finished round, in words."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment)
    content = seen.row.state.content
    last = content.finished_round
    if last is None:
        return Changelog(content.round)
    then = await load_snapshot(services, tenant_id, feature_id, AsOf(last.ended))
    before = await _told(services, tenant_id, feature_id, then.row.state.content)
    now = await _told(services, tenant_id, feature_id, content)
    return await services.computing.run(tenant_id, changelog_of, content, before, now)


async def _told(services: Services, tenant_id: UUID, feature_id: UUID, content: Content) -> Told:
    versions = versions_of(content)
    found = await services.features.texts(tenant_id, feature_id, set(versions.values()))
    return {part: found[at].event for part, at in versions.items() if at in found}


HANDLERS = (read_changelog,)
