"""The provider's own SDK against the demo model, and the generated SQL on a real PostgreSQL."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import anthropic
import httpx2
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure.demo_model import FAULTS, DemoModel, read_ledger
from infrastructure.demo_model.author.application import write_files
from infrastructure.demo_model.author.cases import sample
from infrastructure.demo_model.author.sketch import from_entities
from infrastructure.demo_model.author.spec import write_spec
from infrastructure.demo_model.author.tables import statements
from infrastructure.demo_model.faults import UnknownFault
from tests.demo_model.asking import EXAMPLES, STRANGE, request

pytestmark = pytest.mark.servers

KEY = "sk-ant-test-0123456789"
BRIEF = "We lend tools to neighbours. Each tool has a name and a price."
BRIEFS = {path.stem: path.read_text() for path in EXAMPLES} | STRANGE
SPEC = request("spec", brief=BRIEF)


@pytest.fixture
async def model(tmp_path: Path):
    async with DemoModel(pace=0.0, ledger=tmp_path / "ledger.jsonl", control=True) as running:
        yield running


@pytest.fixture
async def client(model: DemoModel):
    async with anthropic.AsyncAnthropic(
        api_key=KEY, base_url=model.url, max_retries=0, timeout=20.0
    ) as made:
        yield made


async def streamed(client, **asked):
    """The final message of a streamed request."""
    async with client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


async def test_the_sdk_streams_a_tool_call(client, model):
    message = await streamed(client, **SPEC)
    (block,) = message.content
    assert (message.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "submit_spec")
    assert block.input["requirements"]
    assert message.usage.input_tokens > 10
    assert message.usage.output_tokens > 100
    (entry,) = model.requests
    assert (entry.agent, entry.outcome) == ("spec", "answered")
    assert entry.output_tokens == message.usage.output_tokens


async def test_without_streaming_the_same_is_said(client):
    message = await client.messages.create(**SPEC | {"max_tokens": 20_000})
    assert message.content[0].input == (await streamed(client, **SPEC)).content[0].input


async def test_words_arrive_piece_by_piece(client):
    asked = request("ba", conversation=[{"id": "1", "role": "user", "text": "I lend my books."}])
    async with client.messages.stream(**asked) as stream:
        pieces = [text async for text in stream.text_stream]
    assert len(pieces) > 3
    assert "demo model" in "".join(pieces)


async def test_the_same_request_gets_the_same_bytes(model):
    body = json.dumps({**SPEC, "stream": True})
    async with httpx2.AsyncClient() as plain:
        send = [
            await plain.post(f"{model.url}/v1/messages", content=body, headers={"x-api-key": KEY})
            for _ in range(2)
        ]
    assert send[0].content == send[1].content
    assert len(send[0].content) > 1_000


async def test_tokens_are_counted_as_they_are_billed(client):
    asked = {k: v for k, v in SPEC.items() if k != "max_tokens"}
    counted = await client.messages.count_tokens(**asked)
    assert counted.input_tokens == (await streamed(client, **SPEC)).usage.input_tokens


async def test_the_models_are_listed_and_a_rejected_key_is_rejected(client, model):
    listed = await client.models.list()
    assert listed.data[0].id == "claude-opus-5-5"
    assert (await client.models.retrieve("claude-haiku-5-5")).lifecycle == "active"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("claude-none")
    rejected = client.with_options(api_key="sk-ant-rejected-1")
    with pytest.raises(anthropic.AuthenticationError):
        await rejected.models.list()
    with pytest.raises(anthropic.AuthenticationError):
        await streamed(rejected, **SPEC)
    assert model.requests == []


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("429_without_retry_after", anthropic.RateLimitError, "rate_limit_error"),
        ("spend_limit", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("529", anthropic.OverloadedError, "overloaded_error"),
        ("400", anthropic.BadRequestError, "invalid_request_error"),
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("403", anthropic.PermissionDeniedError, "permission_error"),
        ("echo_key_in_error", anthropic.BadRequestError, "invalid_request_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_an_error_is_the_one_the_sdk_documents(client, model, fault, error, kind):
    model.script("spec", [fault])
    with pytest.raises(error) as raised:
        await streamed(client, **SPEC)
    assert raised.value.type == kind
    assert raised.value.request_id.startswith("req_demo_")
    assert model.requests[0].fault == fault
    assert (await streamed(client, **SPEC)).stop_reason == "tool_use"


async def test_only_one_429_says_when_to_come_back(client, model):
    model.script("*", ["429:3", "429_without_retry_after"])
    after = []
    for _ in range(2):
        with pytest.raises(anthropic.RateLimitError) as raised:
            await streamed(client, **SPEC)
        after.append(raised.value.response.headers.get("retry-after"))
    assert after == ["3", None]


async def test_a_spend_limit_has_a_code_of_its_own(client, model):
    model.script("*", ["spend_limit"])
    with pytest.raises(anthropic.RateLimitError) as raised:
        await streamed(client, **SPEC)
    assert raised.value.error_code == "enforced_spend_limit_reached"


async def test_an_error_can_carry_the_key_but_no_ledger_does(client, model, tmp_path):
    model.script("*", ["echo_key_in_error"])
    with pytest.raises(anthropic.BadRequestError) as raised:
        await streamed(client, **SPEC)
    assert KEY in str(raised.value)
    assert KEY not in (tmp_path / "ledger.jsonl").read_text()
    assert KEY not in repr(model.requests)


async def test_an_overload_in_mid_stream_leaves_what_was_used(client, model):
    model.script("*", ["overloaded_mid_stream"])
    with pytest.raises(anthropic.APIStatusError) as raised:
        async with client.messages.stream(**SPEC) as stream:
            await stream.get_final_message()
    assert raised.value.status_code == 200
    assert raised.value.type == "overloaded_error"
    assert stream.current_message_snapshot.usage.input_tokens > 10


async def test_a_stream_cut_cleanly_ends_without_its_end(client, model):
    model.script("*", ["cut_clean"])
    kinds = []
    async with client.messages.stream(**SPEC) as stream:
        kinds = [event.type async for event in stream]
    assert "message_stop" not in kinds
    assert model.requests[0].outcome == "cut"


async def test_a_stream_cut_hard_is_a_broken_connection(client, model):
    model.script("*", ["cut_hard"])
    with pytest.raises((anthropic.APIConnectionError, httpx2.TransportError)):
        await streamed(client, **SPEC)


@pytest.mark.parametrize("fault", ["timeout", "stall"])
async def test_silence_ends_at_the_callers_limit(client, model, fault):
    model.script("*", [fault])
    with pytest.raises((anthropic.APITimeoutError, httpx2.TimeoutException)):
        await streamed(client.with_options(timeout=0.3), **SPEC)
    assert (await streamed(client, **SPEC)).stop_reason == "tool_use"


async def test_a_truncated_tool_call_stops_at_max_tokens(client, model):
    model.script("*", ["truncated_tool"])
    message = await streamed(client, **SPEC)
    assert message.stop_reason == "max_tokens"


async def test_a_small_max_tokens_cuts_the_answer_too(client):
    message = await streamed(client, **SPEC | {"max_tokens": 30})
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens <= 30


async def test_malformed_json_is_no_json(client, model):
    model.script("*", ["malformed_json"])
    async with client.messages.stream(**SPEC) as stream:
        with pytest.raises(ValueError, match="JSON"):
            await stream.get_final_message()
    model.script("*", ["malformed_json"])
    raw = ""
    async for event in await client.messages.create(**SPEC, stream=True):
        if event.type == "content_block_delta":
            raw += event.delta.partial_json
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw)


async def test_a_refusal_says_why_and_nothing_else(client, model):
    model.script("*", ["refusal"])
    message = await streamed(client, **SPEC)
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details.category == "general_harms"


async def test_an_empty_answer_and_prose_where_a_tool_was_asked_for(client, model):
    model.script("*", ["empty_answer", "prose_instead_of_tool"])
    empty = await streamed(client, **SPEC)
    prose = await streamed(client, **SPEC)
    assert (empty.stop_reason, empty.content) == ("end_turn", [])
    assert [block.type for block in prose.content] == ["text"]


async def test_a_slow_answer_is_whole_in_the_end(client, model):
    quick = await streamed(client, **SPEC)
    model.script("*", ["slow:0.001"])
    assert (await streamed(client, **SPEC)).content[0].input == quick.content[0].input


async def test_a_held_request_waits_for_its_release(client, model):
    model.script("spec", ["hold"])
    asking = asyncio.create_task(streamed(client, **SPEC))
    await model.until_held()
    assert not asking.done()
    assert model.requests[0].outcome == "pending"
    model.release()
    assert (await asking).stop_reason == "tool_use"


async def test_a_held_caller_that_goes_away_is_noticed(client, model):
    model.script("spec", ["hold"])
    asking = asyncio.create_task(streamed(client, **SPEC))
    await model.until_held()
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(5):
        while model.requests[0].outcome == "pending":
            await asyncio.sleep(0.01)
    assert (model.held, model.requests[0].outcome) == (0, "disconnected")


async def test_a_script_belongs_to_its_agent_and_is_used_up(client, model):
    model.script("planner", ["500"])
    model.script("*", ["ok", "529"])
    assert (await streamed(client, **SPEC)).stop_reason == "tool_use"
    with pytest.raises(anthropic.OverloadedError):
        await streamed(client, **SPEC)
    assert (await streamed(client, **SPEC)).stop_reason == "tool_use"


async def test_every_fault_leaves_the_server_answering(client, model):
    for fault in sorted(FAULTS - {"hold", "timeout", "stall", "slow"}):
        model.script("*", [fault])
        with suppress(anthropic.APIError, httpx2.TransportError, ValueError):
            await streamed(client, **SPEC)
        assert (await streamed(client, **SPEC)).stop_reason == "tool_use"


async def test_another_process_scripts_faults_over_http(client, model):
    async with httpx2.AsyncClient(base_url=model.url) as other:
        order = {"agent": "spec", "faults": ["500"]}
        assert (await other.post("/_faults", json=order)).status_code == 200
        assert (await other.post("/_faults", json={"faults": ["none"]})).status_code == 400
        with pytest.raises(anthropic.InternalServerError):
            await streamed(client, **SPEC)
        seen = (await other.get("/_requests")).json()
    assert [entry["outcome"] for entry in seen["requests"]] == ["500"]


async def test_without_control_nobody_scripts_faults_over_http():
    async with DemoModel(pace=0.0) as closed, httpx2.AsyncClient(base_url=closed.url) as other:
        headers = {"x-api-key": KEY}
        answer = await other.post("/_faults", json={"faults": ["500"]}, headers=headers)
        assert answer.status_code == 404


async def test_control_is_refused_off_the_loopback():
    with pytest.raises(ValueError, match="loopback"):
        await DemoModel(control=True).start("0.0.0.0")  # noqa: S104 - must be refused.


def test_an_unknown_fault_is_refused():
    with pytest.raises(UnknownFault):
        DemoModel().script("*", ["429", "nonsense"])


async def test_the_ledger_file_tells_each_request_once(client, model, tmp_path):
    await streamed(client, **SPEC, extra_headers={"Idempotency-Key": "k-1"})
    model.script("*", ["500"])
    with pytest.raises(anthropic.InternalServerError):
        await streamed(client, **SPEC)
    first, second = read_ledger(tmp_path / "ledger.jsonl")
    assert (first.idempotency_key, first.outcome, second.outcome) == ("k-1", "answered", "500")
    assert first.sha256 == second.sha256
    assert first.input_tokens > 0


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"model":1}'])
async def test_a_request_that_is_none_is_refused(model, body):
    async with httpx2.AsyncClient() as plain:
        answer = await plain.post(
            f"{model.url}/v1/messages", content=body, headers={"x-api-key": KEY}
        )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_an_agent_without_its_inputs_is_an_invalid_request(client):
    with pytest.raises(anthropic.BadRequestError):
        await streamed(client, **request("planner"))


async def test_many_at_once_are_all_answered(client, model):
    answers = await asyncio.gather(*(streamed(client, **SPEC) for _ in range(40)))
    assert {answer.stop_reason for answer in answers} == {"tool_use"}
    assert len(model.requests) == 40


@pytest.fixture
def empty_database(stack):
    """The conninfo of a database with nothing in it."""
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE generated_application TEMPLATE template0")
        yield make_conninfo(stack.dsn, dbname="generated_application")
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier("generated_application"))
        )


def prepared(statement: str, values: list) -> tuple[str, dict]:
    """A statement with $1, $2 … in psycopg's words."""
    text = statement.replace("%", "%%")
    for number in range(len(values), 0, -1):
        text = text.replace(f"${number}", f"%(p{number})s")
    return text, {f"p{number}": value for number, value in enumerate(values, start=1)}


