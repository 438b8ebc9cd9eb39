"""The application that stands, which changes are measured against, for agents and people.

Invariant: it is the application of exactly one recorded implementation, with the brief and the
documents that it was built from.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from application.agents.freezing import Frozen, changed_since, texts_of
from application.agents.points import reading_in
from application.delivery.stored_files import read_all_stored
from application.ports import ArtifactStore
from application.running.computing import Computing
from domain import documents as d
from domain import events as e
from domain.feature import Feature
from domain.impact import Base, ImpactKind, Stale, impact_of
from domain.reading import BriefPoint
from domain.recorded import Recorded
from domain.status import Gate


class PastFeatures(Protocol):
    """Features as they were, and what was written for them (`application.features.Features`)."""

    async def as_of(self, tenant_id: UUID, feature_id: UUID, version: int) -> Feature:
        """The feature as it was at a version."""

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at these versions."""


class KindPreview(Struct, frozen=True):
    """What a change touches of one kind."""

    kind: ImpactKind
    changes: tuple[Stale, ...]
    """With the ids that led to each."""
    stays: tuple[str, ...]
    """What surely stays as it is."""


class ChangePreview(Struct, frozen=True):
    """What a changed brief would touch of the application that stands."""

    points: tuple[str, ...] = ()
    """Points that are changed, new or gone."""
    kinds: tuple[KindPreview, ...] = ()
    """Empty if there is no application yet that the change could be measured against."""


class Standings:
    """Measures changes against what stands."""

    def __init__(
        self, features: PastFeatures, artifacts: ArtifactStore, computing: Computing
    ) -> None:
        """Take where it is recorded and stored, and where it is computed."""
        self._features = features
        self._artifacts = artifacts
        self._computing = computing

    async def of(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        implementation: int,
        points: Sequence[BriefPoint],
        documents: tuple[d.Spec | None, d.Plan | None, d.Tests | None] = (None, None, None),
    ) -> Frozen | None:
        """What a brief makes stale of an implementation; None if its documents are not there.

        Args:
            tenant_id: Whose.
            feature_id: Which feature.
            implementation: Version of the implementation that stands.
            points: Of the brief that takes the place of the one it was built from.
            documents: What was written for that brief already.

        Raises:
            Unavailable: it could not be read or computed now.
        """
        built = (await self._features.as_of(tenant_id, feature_id, implementation)).content
        made = [built.brief, *(built.deliverable(gate) for gate in Gate), built.implementation]
        versions = [one.version for one in made if one is not None]
        if len(versions) < len(made):
            return None
        found = await self._features.texts(tenant_id, feature_id, versions)
        brief, spec, plan, tests, code = (found[version].event for version in versions)
        reading = reading_in(brief)
        if (
            reading is None
            or not isinstance(spec, e.SpecWritten)
            or not isinstance(plan, e.PlanWritten)
            or not isinstance(tests, e.TestsWritten)
            or not isinstance(code, e.ImplementationCompleted)
        ):
            return None
        bodies = await read_all_stored(self._artifacts, tenant_id, feature_id, code.files)
        files = {one.path: body.decode() for one, body in zip(code.files, bodies, strict=True)}
        was, now = texts_of(reading.points, points)
        base = Base(was, spec.document, plan.document, tests.document, files)
        also = changed_since(base, *documents)
        impact = await self._computing.run(tenant_id, impact_of, base, now, also)
        return Frozen(base, impact, code.files)

    async def preview(
        self, tenant_id: UUID, feature: Feature, feature_id: UUID, points: Sequence[BriefPoint]
    ) -> ChangePreview:
        """What a brief would touch if it were confirmed now. Raises as `of`."""
        content = feature.content
        code = content.implementation
        version = code.version if code else content.base
        standing = version and await self.of(tenant_id, feature_id, version, points)
        if not standing:
            return ChangePreview()
        impact = standing.impact
        kinds = (KindPreview(kind, impact.stale[kind], impact.stays[kind]) for kind in ImpactKind)
        return ChangePreview(impact.points, tuple(kinds))
