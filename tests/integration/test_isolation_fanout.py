"""What a later version calls its events, and what nobody understands, stops no relay."""

import asyncio

from structlog.testing import capture_logs

from domain.status import Step
from infrastructure.nats.announcement import encode, subject_of
from infrastructure.nats.stream import NAME
from tests.integration.memory import until
from tests.integration.test_fanout import World, create_stream, settled, world

ODD = ("feature_paused", "Feature.Paused > *", "x" * 6_000, "", "größe", "a\r\nPUB x 1")
"""Types of a later version, or of nobody."""

__all__ = ["world"]


def both(world: World) -> None:
    """Odd events, each between good ones."""
    for kind in ODD:
        world.log.append("message_posted", kind, "brief_confirmed")
    world.log.append("feature_retried", resume=("dance",))
    world.log.append("spec_generated")


def good(world: World) -> list[tuple[object, Step]]:
    return [(event, step) for event, step in world.due() if step in set(Step)]


async def test_every_event_is_announced_and_every_known_one_has_its_tasks(world: World) -> None:
    both(world)
    async with world.running(reconciler=True), world.streams() as streams:
        await until(lambda: world.tasks.made() == good(world))
        await until(
            lambda: world.positions.stored.get("reconciler") == world.log.events[-1].position
        )
        assert (await streams.stream_info(NAME)).state.messages == len(world.log.events)
        await until(lambda: settled(streams))
    odd = {header.event_id for header in world.log.events if header.type in ODD}
    odd |= {header.event_id for header in world.log.events if header.resume}
    assert {letter[1] for letter in world.dead.letters} == odd
    # And so does every process that starts anew.
    world.log.append("message_posted")
    async with world.running(reconciler=True):
        await until(lambda: world.tasks.made() == good(world))


async def test_what_an_older_relay_did_not_understand_is_done_when_a_newer_one_starts(
    world: World,
) -> None:
    [event] = world.log.append("brief_confirmed")
    world.tasks.refuses = {event.event_id}
    async with world.running(relay=False, fanout=False, reconciler=True):
        await until(lambda: len(world.dead.open) == 1)
    world.tasks.refuses = set()
    async with world.running(relay=False, fanout=False, reconciler=True):
        await until(lambda: not world.dead.open)
    assert world.tasks.made() == world.due()


async def test_a_message_that_cannot_be_answered_is_dropped(world: World) -> None:
    async with world.streams() as streams, world.connection() as outside:
        await create_stream(streams)
        async with world.running(relay=False) as fanout:
            await until(lambda: settled(streams))
            # Somebody who guesses the inboxes, or a server that is none.
            for sid in [*fanout._connection.client._subs.values()]:  # noqa: SLF001
                if sid.subject.startswith("_INBOX."):
                    await outside.client.publish(sid.subject, b"not a message of a stream")
            [event] = world.log.append("message_posted")
            await world.announce(streams, event, encode(event))
            await until(lambda: world.tasks.made() == [(event.event_id, Step.CONVERSE)])


async def test_a_dead_letter_that_cannot_be_kept_ends_no_consumer(world: World) -> None:
    record, refusals = world.dead.record, 0

    async def refuse(*letter: object) -> None:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            raise RuntimeError
        await record(*letter)  # type: ignore[arg-type]

    world.dead.record = refuse  # type: ignore[method-assign]
    async with world.streams() as streams:
        await create_stream(streams)
        [poison] = world.log.append("message_posted")
        await world.announce(streams, poison, b"{")
        async with world.running(relay=False):
            await until(lambda: refusals > 0, 60)
            [event] = world.log.append("message_posted")
            await world.announce(streams, event, encode(event))
            await until(lambda: world.tasks.made() == [(event.event_id, Step.CONVERSE)], 60)


async def test_an_outage_is_told_once_and_its_end_once(world: World) -> None:
    world.log.down = True
    asked = 0
    after = world.log.after

    async def counted(position: int, limit: int) -> object:
        nonlocal asked
        asked += 1
        return await after(position, limit)

    world.log.after = counted  # type: ignore[method-assign, assignment]
    with capture_logs() as lines:
        async with world.running(fanout=False, reconciler=True):
            await until(lambda: asked > 8)
            world.log.down = False
            world.log.append("message_posted")
            await until(lambda: world.tasks.made() == world.due())
            await asyncio.sleep(0)
    told = [line["event"] for line in lines]
    for name in ("relay_interrupted", "reconciler_waits"):
        assert (told.count(name), told.count(f"{name}_over")) == (1, 1), told


def test_a_subject_has_four_tokens_whatever_the_type(world: World) -> None:
    both(world)
    for header in world.log.events:
        assert len(subject_of(header).split(".")) == 4
        assert subject_of(header).isprintable()
        assert len(subject_of(header)) < 250
