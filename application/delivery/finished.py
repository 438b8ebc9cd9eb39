"""Which finished feature is delivered, and where its log ends.

Invariant: what is delivered depends on the content alone: a rename after the verdict, or going back
to it, delivers the very bytes that the verdict delivered.
"""

from uuid import UUID

from application.delivery.checker import PARTS
from application.delivery.dossier import Finished
from application.features import Features
from domain.errors import NotFound, NotNow
from domain.pipeline import REVIEWS
from domain.status import Gate, Status


async def finished(
    features: Features, tenant_id: UUID, feature_id: UUID, version: int | None = None
) -> Finished:
    """The feature as it is finished now, or was at a version.

    Raises:
        NotFound: there is no such feature.
        NotNow: it is not done yet, or was not then.
    """
    feature = await features.load(tenant_id, feature_id)
    if feature.version == 0 or feature.status is Status.DELETED:
        raise NotFound
    if version is not None and version < feature.version:
        feature = await features.as_of(tenant_id, feature_id, version)
    content = feature.content
    made = (
        content.brief,
        *map(content.deliverable, Gate),
        content.implementation,
        *map(content.review, REVIEWS),
    )
    versions = {part: each.version for part, each in zip(PARTS, made, strict=True) if each}
    if feature.status is not Status.DONE or len(versions) < len(PARTS):
        raise NotNow(
            "There is nothing to download yet: the code is ready once both reviews pass.",
            feature.status,
        )
    found = await features.texts(tenant_id, feature_id, set(versions.values()))
    parts = {part: found[place] for part, place in versions.items()}
    return Finished(feature_id, content.checkpoint, parts)
