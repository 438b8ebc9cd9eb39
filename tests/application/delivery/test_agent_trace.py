"""Who wrote each line: one origin a line, kept over rounds, told as Agent Trace 0.1.0 has it."""

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.delivery.agent_trace import agent_trace
from application.delivery.artifact_keys import artifact_key
from application.delivery.origins import lines_in, origins_of
from application.delivery.writings import Writing, Writings, writings_of
from domain import commands as c
from domain import events as e
from domain.status import Agent, Step
from tests import given
from tests.delivered import FEATURE, LIVES, TENANT, Shop, finish, unzipped

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "documents/agent-trace.json"
UNUSUAL = ("", "\n", "one", "one\n", "a\r\nb\r\n", "a\rb", "x" * 100_000, "\n" * 20_000, "ä\x00\n")
TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d\r", "", "e e"]), max_size=12).map("\n".join)
    | st.sampled_from(UNUSUAL[:6]),
    min_size=1,
    max_size=5,
)


def hashed(body: bytes) -> str:
    return sha256(body).hexdigest()


def rewritten(texts: list[str]) -> tuple[Writings, dict[str, bytes]]:
    """A file that was written so often, each time on from the text before."""
    writings = {
        number: Writing(
            version=number,
            event_id=UUID(int=number),
            at=AT,
            by="agent:implementer",
            round=number,
            attempt=f"implement:{number}",
            files={"a.ts": hashed(text.encode())},
            bases=(number - 1,) if number > 1 else (),
        )
        for number, text in enumerate(texts, 1)
    }
    return Writings(writings), {hashed(text.encode()): text.encode() for text in texts}


def by_line(writings: Writings, version: int, bodies: dict[str, bytes]) -> list[int | None]:
    ranges = origins_of(writings, version, "a.ts", bodies)
    return [one.writing for one in ranges for _ in range(one.first, one.last + 1)]


@forall(TEXTS)
def test_every_line_has_one_origin_and_ranges_cover_the_file_in_order(texts):
    writings, bodies = rewritten(texts)
    ranges = origins_of(writings, len(texts), "a.ts", bodies)
    ends = [0, *(one.last for one in ranges)]
    assert [one.first for one in ranges] == [end + 1 for end in ends[:-1]]
    assert all(one.first <= one.last for one in ranges)
    assert ends[-1] == len(lines_in(texts[-1].encode()))
    assert all(one.writing in writings.by_version for one in ranges)


@forall(TEXTS)
def test_a_line_stands_in_every_text_since_the_recording_it_is_ascribed_to(texts):
    writings, bodies = rewritten(texts)
    origins = by_line(writings, len(texts), bodies)
    for line, origin in zip(lines_in(texts[-1].encode()), origins, strict=True):
        for text in texts[(origin or 1) - 1 :]:
            assert line in lines_in(text.encode())


@forall(TEXTS, st.text(max_size=9))
def test_lines_that_a_later_round_leaves_keep_their_origin(texts, added):
    writings, bodies = rewritten([*texts, texts[-1], f"{texts[-1]}\n{added}"])
    before = by_line(writings, len(texts), bodies)
    assert by_line(writings, len(texts) + 1, bodies) == before
    after = by_line(writings, len(texts) + 2, bodies)
    kept = len(before) if texts[-1].endswith("\n") else max(0, len(before) - 1)
    assert set(after[kept:]) - set(before) <= {len(texts) + 2}
    assert len(after) >= kept


@pytest.mark.parametrize("text", UNUSUAL)
def test_unusual_files_are_told_by_their_bytes(text):
    writings, bodies = rewritten([text])
    body = text.encode()
    record = json.loads(agent_trace(FEATURE, AT, writings, 1, bodies, {"a.ts": hashed(body)}))
    assert_agent_trace(record)
    (file,) = record["files"]
    assert covered(file, body)


def test_what_cannot_be_read_any_more_leaves_its_heirs_without_an_origin():
    writings, bodies = rewritten(["a\nb\n", "a\nc\n", "a\nc\nd\n"])
    assert by_line(writings, 3, bodies) == [1, 2, 3]
    del bodies[hashed(b"a\nb\n")]
    assert by_line(writings, 3, bodies) == [None, None, 3]
    now = hashed(b"a\nc\nd\n")
    record = json.loads(agent_trace(FEATURE, AT, writings, 3, bodies, {"a.ts": now}))
    told = [one["contributor"]["type"] for one in record["files"][0]["conversations"]]
    assert told == ["ai", "unknown"]


def implementing(
    story: given.Story, files: dict[str, bytes], shop_bodies: dict[str, bytes]
) -> None:
    """The last implementation of a story wrote these files, and the frozen test."""
    made = {**files, "tests/lend.test.ts": b"assert.ok(true)"}
    shop_bodies |= {hashed(body): body for body in made.values()}
    written = tuple(
        e.FileWritten(
            path,
            len(body),
            hashed(body),
            Agent.CONTRACT_TEST if path.startswith("tests/") else Agent.IMPLEMENTER,
        )
        for path, body in sorted(made.items())
    )
    last = max(n for n, ev in enumerate(story.events) if isinstance(ev, e.ImplementationCompleted))
    story.events[last] = replace(story.events[last], files=written)


async def told(events, bodies: dict[str, bytes]):
    shop = Shop(())
    for body in bodies.values():
        shop.artifacts.kept[artifact_key(TENANT, FEATURE, hashed(body))] = body
    shop.tell(events)
    return shop, unzipped(await shop.zip())


