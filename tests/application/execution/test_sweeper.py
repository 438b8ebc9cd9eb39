"""The sweeper on fakes."""

from application.execution.sweeper import Sweeper
from domain import events as e
from domain.status import Status
from tests.application.workshop import Workshop


class NothingRemoved:
    async def waiting(self, limit: int) -> list:
        return []

    async def removed(self, tenant_id, feature_id) -> None:
        raise AssertionError


def sweeper(shop: Workshop) -> Sweeper:
    return Sweeper(
        shop.another_process(),
        shop.tasks,
        NothingRemoved(),
        (shop.receipts,),
        shop.artifacts,
        stuck_after_seconds=600,
        sweep_seconds=30,
    )


def failures(shop: Workshop) -> list:
    return [each for each in shop.log.events if isinstance(each.event, e.FeatureFailed)]


async def test_a_step_that_fell_silent_fails_once_however_many_sweepers_look():
    shop = await Workshop().confirmed()
    await shop.claim()
    shop.clock.turn(30)
    assert await sweeper(shop).sweep() == 0
    shop.clock.turn(3_600)
    await sweeper(shop).sweep()
    await sweeper(shop).sweep()
    [failed] = failures(shop)
    assert failed.event.code == "stuck"
    assert failed.event.advice
    assert failed.actor == "system:sweeper"
    assert (await shop.state()).status is Status.FAILED


async def test_a_step_that_waits_for_a_worker_is_not_stuck():
    shop = await Workshop().confirmed()
    await shop.fan_out()
    shop.clock.turn(3_600)
    await sweeper(shop).sweep()
    assert failures(shop) == []
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY
