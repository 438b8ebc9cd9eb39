"""The next round of a finished feature, through the runner: what its agents are given."""

from application.agents.agent_config import AgentConfigs
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from domain import commands as c
from domain import events as e
from domain.runs import Attempt
from domain.status import Gate, Status, Step
from tests.application.workshop import Workshop
from tests.bench.instant import FILES, instant


class Noting:
    """Answers at once; remembers what each step was given last."""

    def __init__(self) -> None:
        self.given: dict[Step, StepInputs] = {}

    async def __call__(
        self,
        step: Step,
        attempt: Attempt,
        material: StepInputs,
        context: AttemptContext,
        agent_configs: AgentConfigs,
    ) -> StepOutcome:
        self.given[step] = material
        return await instant(step, attempt, material, context, agent_configs)


async def test_every_agent_of_a_second_round_is_given_what_stood() -> None:
    agents = Noting()
    shop = await Workshop(agents=agents).finished()
    assert (await shop.state()).status is Status.DONE
    assert agents.given[Step.IMPLEMENT].previous_files == {}
    assert agents.given[Step.IMPLEMENT].standing is None
    await shop.do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list"))
    for gate in Gate:
        await shop.settle(times=2)
        await shop.approve(gate)
    await shop.settle(times=2)
    state = await shop.state()
    assert (state.status, state.content.round) == (Status.DONE, 2)
    for step in (Step.SPEC, Step.PLAN, Step.TESTS):
        assert agents.given[step].previous.keys() == set(Gate)
    assert agents.given[Step.SPEC].previous_reading is not None
    code = agents.given[Step.IMPLEMENT]
    assert code.previous_files == {path: body.decode() for path, body in FILES}
    assert code.reports == {}
    standing = code.standing
    assert standing is not None
    assert standing.base.points == {"BF-1": "lend tools"}
    assert standing.base.spec == agents.given[Step.SPEC].previous[Gate.SPEC]
    assert standing.base.files == {path: body.decode() for path, body in FILES}
    assert standing.impact.points == ("BF-2",)
    assert {file.path for file in standing.files} == {path for path, _ in FILES}
    made = [x.event for x in shop.log.events if isinstance(x.event, e.ImplementationCompleted)]
    assert [one.content_sha256 for one in made] == [made[0].content_sha256] * 2
    assert Step.TITLE in agents.given


async def test_what_a_person_edited_by_hand_is_held_to_in_the_next_round_too() -> None:
    agents = Noting()
    shop = await Workshop(agents=agents).confirmed()
    for gate in Gate:
        await shop.settle()
        shown = (await shop.state()).content.deliverable(gate)
        assert shown is not None
        written = shop.log.events[shown.version - 1].event
        assert isinstance(written, e.SpecWritten | e.PlanWritten | e.TestsWritten)
        by_hand = (gate, shown.content_sha256, shown.version, written.document, f"# My {gate}")
        edit = c.RecordEdit(*by_hand)
        await shop.do(edit)
        await shop.approve(gate)
    await shop.settle()
    assert (await shop.state()).status is Status.DONE
    await shop.do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list"))
    await shop.settle()
    standing = agents.given[Step.SPEC].standing
    assert standing is not None
    assert standing.impact.points == ("BF-2",)


async def test_a_message_to_what_is_done_is_answered_with_the_brief_at_hand() -> None:
    agents = Noting()
    shop = await Workshop(agents=agents).finished()
    await shop.do(c.PostMessage(shop.feature, "And a list?"))
    await shop.settle()
    said = agents.given[Step.CONVERSE]
    assert (said.feature.status, said.brief) == (Status.DONE, "- BF-1 lend tools")
    assert [message.text for message in said.conversation] == ["And a list?"]
    assert (await shop.state()).status is Status.DONE