async def test_a_file_that_a_second_round_carries_keeps_its_origin():
    bodies: dict[str, bytes] = {}
    story = given.done()
    implementing(story, {"src/a.ts": b"one\ntwo\n", "src/b.ts": b"same\n"}, bodies)
    first = next(
        n for n, x in enumerate(story.events, 1) if isinstance(x, e.ImplementationCompleted)
    )
    story.do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list")).work(Step.SPEC, salt="second")
    finish(story)
    implementing(story, {"src/a.ts": b"one\n2\ntwo\n", "src/b.ts": b"same\n"}, bodies)
    last = max(n for n, x in enumerate(story.events, 1) if isinstance(x, e.ImplementationCompleted))
    shop, files = await told(story.events, bodies)
    recorded = await shop.features.history(TENANT, FEATURE)
    writings = writings_of(tuple(recorded))
    lines = {
        path: [
            one.writing
            for one in origins_of(writings, last, path, bodies)
            for _ in range(one.first, one.last + 1)
        ]
        for path in ("src/a.ts", "src/b.ts")
    }
    assert lines == {"src/a.ts": [first, last, first], "src/b.ts": [first]}
    assert [writings.by_version[at].round for at in (first, last)] == [1, 2]
    record = json.loads(files[PLACE])
    by_path = {file["path"]: file for file in record["files"]}
    ids = {one.version: str(one.event_id) for one in recorded}
    assert [
        (talk["url"], [(r["start_line"], r["end_line"]) for r in talk["ranges"]])
        for talk in by_path["src/a.ts"]["conversations"]
    ] == [
        (f"urn:uuid:{ids[first]}", [(1, 1), (3, 3)]),
        (f"urn:uuid:{ids[last]}", [(2, 2)]),
    ]
    assert [t["url"] for t in by_path["src/b.ts"]["conversations"]] == [f"urn:uuid:{ids[first]}"]
    model = by_path["src/b.ts"]["conversations"][0]["contributor"]
    assert model == {"type": "ai", "model_id": "anthropic/claude-sonnet-5-5"}


@pytest.mark.parametrize("life", LIVES)
async def test_every_delivery_holds_a_whole_record_of_the_same_bytes(life):
    files = unzipped(await Shop(LIVES[life]().events).zip())
    again = unzipped(await Shop(LIVES[life]().events).zip())
    assert files[PLACE] == again[PLACE]
    record = json.loads(files[PLACE])
    assert_agent_trace(record)
    code = {path: body for path, body in files.items() if path.startswith("code/")}
    sources = {path.removeprefix("code/"): body for path, body in code.items()}
    assert {file["path"] for file in record["files"]} == set(sources)
    assert all(covered(file, sources[file["path"]]) for file in record["files"])
    log = [json.loads(line) for line in files["documents/log.jsonl"].splitlines()]
    known = {f"urn:uuid:{line['id']}" for line in log}
    talks = [talk for file in record["files"] for talk in file["conversations"]]
    assert {talk["url"] for talk in talks} <= known
    assert {one["url"] for talk in talks for one in talk["related"]} <= known
    people = {"human"} if life == "commented_and_edited" else set()
    assert {talk["contributor"]["type"] for talk in talks} - people == {"ai"}


def covered(file: dict, body: bytes) -> bool:
    """Whether ranges cover a file once, with the hashes of their bytes."""
    lines = body.split(b"\n")
    ends = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    seen: list[int] = []
    for talk in file["conversations"]:
        for one in talk["ranges"]:
            part = ends[one["start_line"] - 1 : one["end_line"]]
            assert one["content_hash"] == f"sha256:{hashed(b''.join(part))}"
            seen += range(one["start_line"], one["end_line"] + 1)
    return sorted(seen) == list(range(1, len(ends) + 1))


def assert_agent_trace(record: dict) -> None:
    """What the JSON Schema of the specification asks for (section 6.1, CC BY 4.0), field by field.

    Nothing beyond its fields is written either, so that any reader of the format knows them all.
    """
    assert set(record) <= {"version", "id", "timestamp", "vcs", "tool", "files", "metadata"}
    assert {"version", "id", "timestamp", "files"} <= set(record)
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", record["version"])
    assert str(UUID(record["id"])) == record["id"]
    assert record["timestamp"].endswith("Z")  # As the reference implementation wants it.
    assert datetime.fromisoformat(record["timestamp"]).utcoffset() == timedelta(0)
    assert isinstance(record["metadata"], dict)
    for file in record["files"]:
        assert set(file) == {"path", "conversations"}
        assert not file["path"].startswith("/")
        for talk in file["conversations"]:
            assert set(talk) <= {"url", "contributor", "ranges", "related"}
            assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", talk.get("url", f"urn:uuid:{'0' * 36}"))
            assert talk["contributor"]["type"] in {"human", "ai", "mixed", "unknown"}
            assert set(talk["contributor"]) <= {"type", "model_id"}
            model = talk["contributor"].get("model_id", "a/b")
            assert len(model) <= 250
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", model)
            for one in talk["ranges"]:
                assert {"start_line", "end_line"} <= set(one)
                assert set(one) <= {"start_line", "end_line", "content_hash", "contributor"}
                assert 1 <= one["start_line"] <= one["end_line"]
            for other in talk.get("related", ()):
                assert set(other) == {"type", "url"}


def test_a_fork_says_that_it_does_not_know_the_model_of_what_it_brought_along():
    story = given.done()
    fork = story.fork(len(story.events))
    events = tuple(given.recorded(x, n, "user:1", AT) for n, x in enumerate(fork.events, 1))
    writings = writings_of(events)
    assert writings.by_version
    assert {(one.carried, one.model) for one in writings.by_version.values()} == {(True, "")}
