"""Which finished feature is delivered, and where its log ends.

Invariant: what is delivered depends on the content alone: a rename after the verdict, or going back
to it, delivers the very bytes that the verdict delivered.
"""

from typing import Final
from uuid import UUID

from application.delivery.changelog import versions_of
from application.delivery.checker import PARTS
from application.delivery.dossier import Finished
from application.features import Features
from domain.content import Content
from domain.errors import NotFound, NotNow
from domain.pipeline import REVIEWS
from domain.status import Gate, Status, Verdict


async def finished(
    features: Features,
    tenant_id: UUID,
    feature_id: UUID,
    version: int | None = None,
    *,
    undecided: bool = False,
) -> Finished:
    """The feature as it is finished now, or was at a version.

    Args:
        features: Where it is.
        tenant_id: Whose it is.
        feature_id: Which one.
        version: As it was then; None: as it is.
        undecided: Whether one is meant whose reviews came to no verdict, instead.

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
    verdict = _verdict(content)
    wanted = Verdict.UNDECIDED if undecided else Verdict.PASS
    if verdict is not wanted or len(versions) < len(PARTS):
        raise NotNow(_NOTHING[wanted], feature.status)
    found = await features.texts(tenant_id, feature_id, set(versions.values()))
    parts = {part: found[place] for part, place in versions.items()}
    last = content.finished_round
    then = (await features.as_of(tenant_id, feature_id, last.ended)).content if last else Content()
    left = versions_of(then)
    texts = await features.texts(tenant_id, feature_id, set(left.values()))
    before = {part: texts[place] for part, place in left.items()}
    # The verdict stands right behind the later review; what was said after it is no part of it.
    end = max(versions[part] for part in REVIEWS) + 1
    return Finished(feature_id, end, parts, verdict, content, before)


_NOTHING: Final = {
    Verdict.PASS: "There is nothing to download yet: the code is ready once both reviews pass.",
    Verdict.UNDECIDED: (
        "There is nothing to download as not passed: that is for code whose reviews came to no "
        "verdict."
    ),
}


def _verdict(content: Content) -> Verdict | None:
    """What both reviews came to; None while one is missing."""
    made = [review.verdict for review in map(content.review, REVIEWS) if review]
    if content.status is Status.DONE:
        return Verdict.PASS
    if content.status is not Status.FAILED or len(made) < len(REVIEWS):
        return None
    return Verdict.FAIL if Verdict.FAIL in made else Verdict.UNDECIDED
