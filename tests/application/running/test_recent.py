"""Waiting for so long at most, and keeping so much at most."""

import asyncio

from application.running.recent import Recent
from application.running.waiting import any_set_within, is_set_within


async def test_a_wait_says_whether_the_event_came():
    event = asyncio.Event()
    assert not await is_set_within(event, 0.0)
    asyncio.get_running_loop().call_soon(event.set)
    assert await is_set_within(event, 600)


async def test_one_of_several_events_is_enough_and_no_waiter_is_left():
    events = [asyncio.Event(), asyncio.Event()]
    asyncio.get_running_loop().call_soon(events[1].set)
    await any_set_within(events, 600)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await any_set_within(events[:1], 0.0)


def test_what_was_used_longest_ago_is_forgotten_first():
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.find("a") == 1
    recent.keep("c", 3)
    assert (recent.find("a"), recent.find("b"), recent.find("c")) == (1, None, 3)
    assert len(recent) == 2


def test_what_is_weighed_never_weighs_more_than_it_may():
    recent: Recent[str, bytes] = Recent(10, len)
    recent.keep("a", b"12345")
    recent.keep("a", b"1234567")
    recent.keep("b", b"123")
    assert "a" in recent
    recent.keep("c", b"1")
    assert "a" not in recent
    recent.forget("b")
    recent.keep("d", b"123456789")
    assert "c" in recent
    recent.keep("e", b"12345678901")
    assert len(recent) == 0


def test_all_that_is_concerned_is_forgotten():
    recent: Recent[str, int] = Recent(9)
    for number, key in enumerate(("a1", "a2", "b1")):
        recent.keep(key, number)
    recent.forget_all(lambda key: key.startswith("a"))
    assert (len(recent), recent.find("b1")) == (1, 2)
    recent.clear()
    assert len(recent) == 0