@pytest.mark.parametrize("brief", BRIEFS.values(), ids=BRIEFS.keys())
def test_the_generated_sql_runs_and_keeps_its_rules(empty_database, brief):
    spec = write_spec({"brief": brief})
    drawn = from_entities(spec.entities)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(write_files(spec)["db/schema.sql"])
        for thing in drawn.things:
            run = statements(drawn, thing)
            values = [sample(part, 1) for part in thing.parts]
            (stored,) = connection.execute(*prepared(run["insert"], values)).fetchall()
            assert list(stored) == [1, *values]
            assert connection.execute(*prepared(run["read"], [1])).fetchone() == stored
            found = connection.execute(*prepared(run["list"], ["", 50, 0])).fetchall()
            assert found == [stored]
            assert connection.execute(*prepared(run["list"], ["zzz' --", 50, 0])).fetchall() == []
            again = connection.execute(*prepared(run["update"], [1, *values])).fetchone()
            assert again == stored
            empty = [None] * len(values)
            with pytest.raises(psycopg.errors.NotNullViolation):
                connection.execute(*prepared(run["insert"], empty))
        for thing in drawn.things:
            for target in (drawn.named(part.target) for part in thing.parts):
                if target is not None:
                    with pytest.raises(psycopg.IntegrityError) as kept:
                        connection.execute(*prepared(statements(drawn, target)["remove"], [1]))
                    assert f'"{kept.value.sqlstate}"' in write_files(spec)["src/db.ts"]
        for thing in reversed(drawn.things):
            gone = connection.execute(*prepared(statements(drawn, thing)["remove"], [1])).fetchall()
            assert gone == [(1,)]
