"""Gathers what a step may read: the feature's documents and files, from the log and the store.

Everything is read by the versions that the folded feature names, so that what an agent works on is
exactly what a person was shown.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from msgspec.structs import replace

from application.agents.points import reading_in
from application.agents.step_inputs import Message, StepInputs
from application.delivery.stored_files import read_all_stored
from application.execution.standing import Standings
from application.features import Features
from application.ports import ArtifactStore, EventLog
from application.running.computing import Computing
from application.running.stretches import stretches
from domain import events as e
from domain.comments import Comment
from domain.content import Content, Deliverable, Rework
from domain.feature import Feature
from domain.pipeline import REVIEWS, row_of
from domain.recorded import Recorded
from domain.status import Agent, Gate, Input, Step

K = TypeVar("K", Gate, Step)
_Name: TypeAlias = str | tuple[str, Gate | Step]
"""What is looked for: one of its kind, or one for each gate or review."""


class InputLoader:
    """Reads for agents what people see."""

    def __init__(
        self,
        features: Features,
        log: EventLog,
        artifacts: ArtifactStore,
        computing: Computing,
    ) -> None:
        self._features = features
        self._standings = Standings(features, artifacts, computing)
        self._log = log
        self._artifacts = artifacts

    async def load_inputs(
        self, tenant_id: UUID, feature_id: UUID, step: Step, feature: Feature
    ) -> StepInputs:
        """Everything that `step` may read of the feature as it stands."""
        content, rework = feature.content, feature.content.rework
        reads = row_of(step, content.mode).reads
        implementation = content.implementation if Input.FILES in reads else None
        earlier = rework.implementation if rework else content.base
        accepted = content.accepted if Input.ACCEPTED_FILES in reads else None
        wanted: dict[_Name, int | None] = {
            "brief": content.brief.version if content.brief else None,
            "previous_brief": content.previous_brief if Input.PREVIOUS_SPEC in reads else None,
            "files": implementation.version if implementation else None,
            "previous_files": earlier if Input.PREVIOUS_FILES in reads else None,
            "accepted_files": accepted,
            "comments": content.comments if Input.COMMENTS in reads else None,
            **{("document", gate): _version(content.deliverable(gate)) for gate in Gate},
            **{("previous", gate): content.previous(gate) for gate in Gate},
            **{("report", one): rework.review(one) if rework else None for one in REVIEWS},
            **dict(_mending(content, frozen=Input.MAY_CHANGE in reads)),
        }
        versions = {name: version for name, version in wanted.items() if version is not None}
        found = await self._features.texts(tenant_id, feature_id, set(versions.values()))
        named = {name: found[version].event for name, version in versions.items()}
        conversation: tuple[Message, ...] = ()
        if Input.CONVERSATION in reads:
            conversation = await self._conversation(tenant_id, feature_id, feature)
        may_change = _may_change(named.get("may_change"))
        inputs = StepInputs(
            feature=feature,
            brief=getattr(named.get("brief"), "brief", ""),
            recorded_reading=reading_in(named.get("brief")),
            previous_reading=reading_in(named.get("previous_brief")),
            conversation=conversation,
            documents=_column(named, "document", Gate, "document"),
            markdowns=_column(named, "document", Gate, "markdown"),
            previous=_column(named, "previous", Gate, "document"),
            comments=_comments(named.get("comments")),
            reports=_column(named, "report", REVIEWS, "document"),
            files=await self._files(tenant_id, feature_id, named.get("files")),
            previous_files=await self._files(tenant_id, feature_id, named.get("previous_files")),
            accepted_files=await self._files(tenant_id, feature_id, named.get("accepted_files")),
            refused_files=_refused(named.get("files") or named.get("previous_files")),
            earlier_reports=tuple(
                _column(named, f"report {number}", REVIEWS, "document")
                for number, _ in enumerate(_earlier(content))
            ),
            may_change=may_change,
            frozen=_frozen(named.get("previous_files"), may_change),
        )
        if Input.FROZEN not in reads:
            return inputs
        content = inputs.feature.content
        if not content.rounds or content.base is None:
            return inputs
        written = (inputs.spec, inputs.plan, inputs.tests)
        standing = await self._standings.of(
            tenant_id, feature_id, content.base, inputs.points, written
        )
        return replace(inputs, standing=standing)

    async def _conversation(
        self, tenant_id: UUID, feature_id: UUID, feature: Feature
    ) -> tuple[Message, ...]:
        messages: list[Message] = []
        async for stretch in stretches(self._log, tenant_id, feature_id):
            messages += _said(stretch, feature)
        return tuple(messages)

    async def _files(
        self, tenant_id: UUID, feature_id: UUID, event: e.FeatureEvent | None
    ) -> Mapping[str, str]:
        if not isinstance(event, e.ImplementationCompleted | e.AttemptFailed | e.RunDiscarded):
            return {}
        bodies = await read_all_stored(self._artifacts, tenant_id, feature_id, event.files)
        return {file.path: body.decode() for file, body in zip(event.files, bodies, strict=True)}


def _earlier(content: Content) -> Sequence[Rework]:
    """What the reviews found that failed before the last, while the same code was mended."""
    return content.mending.reviews[:-1] if content.mending else ()


def _mending(content: Content, *, frozen: bool) -> Iterator[tuple[_Name, int | None]]:
    if content.mending and content.rework and frozen:
        yield "may_change", content.mending.version
    for number, rework in enumerate(_earlier(content)):
        for step in REVIEWS:
            yield (f"report {number}", step), rework.review(step)


def _may_change(event: e.FeatureEvent | None) -> tuple[str, ...]:
    return event.files if isinstance(event, e.MendingStarted | e.MendingStopped) else ()


def _frozen(
    event: e.FeatureEvent | None, may_change: Collection[str]
) -> Mapping[str, e.FileWritten]:
    """The files that stand, and may not change while others are mended."""
    if not may_change or not isinstance(event, e.ImplementationCompleted):
        return {}
    return {
        file.path: file
        for file in event.files
        if file.by is Agent.IMPLEMENTER and file.path not in may_change
    }


def _comments(event: e.FeatureEvent | None) -> tuple[Comment, ...]:
    return event.comments if isinstance(event, e.RewriteRequested) else ()


def _refused(event: e.FeatureEvent | None) -> tuple[e.RefusedFile, ...]:
    return event.refused if isinstance(event, e.ImplementationCompleted) else ()


def _said(stretch: Iterable[Recorded], feature: Feature) -> Iterator[Message]:
    """What of a stretch is a visible message."""
    for recorded in stretch:
        if not feature.content.shows(recorded.version):
            continue
        match e.told(recorded.event):
            case e.MessagePosted(message_id=message_id, text=text):
                yield Message("user", text, str(message_id))
            case e.AgentReplied(message_id=message_id, text=text) as reply:
                said = "\n\n".join(filter(None, (text, _asked(reply), reply.brief_markdown)))
                yield Message("agent", said, str(message_id))
            case _:
                pass


def _asked(reply: e.AgentReplied) -> str:
    return reply.question.question if reply.question else ""


def _version(made: Deliverable | None) -> int | None:
    return made.version if made else None


def _column(
    named: Mapping[_Name, e.FeatureEvent], kind: str, keys: Iterable[K], field: str
) -> dict[K, Any]:
    """A field of the events that were found for these keys."""
    return {key: getattr(named[kind, key], field) for key in keys if (kind, key) in named}
