"""Gathers what a step may read: the feature's documents and files, from the log and the store.

Everything is read by the versions that the folded feature names, so that what an agent works on is
exactly what a person was shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from application.agents.material import Material, Message
from application.features import Features
from application.ports import ArtifactStore, EventLog
from application.stored_files import read_all_stored
from application.stretches import stretches
from domain import events as e
from domain.feature import Feature
from domain.recorded import Recorded
from domain.status import Step

REVIEWS: Final = frozenset({Step.SECURITY_REVIEW, Step.CODE_REVIEW})


class Materials:
    """Reads for agents what people see."""

    def __init__(self, features: Features, log: EventLog, artifacts: ArtifactStore) -> None:
        self._features = features
        self._log = log
        self._artifacts = artifacts

    async def gather(
        self, tenant_id: UUID, feature_id: UUID, step: Step, feature: Feature
    ) -> Material:
        """Everything that `step` may read of the feature as it stands."""
        content, rework = feature.content, feature.content.rework
        wanted = {
            "brief": content.brief.version if content.brief else None,
            "spec": content.spec.version if content.spec else None,
            "plan": content.plan.version if content.plan else None,
            "tests": content.tests.version if content.tests else None,
            "previous_spec": content.previous_spec,
            "previous_plan": content.previous_plan,
            "previous_tests": content.previous_tests,
            "implementation": content.implementation.version
            if content.implementation and step in REVIEWS
            else None,
            "previous_implementation": rework.implementation
            if rework and step is Step.IMPLEMENT
            else None,
            "security_report": rework.security_review if rework else None,
            "code_report": rework.code_review if rework else None,
        }
        versions = {version for version in wanted.values() if version is not None}
        found = await self._features.texts(tenant_id, feature_id, versions)
        named = {
            name: found[version].event for name, version in wanted.items() if version is not None
        }
        conversation: tuple[Message, ...] = ()
        if step is Step.CONVERSE:
            conversation = await self._conversation(tenant_id, feature_id, feature)
        return Material(
            feature=feature,
            conversation=conversation,
            files=await self._files(tenant_id, feature_id, named.get("implementation")),
            previous_files=await self._files(
                tenant_id, feature_id, named.get("previous_implementation")
            ),
            **_texts(named),
        )

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
        if not isinstance(event, e.ImplementationCompleted):
            return {}
        bodies = await read_all_stored(self._artifacts, tenant_id, feature_id, event.files)
        return {file.path: body.decode() for file, body in zip(event.files, bodies, strict=True)}


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


def _texts(named: Mapping[str, e.FeatureEvent]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name, event in named.items():
        match event:
            case e.BriefConfirmed(brief=brief) | e.BriefRevised(brief=brief):
                texts[name] = brief
            case e.SpecGenerated() | e.PlanGenerated() | e.TestsGenerated():
                texts[name] = event.document
                if not name.startswith("previous_"):
                    texts[f"{name}_markdown"] = event.markdown
            case e.SecurityReviewed(document=report) | e.CodeReviewed(document=report):
                texts[name] = report
            case _:
                pass
    return texts
