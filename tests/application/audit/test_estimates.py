"""Whatever a feature has lived through: a decision is estimated, or refused as it would be."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from application.agents.table import agent_configs_of
from application.audit.estimate import Basis
from application.audit.estimates import Estimates
from application.audit.past_runs import RecordedRun, recorded_runs
from application.execution.model_access import Choice
from application.identity.api_keys import KeyDescription
from domain import commands as c
from domain import events as e
from domain.content import sha256_of
from domain.decider import decide
from domain.errors import Refused
from domain.feature import Feature
from domain.recorded import Recorded
from domain.status import Gate, Step
from tests.application.audit.test_estimate import traces
from tests.domain.test_feature_properties import MOVES, lived
from tests.examples import examples
from tests.given import Story, at_gate, done

TENANT, FEATURE = UUID(int=2), UUID(int=1)


class Known:
    """A feature, its texts, its recorded runs, and a key: all that estimates ask for."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def load(self, tenant_id: UUID, feature_id: UUID) -> Feature:
        return self.story.feature

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        return {version: self._at(version) for version in versions}

    async def recent(self, tenant_id: UUID) -> Sequence[RecordedRun]:
        return recorded_runs(traces(self.story))

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        return KeyDescription(configured=True)

    def _at(self, version: int) -> Recorded:
        event = e.told(self.story.events[version - 1])
        ids = (UUID(int=3), UUID(int=4), None)
        when = datetime(2026, 1, 1, tzinfo=UTC)
        return Recorded(
            version,
            TENANT,
            FEATURE,
            version,
            ids[0],
            "",
            1,
            event,
            "",
            ids[1],
            None,
            when,
            b"",
            b"",
        )


def estimates(story: Story) -> Estimates:
    known = Known(story)
    return Estimates(known, known, known, Choice.AUTO, agent_configs_of())


def decisions(feature: Feature) -> list[c.FeatureCommand]:
    """Everything that a person may think of deciding."""
    shown = [(gate, feature.content.deliverable(gate)) for gate in Gate]
    return [
        c.ConfirmBrief("x"),
        c.ReviseBrief("x"),
        c.RetryFeature(),
        *(c.Approve(gate, one.content_sha256 if one else sha256_of("")) for gate, one in shown),
        *(c.ReplayFeature(point.version) for point in feature.checkpoints),
    ]


@settings(max_examples=examples(60), deadline=None)
@forall(st.lists(MOVES, max_size=50), st.integers(0, 40_000))
def test_whatever_has_happened_a_decision_is_estimated_or_refused_as_it_would_be(moves, length):
    story, _ = lived(moves)
    before = list(story.events)

    async def all_of_them() -> None:
        for command in decisions(story.feature):
            try:
                decide(command, story.feature)
            except Refused as refusal:
                with pytest.raises(type(refusal)):
                    await estimates(story).of(TENANT, FEATURE, command, length)
                continue
            found = await estimates(story).of(TENANT, FEATURE, command, length)
            assert 0 <= found.low_usd <= found.high_usd
            assert (found.basis is Basis.NOTHING) is (not found.steps)

    asyncio.run(all_of_them())
    assert story.events == before


async def test_a_title_that_is_there_is_not_paid_for_again():
    untitled = at_gate(Gate.SPEC)
    titled = at_gate(Gate.SPEC).do(c.RenameFeature("Mine"))
    for story, expected in ((untitled, True), (titled, False)):
        found = await estimates(story).of(TENANT, FEATURE, c.ReviseBrief("x"), 100)
        assert (Step.TITLE in {step.step for step in found.steps}) is expected


async def test_a_fork_that_has_gates_to_pass_again_costs_nothing_until_the_last():
    story = done()
    tests = story.feature.content.tests.version
    fork = story.fork(tests)
    for gate in Gate:
        shown = fork.feature.content.deliverable(gate).content_sha256
        found = await estimates(fork).of(TENANT, FEATURE, c.Approve(gate, shown))
        assert (found.high_usd > Decimal(0)) is (gate is Gate.TESTS)
        fork.approve(gate)
