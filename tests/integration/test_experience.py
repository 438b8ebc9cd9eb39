"""A tenant's recorded runs, from a real log."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from domain import commands as c
from domain.status import Gate, Step
from infrastructure.audit.past_runs import PostgresPastRuns
from tests.given import RUN, at_gate, done
from tests.integration.reading import World, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def test_runs_are_told_the_newest_first_also_of_deleted_and_forked_features(there: World):
    whole = await there.tell(done())
    gone = await there.tell(at_gate(Gate.SPEC).do(c.DeleteFeature()))
    parent = at_gate(Gate.PLAN)
    fork = parent.fork(parent.feature.version)
    for gate in (Gate.SPEC, Gate.PLAN):
        fork.approve(gate)
    fork.work(Step.TESTS)
    forked = await there.tell(fork)
    await there.tell(done(), tenant=uuid4())
    runs = await PostgresPastRuns(there.reading).recent(there.tenant)
    assert [(run.feature_id, run.step) for run in runs] == [
        (forked, Step.TESTS),
        (gone, Step.SPEC),
        (whole, Step.CODE_REVIEW),
        (whole, Step.SECURITY_REVIEW),
        (whole, Step.IMPLEMENT),
        (whole, Step.TESTS),
        (whole, Step.PLAN),
        (whole, Step.SPEC),
    ]
    assert {run.model for run in runs} == {"claude-sonnet-5-5"}
    assert {(run.tokens, run.requests) for run in runs} == {(RUN.tokens, RUN.turns)}
    content = fork.feature.content
    assert runs[0].reads == (content.spec.version, content.plan.version)
    texts = await there.log.at(there.tenant, forked, runs[0].reads)
    assert [text.type for text in texts.values()] == ["part_carried", "part_carried"]
