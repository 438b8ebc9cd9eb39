"""Estimates by property: never less than nothing, never less for more, honest about their basis."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.table import agent_configs_of
from application.audit.estimate import NEWEST, TYPICAL, Ahead, Basis, PastStep, estimate, scaled
from application.audit.past_runs import READS, TELLING, RunTrace, recorded_runs
from application.execution.model_access import Choice, agent_configs_for, demo_agent_configs
from domain import commands as c
from domain import events as e
from domain.pipeline import AGENT_OF, DUE_AFTER, RESULT_OF, until_a_person
from domain.status import Gate, Step
from tests.given import RUN, Story, answer, at_gate, attempt_of, done, drafted, start

FEATURE = UUID(int=1)
AGENT_CONFIGS = agent_configs_of()
STEPS = st.sampled_from(list(Step))
LENGTHS = st.integers(0, 2_000_000)
MONEY = st.decimals(0, 1_000, places=6)


def ahead_of(step: Step, length: int, agent_configs: AgentConfigs = AGENT_CONFIGS) -> Ahead:
    agent = AGENT_OF[step]
    return Ahead(step, agent, agent_configs[agent].model, 9_000, length)


@st.composite
def pasts(draw: st.DrawFn) -> list[PastStep]:
    def one(step: Step, cost: Decimal, length: int | None) -> PastStep:
        return PastStep(step, AGENT_CONFIGS[AGENT_OF[step]].model, cost, length)

    return draw(st.lists(st.builds(one, STEPS, MONEY, st.none() | LENGTHS), max_size=25))


@forall(st.lists(STEPS, max_size=4, unique=True), LENGTHS, pasts(), st.decimals(0, 1, places=3))
def test_of_which_only_a_part_is_written_anew_the_lower_bound_is_that_part(
    steps, length, past, share
):
    whole = estimate([ahead_of(step, length) for step in steps], past, AGENT_CONFIGS)
    part = scaled(whole, dict.fromkeys(steps, share))
    assert 0 <= part.low_usd <= whole.low_usd
    assert part.high_usd == whole.high_usd
    assert part.low_usd == sum((step.low_usd for step in part.steps), Decimal(0))
    assert scaled(whole, {}) == whole


@forall(st.lists(STEPS, max_size=4, unique=True), LENGTHS, LENGTHS, pasts())
def test_an_estimate_is_never_negative_and_never_less_for_a_longer_input(steps, length, more, past):
    short = estimate([ahead_of(step, length) for step in steps], past, AGENT_CONFIGS)
    long = estimate([ahead_of(step, length + more) for step in steps], past, AGENT_CONFIGS)
    for one in (short, long):
        assert 0 <= one.low_usd <= one.high_usd
        assert one.low_usd == sum((step.low_usd for step in one.steps), Decimal(0))
        assert one.high_usd == sum((step.high_usd for step in one.steps), Decimal(0))
        assert one.runs == sum(step.runs for step in one.steps)
    assert short.low_usd <= long.low_usd
    assert short.high_usd <= long.high_usd
    assert (short.basis, short.runs) == (long.basis, long.runs)


@forall(STEPS, LENGTHS, pasts())
def test_it_says_what_it_rests_on(step, length, past):
    like = [run for run in past if run.step is step]
    found = estimate([ahead_of(step, length)], past, AGENT_CONFIGS)
    assert found.runs == min(len(like), NEWEST)
    assert found.basis is (Basis.RUNS if like else Basis.PRICES)
    if not like:
        assert found.high_usd > 0


@forall(STEPS, LENGTHS, MONEY)
def test_what_one_like_run_has_cost_lies_in_the_range(step, length, cost):
    past = [PastStep(step, AGENT_CONFIGS[AGENT_OF[step]].model, cost, length)]
    found = estimate([ahead_of(step, length)], past, AGENT_CONFIGS)
    assert found.low_usd <= cost <= found.high_usd


def test_more_runs_that_agree_narrow_the_range():
    run = PastStep(Step.PLAN, AGENT_CONFIGS[AGENT_OF[Step.PLAN]].model, Decimal(1), 500)
    widths = []
    for runs in (1, 3, NEWEST):
        found = estimate([ahead_of(Step.PLAN, 500)], [run] * runs, AGENT_CONFIGS)
        widths.append(found.high_usd - found.low_usd)
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_runs_of_another_model_or_step_are_no_measure():
    model = AGENT_CONFIGS[AGENT_OF[Step.PLAN]].model
    others = [
        PastStep(Step.PLAN, "another", Decimal(9), 1),
        PastStep(Step.SPEC, model, Decimal(9), 1),
    ]
    found = estimate([ahead_of(Step.PLAN, 500)], others, AGENT_CONFIGS)
    assert found == estimate([ahead_of(Step.PLAN, 500)], [], AGENT_CONFIGS)


@forall(st.lists(STEPS, min_size=1, max_size=4, unique=True), LENGTHS, pasts())
def test_a_model_without_a_price_has_no_estimate_rather_than_a_wrong_one(steps, length, past):
    agent = AGENT_OF[steps[0]]
    nameless = agent_configs_of({agent.value: {"model": "claude-unheard-of"}})
    ran = [*past, PastStep(steps[0], "claude-unheard-of", Decimal(1), length)]
    found = estimate([ahead_of(step, length, nameless) for step in steps], ran, nameless)
    assert (found.basis, found.low_usd, found.high_usd) == (Basis.UNPRICED, None, None)
    assert found.unpriced == ("claude-unheard-of",)
    for one in found.steps:
        assert (one.high_usd is None) is (one.model == "claude-unheard-of")


def test_the_demo_model_costs_nothing_whatever_was_recorded():
    agent_configs = demo_agent_configs(AGENT_CONFIGS)
    past = [PastStep(Step.PLAN, agent_configs[AGENT_OF[Step.PLAN]].model, Decimal(3), 100)]
    found = estimate([ahead_of(Step.PLAN, 100, agent_configs)], past, agent_configs)
    assert (found.basis, found.low_usd, found.high_usd) == (Basis.DEMO, 0, 0)
    assert estimate([], past, agent_configs).basis is Basis.NOTHING


@pytest.mark.parametrize(
    ("choice", "key", "demo"),
    [
        (Choice.AUTO, True, False),
        (Choice.AUTO, False, True),
        (Choice.DEMO, True, True),
        (Choice.ANTHROPIC, False, False),
    ],
)
def test_who_would_answer_is_what_is_estimated(choice, key, demo):
    assert (agent_configs_for(choice, AGENT_CONFIGS, tenant_has_key=key) != AGENT_CONFIGS) is demo


def test_every_step_has_typical_lengths_and_says_what_it_reads():
    assert TYPICAL.keys() == READS.keys() == set(Step)
    for typical in TYPICAL.values():
        for few, many in typical:
            assert 0 <= few <= many


def test_the_steps_until_a_person_decides_are_those_that_the_fold_makes_due():
    firsts = {Gate.SPEC: Step.PLAN, Gate.PLAN: Step.TESTS, Gate.TESTS: Step.IMPLEMENT}
    for gate, first in firsts.items():
        story = at_gate(gate).approve(gate)
        carried_out = []
        while waiting := [step for step in story.feature.due if step is not Step.TITLE]:
            carried_out.append(waiting[0])
            story.work(waiting[0])
        assert tuple(carried_out) == until_a_person([first])


def test_what_a_step_leads_to_is_what_the_decider_answers():
    recorded = done().events
    for step, result in RESULT_OF.items():
        if result not in DUE_AFTER:
            continue
        assert [one.attempt.step for one in recorded if isinstance(one, result)] == [step]


def traces(story: Story) -> list[RunTrace]:
    return [
        RunTrace(
            FEATURE,
            version,
            type(event),
            getattr(event, "attempt", None),
            getattr(event, "run", RUN),
            event.manifest.model if isinstance(event, e.StepStarted) else "",
        )
        for version, event in enumerate(story.events, 1)
        if isinstance(event, TELLING)
    ]


def test_recorded_runs_name_the_documents_that_went_in_the_newest_first():
    story = done()
    runs = recorded_runs(traces(story))
    assert [run.step for run in runs] == [
        Step.CODE_REVIEW,
        Step.SECURITY_REVIEW,
        Step.IMPLEMENT,
        Step.TESTS,
        Step.PLAN,
        Step.SPEC,
    ]
    content = story.feature.content
    spec, plan, tests = content.spec.version, content.plan.version, content.tests.version
    assert [run.reads for run in runs] == [
        *[(spec, plan, tests)] * 3,
        (spec, plan),
        (spec,),
        (content.brief.version,),
    ]
    assert {(run.tokens, run.requests) for run in runs} == {(RUN.tokens, RUN.turns)}


def test_attempts_in_vain_are_part_of_what_a_result_cost_and_a_reused_one_is_no_run():
    story = drafted().do(c.ConfirmBrief("- lend"))
    for _ in range(2):
        story.do(start(story.feature, Step.SPEC))
        attempt = attempt_of(story, Step.SPEC)
        story.do(c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Wait", final=False))
    story.work(Step.SPEC).do(c.ReviseBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    story.do(replace(answer(story.feature, Step.SPEC), run=replace(RUN, turns=0), reused_from=1))
    (run,) = recorded_runs(traces(story))
    assert run.tokens == RUN.tokens + RUN.tokens + RUN.tokens
    assert run.requests == 3 * RUN.turns


def test_a_history_that_begins_in_the_middle_leaves_lengths_open():
    story = done()
    runs = recorded_runs(traces(story)[4:])
    assert runs
    assert any(run.reads is None for run in runs)
