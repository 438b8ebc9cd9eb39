"""A failed review and its rounds of mending, from the log through the runner and back."""

from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.failures import StepFailed
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.mending import StopReason
from domain.runs import Attempt
from domain.status import Status, Step, Verdict
from tests.application.workshop import Workshop
from tests.bench.instant import FILES, instant
from tests.given import faulty

NAMED = FILES[0][0]


class Agents:
    """Code reviews find what they are told to; the implementer remembers what it was given."""

    def __init__(self, *found: tuple[str, ...]) -> None:
        self.found = list(found)
        self.given: list[StepInputs] = []
        self.reviewing: list[StepInputs] = []
        self.insists = False

    async def __call__(
        self,
        step: Step,
        attempt: Attempt,
        material: StepInputs,
        context: AttemptContext,
        agent_configs: AgentConfigs,
    ) -> StepOutcome:
        if step is Step.IMPLEMENT:
            self.given.append(material)
            if self.insists and material.frozen:
                raise StepFailed("outside_the_freeze", "It wants to change more.")
        outcome = await instant(step, attempt, material, context, agent_configs)
        if step is not Step.CODE_REVIEW:
            return outcome
        self.reviewing.append(material)
        names = self.found.pop(0) if self.found else ()
        if not names:
            return outcome
        said = outcome.command
        assert isinstance(said, c.RecordReview)
        findings = tuple(
            d.Finding(n, d.Severity.HIGH, d.Confidence.HIGH, NAMED, 1, "x", "y", "z", fingerprint=n)
            for n in names
        )
        failed = replace(
            said,
            verdict=Verdict.FAIL,
            document=d.Report("Bad.", findings),
            faults=faulty(*names, path=NAMED),
            reviewed_files=len(material.files),
        )
        return StepOutcome(failed)


async def reviewed(*found: tuple[str, ...], rounds: int = 2) -> tuple[Workshop, Agents]:
    agents = Agents(*found)
    shop = Workshop(agents=agents, mending_rounds=rounds)
    return await shop.finished(), agents


def of(shop: Workshop, kind: type) -> list:
    return [each.event for each in shop.log.events if isinstance(each.event, kind)]


async def test_a_failed_review_is_mended_without_a_person_until_it_passes() -> None:
    shop, agents = await reviewed(("F-1", "F-2"), ("F-1",))
    assert (await shop.state()).status is Status.DONE
    assert [(one.round, one.of) for one in of(shop, e.MendingStarted)] == [(1, 2), (2, 2)]
    first, second, third = agents.given
    assert (first.may_change, first.frozen) == ((), {})
    for material in (second, third):
        assert material.may_change == (NAMED,)
        assert set(material.frozen) == {path for path, _ in FILES[1:]}
        assert material.previous_files.keys() == dict(FILES).keys()
    assert [f.title for f in third.reports[Step.CODE_REVIEW].findings] == ["F-1"]
    [before] = third.earlier_reports
    assert [f.title for f in before[Step.CODE_REVIEW].findings] == ["F-1", "F-2"]
    *_, last = agents.reviewing
    found = [[f.title for f in report.findings] for report in last.reports_of(Step.CODE_REVIEW)]
    assert found == [["F-1", "F-2"], ["F-1"]]


async def test_a_round_without_progress_stops_and_a_retry_by_hand_obeys_the_same_freeze() -> None:
    shop, agents = await reviewed(("F-1",), ("F-1",))
    assert (await shop.state()).status is Status.FAILED
    [stopped] = of(shop, e.MendingStopped)
    assert (stopped.why, stopped.round) == (StopReason.NO_PROGRESS, 1)
    await shop.do(c.RetryFeature())
    await shop.settle()
    assert (await shop.state()).status is Status.DONE
    by_hand = agents.given[-1]
    assert by_hand.may_change == (NAMED,)
    assert len(by_hand.frozen) == len(FILES) - 1
    assert by_hand.feature.content.mending.round == 0


async def test_the_operator_may_allow_none() -> None:
    shop, _ = await reviewed(("F-1",), rounds=0)
    assert of(shop, e.MendingStarted) == []
    assert of(shop, e.MendingStopped)[0].why is StopReason.OFF


async def test_what_insists_on_a_frozen_file_stops_the_round_and_is_told() -> None:
    agents = Agents(("F-1",))
    agents.insists = True
    shop = await Workshop(agents=agents, mending_rounds=2).finished()
    assert (await shop.state()).status is Status.FAILED
    assert of(shop, e.FeatureFailed)[-1].code == "outside_the_freeze"
    assert len(of(shop, e.CodeReviewed)) == 1, "nothing was reviewed again"


async def test_another_process_that_reads_the_log_in_a_round_knows_the_same() -> None:
    shop, _ = await reviewed(("F-1", "F-2"), ("F-1", "F-2"))
    begun = next(each for each in shop.log.events if isinstance(each.event, e.MendingStarted))
    then = await shop.another_process().as_of(shop.tenant, shop.feature, begun.version)
    assert then.content.mending.version == begun.version
    assert then.due == {Step.IMPLEMENT: begun.version}
    now = await shop.another_process().load(shop.tenant, shop.feature)
    assert now == await shop.state()
