"""Read models by property: whatever was commanded, rows follow from the log alone."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from domain import events as e
from domain.feature import Feature
from domain.pipeline import DISPENSABLE
from domain.runs import Run, Tokens
from domain.status import Status, Step
from projections.breadcrumb import STAGE_OF
from projections.catalogue import PROJECTIONS
from projections.dashboard import DASHBOARD
from projections.feature import FEATURE
from projections.message import MESSAGE
from projections.projection import Rows, Touched, apply
from projections.run import RUN, Outcome
from tests.domain.test_feature_properties import MOVES, lived
from tests.examples import examples
from tests.projections.given_events import FEATURE_ID, all_rows_after, fact_of, facts_of

LIVES = st.lists(MOVES, max_size=60)
MANY = settings(max_examples=examples(120), deadline=None)
ALL_EVENTS = get_args(e.FeatureEvent)

st.register_type_strategy(
    Run,
    st.builds(
        Run,
        st.builds(Tokens, *[st.integers(0, 10**6)] * 4),
        st.decimals(0, 100, places=4),
        st.floats(0, 600),
        st.integers(0, 30),
    ),
)


def stored(rows: Rows, row_type: type) -> Rows:
    """Rows after a round through JSON, as the database gives them back."""
    return {
        item: msgspec.json.decode(msgspec.json.encode(row), type=row_type)
        for item, row in rows.items()
    }


@MANY
@forall(LIVES, st.integers(1, 9))
def test_rows_folded_page_by_page_through_storage_equal_rows_folded_at_once(moves, size):
    facts = facts_of(lived(moves)[0].events)
    for projection in PROJECTIONS:
        rows: Rows = {}
        for begin in range(0, len(facts), size):
            for fact in facts[begin : begin + size]:
                apply(projection, rows, fact)
            rows = stored(rows, projection.row)
        assert rows == all_rows_after(facts)[projection.name]


@MANY
@forall(LIVES)
def test_a_row_changes_only_if_its_projection_says_that_the_fact_touches_it(moves):
    facts = facts_of(lived(moves)[0].events)
    for projection in PROJECTIONS:
        everything = msgspec.structs.replace(
            projection, touched=lambda f, p=projection: Touched(p.touched(f).own, every=True)
        )
        narrow: Rows = {}
        wide: Rows = {}
        for fact in facts:
            apply(projection, narrow, fact)
            apply(everything, wide, fact)
            assert narrow == wide


@MANY
@forall(LIVES)
def test_after_a_replay_rows_show_what_they_showed_at_its_target(moves):
    facts = facts_of(lived(moves)[0].events)
    for n, fact in enumerate(facts):
        if not isinstance(fact.event, e.FeatureReplayed | e.FeatureRetried):
            continue
        then = all_rows_after(facts[: fact.event.to_version])
        now = all_rows_after(facts[: n + 1])
        before, after = then["feature"][""], now["feature"][""]
        rework = isinstance(fact.event, e.FeatureRetried)
        for field in ("status", "deliverables", "approvals", "recommendation", "files_version"):
            assert getattr(after, field) == getattr(before, field)
        assert after.failure is None
        assert after.breadcrumb == before.breadcrumb
        assert after.actions == before.actions
        for field in ("status", "actions", "recommendation", "failure"):
            if not rework:
                assert getattr(now["dashboard"][""], field) == getattr(then["dashboard"][""], field)
        seen_then = [row for row in then["message"].values() if before.shows(row.version)]
        seen_now = [row for row in now["message"].values() if after.shows(row.version)]
        assert seen_now == seen_then


@MANY
@forall(LIVES)
def test_every_read_model_agrees_with_the_domain(moves):
    story, states = lived(moves)
    facts = facts_of(story.events)
    rows: dict[str, Rows] = {projection.name: {} for projection in PROJECTIONS}
    for fact, feature in zip(facts, states[1:], strict=True):
        for projection in PROJECTIONS:
            apply(projection, rows[projection.name], fact)
        agree(rows, feature)


def agree(rows: dict[str, Rows], feature: Feature) -> None:
    if feature.status is Status.DELETED:
        assert not any(rows.values())
        return
    detail, glance = rows[FEATURE.name][""], rows[DASHBOARD.name][""]
    for field in ("status", "version", "epoch"):
        assert getattr(detail, field) == getattr(glance, field) == getattr(feature, field)
    for field in ("title", "cost_usd", "created_at", "updated_at", "actions"):
        assert getattr(detail, field) == getattr(glance, field)
    assert glance.stopped == (feature.stopped is not None) == ("resume" in glance.actions)
    assert [m.version for m in detail.checkpoints] == [c.version for c in feature.checkpoints]
    assert detail.state.content == feature.content
    assert (detail.failure is not None) == (feature.status is Status.FAILED)
    assert glance.failure == (detail.failure.code if detail.failure else None)
    advised = detail.recommendation.verdict if detail.recommendation else None
    assert glance.recommendation == advised
    assert (detail.state.due, detail.state.running) == (feature.due, feature.running)
    runs = rows[RUN.name].values()
    running = {(r.step, r.epoch, r.attempt) for r in runs if r.outcome is Outcome.RUNNING}
    assert running == {(a.step, a.epoch, a.number) for a in feature.running.values()}
    assert sum(r.cost_usd for r in runs) == detail.cost_usd
    assert 0 <= detail.superseded_cost_usd <= detail.cost_usd
    assert len({r.id for r in runs}) == len(runs)
    for item, row in rows[MESSAGE.name].items():
        assert int(item) == row.version


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=lambda t: t.__struct_config__.tag)
def test_every_event_is_taken_by_every_read_model_with_and_without_rows(event_type):
    @settings(max_examples=examples(6), deadline=None)
    @forall(st.from_type(event_type), st.integers(0, 3))
    def holds(event, seed):
        facts = facts_of(lived([(2, 0), (7, 0), (9, 0), (7, 1), (4, 1)][: seed + 2])[0].events)
        for projection in PROJECTIONS:
            apply(projection, {}, fact_of(event, 1))
            rows: Rows = {}
            for fact in facts:
                apply(projection, rows, fact)
            apply(projection, rows, fact_of(event, len(facts) + 1))
            assert stored(rows, projection.row) == rows

    holds()


def test_the_union_of_events_is_walked_whole():
    assert len(ALL_EVENTS) == len({t.__struct_config__.tag for t in ALL_EVENTS}) > 20


def test_rows_of_one_feature_never_name_another():
    fact = fact_of(e.FeatureCreated("Tools"), 1)
    for projection in PROJECTIONS:
        rows: Rows = {}
        apply(projection, rows, fact)
        for row in rows.values():
            assert getattr(row, "id", FEATURE_ID) == FEATURE_ID


def test_every_step_that_can_fail_a_feature_has_a_stage():
    assert set(STAGE_OF) == set(Step) - DISPENSABLE
