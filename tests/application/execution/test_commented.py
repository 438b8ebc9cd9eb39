"""A gate's document written anew with comments, through the runner: what its agent is given."""

from domain import commands as c
from domain import events as e
from domain.comments import Comment, CommentKind
from domain.status import Gate, Status, Step
from tests.application.execution.test_second_round import Noting
from tests.application.workshop import Workshop
from tests.golden.filled import filled

WRONG = Comment("Begin elsewhere.", "", CommentKind.WRONG)


async def at_gate(gate: Gate, agents: Noting) -> Workshop:
    shop = await Workshop(agents=agents).confirmed()
    await shop.settle()
    for each in Gate:
        if each is gate:
            break
        await shop.approve(each)
        await shop.settle()
    return shop


async def rewrite(shop: Workshop, gate: Gate, *comments: Comment) -> None:
    shown = (await shop.state()).content.deliverable(gate)
    assert shown is not None
    await shop.do(c.RequestRewrite(gate, shown.content_sha256, comments))


async def test_only_the_step_of_the_gate_works_and_is_given_the_comments() -> None:
    for gate in Gate:
        agents = Noting()
        shop = await at_gate(gate, agents)
        before = agents.given[Step(gate.value)]
        agents.given.clear()
        said = (WRONG, Comment("More.", "summary"))
        await rewrite(shop, gate, *said)
        await shop.settle(times=2)
        step = Step(gate.value)
        assert set(agents.given) == {step, Step(f"align_{gate}")}
        assert agents.given[step].comments == said
        assert agents.given[step].previous.keys() == {gate}
        assert agents.given[step].brief == before.brief
        assert agents.given[Step(f"align_{gate}")].comments == ()
        assert agents.given[Step(f"align_{gate}")].previous.keys() == {gate}
        state = await shop.state()
        assert state.content.status is not Status.FAILED
        await shop.approve(gate)
        if gate is not Gate.TESTS:
            await shop.settle()
            assert agents.given[Step(list(Gate)[list(Gate).index(gate) + 1].value)].comments == ()


async def test_the_same_comments_on_the_same_document_are_paid_once() -> None:
    shop = await at_gate(Gate.SPEC, Noting())
    gate = (await shop.state()).content.checkpoint
    await rewrite(shop, Gate.SPEC, WRONG)
    await shop.settle()
    await shop.do(c.ReplayFeature(gate))
    await rewrite(shop, Gate.SPEC, WRONG)
    await shop.settle()
    made = [x.event for x in shop.log.events if isinstance(x.event, e.SpecGenerated)]
    assert [x.reused_from is not None for x in made] == [False, False, True]
    await shop.do(c.ReplayFeature(gate))
    await rewrite(shop, Gate.SPEC, Comment("Another.", "", CommentKind.WRONG))
    await shop.settle()
    made = [x.event for x in shop.log.events if isinstance(x.event, e.SpecGenerated)]
    assert made[-1].reused_from is None


async def test_what_was_said_and_done_is_sealed_with_the_person() -> None:
    for kind in (e.RewriteRequested, e.SpecGenerated, e.PlanGenerated, e.TestsGenerated):
        assert {"comments", "answered"} & kind.personal
        assert filled(kind)
