"""Streams over HTTP: the conversation and what happens live, on a real server."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import documents as d
from domain.status import Step
from interface.http.streaming.live import PAGE
from interface.limits import LOOKS_AT_ONCE, Capacity, Room
from interface.shares import Shares
from tests import given
from tests.interface.world import Events, Person, World, settled, types_of

REPLY = "Who will use it?"


async def posted(world: World, person: Person, feature: str) -> None:
    """Wait until the person's message is in the log."""
    async with asyncio.timeout(5), world.log.grown:
        await world.log.grown.wait_for(
            lambda: "message_posted" in types_of(world.log.of(person.tenant, UUID(feature)))
        )


async def begin(world: World, person: Person, feature: str) -> c.StartStep:
    """The BA agent announces its attempt."""
    known = await world.features.load(person.tenant, UUID(feature))
    command = given.start(known, Step.CONVERSE)
    await world.system(UUID(feature), command, person.tenant)
    return command


async def reply(world: World, person: Person, feature: str, **more: Any) -> None:
    """The BA agent's answer is recorded."""
    known = await world.features.load(person.tenant, UUID(feature))
    answer = given.answer(known, Step.CONVERSE)
    assert isinstance(answer, c.RecordReply)
    await world.system(UUID(feature), replace(answer, **more), person.tenant)


async def words(world: World, person: Person, feature: str, *texts: str, offset: int = 0) -> None:
    for text in texts:
        word = {"kind": "delta", "step": "converse", "attempt": 1, "offset": offset, "text": text}
        await world.live.say(person.tenant, UUID(feature), word)
        offset += len(text)


def data(events: list[dict[str, str]], name: str) -> list[Any]:
    return [json.loads(event["data"]) for event in events if event["event"] == name]


async def test_an_answer_comes_word_by_word_and_ends_with_the_log(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "A tool library"}
    ) as events:
        assert events.answer.status_code == 200
        assert events.answer.headers["content-type"].startswith("text/event-stream")
        assert events.answer.headers["x-content-type-options"] == "nosniff"
        await posted(world, ann, feature)
        await begin(world, ann, feature)
        await words(world, ann, feature, "Who ", "will ")
        question = d.Question("Who?", "It decides who may see it.", ("All", "Me"))
        await reply(world, ann, feature, question=question, brief_markdown="# Brief")
        seen = await events.until("done", "error")
    assert "".join(delta["text"] for delta in data(seen, "delta")) == REPLY
    assert [delta["offset"] for delta in data(seen, "delta")] == [0, 4, 9]
    assert data(seen, "question")[0]["question"]["question"] == "Who?"
    assert data(seen, "brief") == [{"markdown": "# Brief"}]
    [done] = data(seen, "done")
    last = world.log.events[-1]
    assert done["version"] == last.version
    assert done["usage"]["tokens"]["output"] == given.RUN.tokens.output
    assert done["usage"]["cost_usd"] == str(given.RUN.cost_usd)
    said = (await ann.ask("GET", f"/api/features/{feature}/messages")).json()["items"]
    assert [(m["role"], m["text"]) for m in said] == [("user", "A tool library"), ("agent", REPLY)]
    await settled(world)


async def test_with_nothing_to_hear_the_log_alone_gives_the_answer(
    ann: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def deaf(*_: object) -> Any:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("interface.http.streaming.subscription.SUBSCRIBE_SECONDS", 0.05)
    monkeypatch.setattr(world.live, "watch", deaf)
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "Hello"}
    ) as events:
        await posted(world, ann, feature)
        await world.work(UUID(feature), Step.CONVERSE, tenant=ann.tenant)
        seen = await events.until("done", "error")
    assert [event["event"] for event in seen] == ["delta", "done"]
    assert data(seen, "delta") == [{"text": REPLY, "offset": 0}]
    await settled(world)


async def test_words_of_an_attempt_that_was_lost_are_taken_back(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "Hello"}
    ) as events:
        await posted(world, ann, feature)
        await words(world, ann, feature, "Something else")
        first = await anext(events)
        assert json.loads(first["data"])["text"] == "Something else"
        await world.work(UUID(feature), Step.CONVERSE, tenant=ann.tenant)
        seen = await events.until("done", "error")
    assert data(seen, "delta") == [{"text": REPLY, "offset": 0}]


