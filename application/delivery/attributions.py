"""Reads what is needed to say why lines are there, computes it apart, and remembers it.

Invariant: what is remembered is named by the hashes of everything that it follows from, and by its
tenant; so it is never an old one.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.agents.points import reading_in
from application.delivery.attribution import Attribution, attribution_of
from application.delivery.dossier import markdown_of
from application.delivery.points_said import SaidPoint, points_said
from application.delivery.stored_files import read_what_is_there
from application.delivery.structure import ReadStructure, Structure
from application.delivery.trace import Trace, trace_of
from application.delivery.writings import Writings, writings_of
from application.features import Features
from application.ports import ArtifactStore
from application.running.computing import Computing
from application.running.recent import Recent
from application.running.single_flight import SingleFlight
from domain import events as e
from domain.content import Content
from domain.documents import Plan, Tests
from domain.errors import NotNow
from domain.recorded import Recorded

REMEMBERED: Final = 64
"""Attributions that are kept; each is some hundred kilobytes at most."""
NOTHING_YET: Final = "There is no specification yet: nothing stands on the brief."

_Question: TypeAlias = tuple[UUID, UUID, tuple[tuple[int, str] | None, ...]]


class Ground(Struct, frozen=True):
    """What follows from the log alone."""

    trace: Trace
    points: tuple[SaidPoint, ...]
    writings: Writings
    plan: Plan | None
    """The plan that stands."""
    plans: dict[int, Plan]
    files: tuple[e.FileWritten, ...]
    tests: dict[str, str]
    """The texts of the tests, while there is no code."""


class Attributions:
    """Why lines are there, of features that are asked about."""

    def __init__(
        self,
        features: Features,
        artifacts: ArtifactStore,
        computing: Computing,
        read_structure: ReadStructure,
    ) -> None:
        self._features = features
        self._artifacts = artifacts
        self._computing = computing
        self._read_structure = read_structure
        self._kept: Recent[_Question, Attribution] = Recent(REMEMBERED)
        self._asked: SingleFlight[Attribution] = SingleFlight()

    async def of(self, tenant_id: UUID, feature_id: UUID, content: Content) -> Attribution:
        """The attribution of a feature with this content.

        Raises:
            NotNow: there is no specification yet.
            Unavailable: it could not be computed, or the log or the store does not answer.
        """
        made = (content.brief, content.spec, content.plan, content.tests, content.implementation)
        if content.brief is None or content.spec is None:
            raise NotNow(NOTHING_YET, content.status)
        question = (
            tenant_id,
            feature_id,
            tuple((one.version, one.content_sha256) if one else None for one in made),
        )
        known = self._kept.find(question)
        if known is not None:
            return known

        async def computed() -> Attribution:
            found = await self._compute(tenant_id, feature_id, content)
            self._kept.keep(question, found)
            return found

        return await self._asked.do(question, computed)

    def forget(self) -> None:
        """Remember nothing: the log was set back."""
        self._kept.clear()

    async def _compute(self, tenant_id: UUID, feature_id: UUID, content: Content) -> Attribution:
        made = (content.brief, content.spec, content.plan, content.tests, content.implementation)
        versions = [one.version if one else None for one in made]
        upto = max(version for version in versions if version is not None)
        events = await self._features.history(tenant_id, feature_id, upto)
        ground = await self._computing.run(tenant_id, ground_of, tuple(events), tuple(versions))
        version = versions[-1]
        now = {file.sha256: file for file in ground.files}
        wanted = (
            ground.writings.wanted(version, [file.path for file in ground.files])
            if version is not None
            else {}
        )
        bodies = await read_what_is_there(
            self._artifacts, tenant_id, feature_id, (wanted | now).values()
        )
        texts = {
            file.path: bodies[file.sha256].decode("utf-8", "replace")
            for file in ground.files
            if file.sha256 in bodies
        }
        structure: Structure = await self._computing.run(
            tenant_id, self._read_structure, texts or ground.tests, ground.plan
        )
        return await self._computing.run(
            tenant_id,
            attribution_of,
            ground.trace,
            ground.points,
            structure,
            ground.writings,
            version,
            bodies,
            ground.plans,
        )


def ground_of(events: tuple[Recorded, ...], versions: tuple[int | None, ...]) -> Ground:
    """What follows from a feature's first events.

    Args:
        events: Up to the last of the versions.
        versions: Of the brief, specification, plan, tests and code that stand, or None.
    """
    told = {one.version: e.told(one.event) for one in events}
    brief, spec, plan, tests, code = (told.get(v) if v is not None else None for v in versions)
    assert isinstance(spec, e.SpecWritten)  # noqa: S101
    assert brief is not None  # noqa: S101
    planned = plan.document if isinstance(plan, e.PlanWritten) else None
    tested = tests.document if isinstance(tests, e.TestsWritten) else Tests("", ())
    files = code.files if isinstance(code, e.ImplementationCompleted) else ()
    words, reading = markdown_of(brief), reading_in(brief)
    plan_or_none = planned or Plan("", (), ())
    trace = trace_of(words, spec.document, plan_or_none, tested, files, reading)
    return Ground(
        trace,
        points_said(events, versions[0] or 0),
        writings_of(events),
        planned,
        _plans(events),
        files,
        {file.path: file.content for file in tested.files},
    )


def _plans(events: Sequence[Recorded]) -> dict[int, Plan]:
    told = ((one.version, e.told(one.event)) for one in events)
    return {at: event.document for at, event in told if isinstance(event, e.PlanWritten)}
