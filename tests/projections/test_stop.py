"""What read models say of work that a person stopped."""

from domain import commands as c
from domain.status import Status, Step
from projections.dashboard import DASHBOARD
from projections.run import Outcome
from tests.given import RUN, attempt_of, drafted, start
from tests.projections.given_events import all_rows_after, at, facts_of, given


def test_stopped_work_is_said_to_be_and_nobody_waits_for_its_attempt():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(c.StopWork())
    given(story).shows(
        DASHBOARD, stopped=True, working_since=None, status=Status.SPEC_GENERATING, epoch=2
    )
    [run] = all_rows_after(facts_of(story.events))["run"].values()
    assert (run.outcome, run.error) == (Outcome.DISCARDED, "superseded")
    story.do(c.DiscardRun(attempt, RUN, "superseded")).do(c.ResumeWork())
    resumed = at(story.feature.version)
    given(story).shows(DASHBOARD, stopped=False, working_since=resumed, cost_usd=RUN.cost_usd)
    [run] = all_rows_after(facts_of(story.events))["run"].values()
    assert (run.outcome, run.cost_usd) == (Outcome.DISCARDED, RUN.cost_usd)


def test_going_back_shows_the_feature_as_not_stopped():
    story = drafted().do(c.ConfirmBrief("- lend")).do(c.StopWork()).do(c.ReplayFeature(2))
    version = story.feature.version
    given(story).shows(DASHBOARD, stopped=False, working_since=at(version))