async def test_an_agent_that_gives_up_is_a_problem_in_the_stream(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "Hello"}
    ) as events:
        await posted(world, ann, feature)
        start = await begin(world, ann, feature)
        known = await world.features.load(ann.tenant, UUID(feature))
        gave_up = c.FailAttempt(
            known.running[start.step],
            given.RUN,
            "overloaded",
            "The provider is overloaded.",
            "Send it again.",
            final=True,
        )
        await world.system(UUID(feature), gave_up, ann.tenant)
        seen = await events.until("done", "error")
    [trouble] = data(seen, "error")
    assert trouble["problem"]["code"] == "step_failed"
    assert trouble["problem"]["detail"] == "The provider is overloaded."


async def test_whatever_makes_the_answer_needless_ends_the_stream(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "Hello"}
    ) as events:
        await posted(world, ann, feature)
        gone = await ann.ask("DELETE", f"/api/features/{feature}")
        assert gone.status_code == 202
        seen = await events.until("done", "error")
    assert data(seen, "error")[0]["problem"]["code"] == "superseded"


async def test_a_refused_message_is_a_plain_problem(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "One"}
    ) as events:
        await posted(world, ann, feature)
        second = await ann.ask("POST", f"/api/features/{feature}/messages", json={"text": "Two"})
        assert (second.status_code, second.json()["code"]) == (409, "not_now")
        await world.work(UUID(feature), Step.CONVERSE, tenant=ann.tenant)
        await events.until("done")
    await settled(world)
    giant = {"text": "x" * 20_001}
    refused = await ann.ask("POST", f"/api/features/{feature}/messages", json=giant)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")


async def test_a_client_that_goes_away_loses_nothing(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    key = {"Idempotency-Key": "message-1"}
    path = f"/api/features/{feature}/messages"
    async with ann.stream("POST", path, json={"text": "Hello"}, headers=key):
        await posted(world, ann, feature)
    await settled(world)
    await world.work(UUID(feature), Step.CONVERSE, tenant=ann.tenant)
    said = (await ann.ask("GET", path)).json()["items"]
    assert [m["text"] for m in said] == ["Hello", REPLY]
    async with ann.stream("POST", path, json={"text": "Hello"}, headers=key) as events:
        seen = await events.until("done", "error")
    assert [event["event"] for event in seen] == ["delta", "done"]
    types = types_of(world.log.of(ann.tenant, UUID(feature)))
    assert types.count("message_posted") == 1


async def test_a_feature_is_followed_and_resumed_without_gap_or_repeat(
    ann: Person, world: World
) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}/live"
    log = world.log.of(ann.tenant, UUID(feature))
    async with ann.stream("GET", f"{path}?after=0") as events:
        seen = [await anext(events) for _ in log]
        assert [int(event["id"]) for event in seen] == [event.version for event in log]
        assert [event["event"] for event in seen] == types_of(log)
        assert json.loads(seen[0]["data"])["payload"]["title"] == "Tools"
        await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "New"})
        renamed = await anext(events)
        assert renamed["event"] == "feature_renamed"
    await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "Newer"})
    async with ann.stream("GET", path, headers={"Last-Event-ID": renamed["id"]}) as events:
        missed = await anext(events)
        assert int(missed["id"]) == int(renamed["id"]) + 1
        assert json.loads(missed["data"])["payload"]["title"] == "Newer"
    await settled(world)


async def test_words_being_written_carry_no_id(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream("GET", f"/api/features/{feature}/live?after=0") as events:
        first = await anext(events)
        assert first["event"] == "feature_created"
        word = {"kind": "file", "step": "implement", "path": "src/a.ts", "size": 3}
        await world.live.say(ann.tenant, UUID(feature), word)
        message = await anext(events)
    assert message["event"] == "file"
    assert "id" not in message
    assert json.loads(message["data"]) == {"step": "implement", "path": "src/a.ts", "size": 3}


async def test_a_deleted_feature_ends_its_stream(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream("GET", f"/api/features/{feature}/live") as events:
        await ann.ask("DELETE", f"/api/features/{feature}")
        seen = [event["event"] async for event in events]
    assert seen == ["feature_deleted", "bye"]
    await settled(world)


async def test_the_tenant_hears_of_changes_once_reads_show_them(
    ann: Person, bob: Person, world: World
) -> None:
    await bob.new_feature()
    async with ann.stream("GET", "/api/live") as events:
        hello = await anext(events)
        assert (hello["event"], int(hello["id"])) == ("hello", world.log.events[-1].position)
        world.reads.hidden = 1
        feature = await ann.new_feature()
        following = asyncio.ensure_future(anext(events))
        await asyncio.wait({following}, timeout=0.3)
        assert not following.done()
        world.reads.hidden = 0
        await bob.new_feature()
        change = await following
    body = json.loads(change["data"])
    assert (body["feature_id"], body["type"]) == (feature, "feature_created")
    assert int(change["id"]) == body["position"]
    await bob.new_feature()
    second = await ann.new_feature()
    async with ann.stream("GET", "/api/live", headers={"Last-Event-ID": change["id"]}) as events:
        seen = [await anext(events) for _ in range(2)]
    assert [event["event"] for event in seen] == ["hello", "change"]
    assert json.loads(seen[1]["data"])["feature_id"] == second


async def test_the_tenant_hears_what_agents_write_only_if_it_asks_for_it(
    ann: Person, bob: Person, world: World
) -> None:
    mine, theirs = await ann.new_feature(), await bob.new_feature()
    word = {"kind": "delta", "step": "spec", "attempt": 1, "offset": 0, "text": "Tools"}

    async with ann.stream("GET", "/api/live?words=true") as events:
        assert (await anext(events))["event"] == "hello"
        await world.live.say(bob.tenant, UUID(theirs), word)
        await world.live.say(ann.tenant, UUID(mine), word)
        message = await anext(events)
        assert (message["event"], "id" in message) == ("delta", False)
        assert json.loads(message["data"])["feature_id"] == mine
        assert json.loads(message["data"])["text"] == "Tools"
    async with ann.stream("GET", "/api/live") as events:
        assert (await anext(events))["event"] == "hello"
        await world.live.say(ann.tenant, UUID(mine), word)
        await ann.new_feature()
        assert (await anext(events))["event"] == "change"


async def test_silence_is_broken_by_comments(ann: Person, world: World) -> None:
    object.__setattr__(
        world.services, "settings", replace(world.services.settings, ping_seconds=0.05)
    )
    feature = await ann.new_feature()
    async with ann.stream("GET", f"/api/features/{feature}/live") as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(events)
        assert events.comments >= 2


async def test_a_stop_says_goodbye_at_once(ann: Person, world: World) -> None:
    feature = await ann.new_feature()

    async def listen(path: str) -> list[str]:
        async with ann.stream("GET", path) as events:
            ready.release()
            return [f"{event['event']} {event.get('retry')}" async for event in events]

    ready = asyncio.Semaphore(0)
    listening = [
        asyncio.create_task(listen(path))
        for path in ("/api/live?after=0", f"/api/features/{feature}/live")
    ]
    for _ in listening:
        await ready.acquire()
    world.services.stopping.set()
    async with asyncio.timeout(3):
        ends = await asyncio.gather(*listening)
    assert [end[-1] for end in ends] == ["bye 500", "bye 500"]
    late = await ann.ask("GET", "/api/live")
    assert (late.status_code, late.json()["code"]) == (503, "unavailable")
    await settled(world)


async def test_a_stop_in_mid_answer_says_that_it_is_not_lost(ann: Person, world: World) -> None:
    feature = await ann.new_feature()
    async with ann.stream(
        "POST", f"/api/features/{feature}/messages", json={"text": "Hello"}
    ) as events:
        await posted(world, ann, feature)
        world.services.stopping.set()
        seen = await events.until("error")
    assert data(seen, "error")[0]["problem"]["code"] == "unavailable"


async def test_a_database_that_goes_away_asks_the_client_to_come_again(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    async with ann.stream("GET", f"/api/features/{feature}/live") as events:
        world.log.down = True
        seen = await events.until("bye")
    assert seen[-1]["retry"] == "3000"


def room_for(world: World, room: Room, tenant: int, in_all: int = 2_000) -> None:
    world.services.places[room]._capacity = Capacity(in_all, tenant)  # noqa: SLF001 - few enough, or
    world.services.places[room]._shares = Shares(in_all)  # noqa: SLF001 - many enough, for a test.


async def test_open_streams_are_limited_for_each_tenant_and_given_back(
    ann: Person, bob: Person, world: World
) -> None:
    room_for(world, Room.LIVE, 2)
    async with ann.stream("GET", "/api/live"), ann.stream("GET", "/api/live"):
        third = await ann.ask("GET", "/api/live")
        assert (third.status_code, third.json()["code"]) == (429, "too_many_requests")
        assert third.headers["retry-after"] == "5"
        assert "Close one" in third.json()["detail"]
        async with bob.stream("GET", "/api/live") as events:
            assert (await anext(events))["event"] == "hello"
    await settled(world)
    async with ann.stream("GET", "/api/live") as events:
        assert (await anext(events))["event"] == "hello"


async def test_idle_streams_are_in_the_way_of_no_answer_download_or_decision(
    ann: Person, bob: Person, world: World
) -> None:
    done, begun = await bob.finished(), await bob.new_feature()
    room_for(world, Room.LIVE, 40, in_all=4)
    async with AsyncExitStack() as scope:
        streams = []
        while not streams or streams[-1].answer.status_code == 200:
            one = await scope.enter_async_context(ann.stream("GET", "/api/live"))
            streams.append(one)
        assert len(streams) == 3
        refused = await bob.ask("GET", "/api/live")
        assert refused.status_code == 429
        assert (await bob.ask("GET", f"/api/features/{done}/download")).status_code == 200
        ndjson = {"Accept": "application/x-ndjson"}
        log = await bob.ask("GET", f"/api/features/{done}/events", headers=ndjson)
        assert log.status_code == 200
        path = f"/api/features/{begun}/messages"
        async with bob.stream("POST", path, json={"text": "Hello"}) as events:
            assert events.answer.status_code == 200
            await posted(world, bob, begun)
            await world.work(UUID(begun), Step.CONVERSE, tenant=bob.tenant)
            assert (await events.until("done", "error"))[-1]["event"] == "done"
        answer = await bob.ask("POST", f"/api/features/{begun}/brief", json={"brief": "- BF-1 x"})
        assert answer.status_code == 202
    await settled(world)


async def test_streams_look_into_the_log_a_few_at_a_time_and_the_less_the_more_are_open(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    room_for(world, Room.LIVE, 100)
    read, under_way, most, looks = world.log.read, 0, 0, 0

    async def counted(*whose: UUID, after: int = 0, upto: int = 0, **more: Any) -> Any:
        nonlocal under_way, most, looks
        if upto - after != PAGE:  # A request's own, not a stream's.
            return await read(*whose, after=after, upto=upto, **more)
        looks += 1
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        try:
            return await read(*whose, after=after, upto=upto, **more)
        finally:
            under_way -= 1

    alone = world.services.look_seconds
    world.log.read = counted  # type: ignore[method-assign]
    async with AsyncExitStack() as scope:
        path = f"/api/features/{feature}/live?after=0"
        streams = [await scope.enter_async_context(ann.stream("GET", path)) for _ in range(30)]
        for events in streams:
            await anext(events)
        assert looks >= 30
        assert most <= LOOKS_AT_ONCE
        assert world.services.look_seconds > 2 * alone
        await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "B"})
        version = world.log.events[-1].version
        await world.live.applied(ann.tenant, UUID(feature), version, version)
        for events in streams:
            assert json.loads((await anext(events))["data"])["payload"]["title"] == "B"
    await settled(world)


async def test_a_hundred_clients_that_vanish_leave_nothing(ann: Person, world: World) -> None:
    room_for(world, Room.LIVE, 200)
    feature = await ann.new_feature()

    async def vanish(n: int) -> None:
        path = "/api/live" if n % 2 else f"/api/features/{feature}/live?after=0"
        async with ann.stream("GET", path) as events:
            await anext(events)

    await asyncio.gather(*(vanish(n) for n in range(100)))
    await settled(world)
    assert not world.live._topics  # noqa: SLF001 - every subscription has ended.


@pytest.mark.parametrize("given_id", ["x", "-1", "1e3", "9" * 30, "٣"])
async def test_an_odd_last_event_id_is_refused(ann: Person, given_id: str) -> None:
    header = {"Last-Event-ID": given_id.encode()}
    for path in ("/api/live",):
        answer = await ann.ask("GET", path, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_odd_line_breaks_in_texts_break_no_frame(ann: Person) -> None:
    feature, brief = await ann.new_feature(), "- BF-1 line\nbreak \u2028 and more"
    await ann.ask("POST", f"/api/features/{feature}/brief", json={"brief": brief})
    async with ann.stream("GET", f"/api/features/{feature}/live?after=1") as events:
        assert isinstance(events, Events)
        seen = await anext(events)
    assert json.loads(seen["data"])["payload"]["brief"] == brief


async def test_a_feature_deleted_before_its_last_events_were_read_ends_its_stream(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "B"})
    begun = asyncio.Event()
    read = world.log.read

    async def late(*whose: UUID, after: int = 0, upto: int = 0, **more: Any) -> Any:
        if upto - after == PAGE:  # The stream's, not a request's.
            await begun.wait()
        return await read(*whose, after=after, upto=upto, **more)

    world.log.read = late  # type: ignore[method-assign]
    async with ann.stream("GET", f"/api/features/{feature}/live?after=1") as events:
        await ann.ask("DELETE", f"/api/features/{feature}")
        begun.set()
        assert [event["event"] async for event in events] == ["bye"]
    await settled(world)


def set_back(world: World, events: int, *, noticed: bool = True) -> None:
    """The log loses all but the first events; the process notices it, or not yet."""
    world.log.set_back(events)
    if noticed:
        world.features.forget()
        world.services.continuity.set_backs += 1


@pytest.mark.parametrize("noticed", [True, False])
async def test_who_watches_a_feature_that_is_set_back_begins_anew(
    ann: Person, world: World, *, noticed: bool
) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    async with ann.stream("GET", f"{path}/live?after=0") as events:
        assert (await anext(events))["event"] == "feature_created"
        kept = len(world.log.events)
        await ann.ask("PATCH", path, json={"title": "Lost"})
        assert (await anext(events))["event"] == "feature_renamed"
        set_back(world, kept, noticed=noticed)
        # As many events as before, and another history.
        await world.system(UUID(feature), c.RenameFeature("New"), ann.tenant)
        told = await anext(events)
        assert told["event"] == "set_back"
        assert "anew" in json.loads(told["data"])["reason"]
        assert int(told["id"]) == 2
        await ann.ask("PATCH", path, json={"title": "Newer"})
        assert (await anext(events))["id"] == "3"


async def test_who_comes_back_ahead_of_a_feature_is_told_and_goes_on(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    async with ann.stream("GET", f"{path}/live", headers={"Last-Event-ID": "9"}) as events:
        told = await anext(events)
        assert (told["event"], told["id"]) == ("set_back", "1")
        await ann.ask("PATCH", path, json={"title": "New"})
        assert (await anext(events))["event"] == "feature_renamed"


async def test_who_watches_a_feature_that_is_gone_with_the_log_is_told_so(
    ann: Person, world: World
) -> None:
    kept = len(world.log.events)
    feature = await ann.new_feature()
    async with ann.stream("GET", f"/api/features/{feature}/live") as events:
        set_back(world, kept)
        assert [event["event"] async for event in events] == ["set_back", "bye"]


@pytest.mark.parametrize("noticed", [True, False])
async def test_who_watches_all_features_begins_anew(
    ann: Person, world: World, *, noticed: bool
) -> None:
    await ann.new_feature()
    kept = len(world.log.events)
    async with ann.stream("GET", "/api/live") as events:
        assert (await anext(events))["event"] == "hello"
        await ann.new_feature()
        assert (await anext(events))["event"] == "change"
        set_back(world, kept, noticed=noticed)
        told = await anext(events)
        assert (told["event"], int(told["id"])) == ("set_back", world.log.events[-1].position)
        another = await ann.new_feature()
        change = await anext(events)
        assert (change["event"], json.loads(change["data"])["feature_id"]) == ("change", another)


@pytest.mark.parametrize("lost", ["beyond the end", "in a gap"])
async def test_who_comes_back_with_the_id_of_a_lost_change_is_told_and_goes_on(
    ann: Person, world: World, lost: str
) -> None:
    await ann.new_feature()
    end = world.log.events[-1].position
    seen = end + 5
    if lost == "in a gap":
        seen = end
        world.services.continuity._gaps = [(end - 1, end)]  # noqa: SLF001 - as a look finds it.
    headers = {"Last-Event-ID": str(seen)}
    async with ann.stream("GET", "/api/live", headers=headers) as events:
        told = [await anext(events) for _ in range(2)]
        assert [event["event"] for event in told] == ["set_back", "hello"]
        assert {int(event["id"]) for event in told} == {end}
        world.services.continuity._gaps = ()  # noqa: SLF001
        another = await ann.new_feature()
        change = await anext(events)
        assert (change["event"], json.loads(change["data"])["feature_id"]) == ("change", another)


async def test_an_answer_to_a_message_that_is_in_no_log_ends_with_the_reason(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    kept = len(world.log.events)
    path = f"/api/features/{feature}/messages"
    async with ann.stream("POST", path, json={"text": "I want to lend tools."}) as events:
        await posted(world, ann, feature)
        set_back(world, kept)
        [error] = data([event async for event in events], "error")
    assert error["problem"]["code"] == "set_back"
