"""The adapter to the Messages API, against servers that speak its protocol, well and badly."""

import asyncio
import json

import msgspec
import pytest

from application.ports import Block, ModelAnswer, ModelError, ModelRequest
from domain.runs import Tokens
from infrastructure.anthropic.errors import RETRYABLE
from infrastructure.anthropic.model import AnthropicModel
from infrastructure.demo_model import DemoModel
from tests.model_server import START, ModelServer, Sent, end, failure, sse, text, tool

pytestmark = pytest.mark.servers

KEY = "sk-ant-api03-canary-0123456789abcdef"
PROMPT = "The prompt that nobody else may read."
REQUEST = ModelRequest(
    model="claude-sonnet-5-5",
    max_tokens=32_000,
    system=({"type": "text", "text": "# Agent: spec", "cache_control": {"type": "ephemeral"}},),
    messages=({"role": "user", "content": [{"type": "text", "text": PROMPT}]},),
    tools=({"name": "write_files", "description": "x", "input_schema": {"type": "object"}},),
    parameters={"output_config": {"effort": "low"}},
)


class Asked:
    """One request to a server, and everything that it answered."""

    def __init__(self, url: str, **settings: float) -> None:
        self.model = AnthropicModel(url, **settings)
        self.texts: list[str] = []
        self.signs = 0

    def _sign(self) -> None:
        self.signs += 1

    async def __call__(self, key: str = KEY) -> ModelAnswer:
        try:
            return await self.model.ask(
                REQUEST,
                key,
                idempotency_key="task-1-1",
                on_text=self.texts.append,
                on_draft=lambda _: None,
                on_progress=self._sign,
            )
        finally:
            await self.model.close()


async def answered(*parts: bytes) -> ModelAnswer:
    async with ModelServer(Sent(body=b"".join(parts))) as server:
        return await Asked(server.url)()


async def refused(sent: Sent, **settings: float) -> ModelError:
    async with ModelServer(sent) as server:
        with pytest.raises(ModelError) as raised:
            await Asked(server.url, **settings)()
        assert len(server.received) == 1
    error = raised.value
    for part in (str(error), repr(error), str(error.__cause__), str(vars(error))):
        assert KEY not in part
        assert PROMPT not in part
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


async def test_a_whole_answer_is_put_together_block_by_block():
    answer = await answered(
        START,
        sse("ping"),
        text(0, "Hello ", "wörld"),
        tool(1, '{"files"', ": []}"),
        end("tool_use"),
    )
    assert answer == ModelAnswer(
        blocks=(
            Block("text", text="Hello wörld"),
            Block("tool_use", id="t1", name="write_files", input=msgspec.Raw(b'{"files": []}')),
        ),
        stop_reason="tool_use",
        tokens=Tokens(10, 42, 7, 3),
        model="claude-real",
        request_id="req_1",
    )


async def test_the_request_is_what_the_provider_wants():
    async with ModelServer(Sent(body=START + end())) as server:
        await Asked(server.url)()
    (received,) = server.received
    assert received.path == "/v1/messages"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["idempotency-key"] == "task-1-1"
    body = received.body
    assert body["stream"] is True
    assert body["system"] == list(REQUEST.system)
    assert body["messages"] == list(REQUEST.messages)
    assert body["tools"] == list(REQUEST.tools)
    assert body["output_config"] == {"effort": "low"}


async def test_text_and_signs_of_life_come_as_they_come():
    async with ModelServer(Sent(body=START + sse("ping") + text(0, "a", "b") + end())) as server:
        asked = Asked(server.url)
        await asked()
    assert asked.texts == ["a", "b"]
    assert asked.signs == 8


async def test_no_key_of_the_environment_is_ever_used(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-operator")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "operator-token")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "Authorization: Bearer sk-ant-operator")
    async with ModelServer(Sent(body=START + end())) as server:
        await Asked(server.url)()
        with pytest.raises(ModelError) as raised:
            await Asked(server.url)(key="")
    assert raised.value.code == "key_rejected"
    assert len(server.received) == 1
    assert "operator" not in str(server.received[0].headers)


@pytest.mark.parametrize(
    "parts",
    [
        (text(0, "Done."), tool(1, '{"files": [{"path": "a.ts", "content": "x')),
        (text(0, "Done."), tool(1, '{"files": [{"path": "a.ts"', close=False)),
        (text(0, "Done."), text(1, "And th")),
    ],
)
async def test_the_block_that_was_cut_off_is_dropped(parts):
    answer = await answered(START, *parts, end("max_tokens"))
    assert answer.truncated
    assert answer.stop_reason == "max_tokens"
    assert [block.text for block in answer.blocks] == ["Done."]


async def test_a_call_that_is_whole_is_kept_at_the_limit():
    answer = await answered(START, tool(0, '{"files": []}'), end("max_tokens"))
    assert not answer.truncated
    assert answer.blocks[0].input == msgspec.Raw(b'{"files": []}')


async def test_malformed_json_of_a_call_is_kept_as_text_that_can_be_stored():
    answer = await answered(START, tool(0, '{"files": [', "}"), end("tool_use"))
    stored = msgspec.json.decode(msgspec.json.encode(answer), type=ModelAnswer)
    assert msgspec.json.decode(stored.blocks[0].input) == '{"files": [}'


async def test_a_call_without_input_is_an_empty_object():
    answer = await answered(START, tool(0), end("tool_use"))
    assert answer.blocks[0].input == msgspec.Raw(b"{}")


async def test_thinking_is_kept_whole_for_the_next_turn():
    thought = b"".join(
        [
            sse("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
            sse("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm"}),
            sse(
                "content_block_delta", index=0, delta={"type": "signature_delta", "signature": "S"}
            ),
            sse("content_block_stop", index=0),
        ]
    )
    answer = await answered(START, thought, text(1, "Yes."), end())
    assert json.loads(bytes(answer.blocks[0].input)) == {
        "type": "thinking",
        "thinking": "Hm",
        "signature": "S",
    }


def thought(index: int, *parts: str, signature: str = "S") -> bytes:
    """A block of thinking; without a signature it was cut off."""
    begun = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [{"type": "thinking_delta", "thinking": part} for part in parts]
    signed = [{"type": "signature_delta", "signature": signature}] if signature else []
    return b"".join(
        [
            sse("content_block_start", index=index, content_block=begun),
            *(sse("content_block_delta", index=index, delta=d) for d in (*deltas, *signed)),
            sse("content_block_stop", index=index),
        ]
    )


async def test_a_thought_that_is_not_shown_comes_back_with_its_signature():
    answer = await answered(START, thought(0), tool(1, '{"files": []}'), end("tool_use"))
    kept = {"type": "thinking", "thinking": "", "signature": "S"}
    assert json.loads(bytes(answer.blocks[0].input)) == kept


async def test_a_thought_that_was_cut_off_is_dropped():
    parts = (tool(0, '{"files": []}'), thought(1, "And n", signature=""))
    answer = await answered(START, *parts, end("max_tokens"))
    assert answer.truncated
    assert [block.type for block in answer.blocks] == ["tool_use"]


async def test_a_refusal_says_its_category():
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    delta = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    told = sse("message_delta", delta=delta, usage={"output_tokens": 1}) + sse("message_stop")
    answer = await answered(START, told)
    assert (answer.stop_reason, answer.refusal) == ("refusal", "cyber")


async def test_events_nobody_knows_are_passed_over():
    answer = await answered(START, sse("brand_new", x=1), text(0, "a"), end())
    assert answer.blocks[0].text == "a"


async def test_a_refusal_is_an_answer():
    answer = await answered(START, end("refusal"))
    assert (answer.stop_reason, answer.blocks) == ("refusal", ())


@pytest.mark.parametrize(
    ("sent", "code", "retryable"),
    [
        (failure(400, "invalid_request_error"), "invalid_request", False),
        (failure(401, "authentication_error"), "key_rejected", False),
        (failure(402, "billing_error"), "spend_limit", False),
        (failure(403, "permission_error"), "not_permitted", False),
        (failure(404, "not_found_error"), "model_not_found", False),
        (failure(413, "request_too_large"), "input_too_long", False),
        (failure(429, "rate_limit_error"), "rate_limited", True),
        (failure(500, "api_error"), "server_error", True),
        (failure(503, "whatever"), "server_error", True),
        (failure(529, "overloaded_error"), "overloaded", True),
        (
            failure(400, "invalid_request_error", "Your credit balance is too low"),
            "spend_limit",
            False,
        ),
        (
            failure(
                429, "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}
            ),
            "spend_limit",
            False,
        ),
        (Sent(status=502, body=b"<html>Bad gateway</html>"), "server_error", True),
        (Sent(status=307, headers={"location": "http://127.0.0.1:9/"}), "connection", False),
        (Sent(body=START + text(0, "a")), "cut_off", True),
        (Sent(body=START + text(0, "a"), then="abort"), "connection", True),
        (Sent(then="abort", silent=True), "connection", True),
        (Sent(body=START + b"event: x\ndata: {broken\n\n"), "cut_off", True),
        (Sent(body=START + b"event: x\ndata: \xff\xfe\n\n"), "cut_off", True),
        (Sent(body=START + b'event: x\ndata: {"type": "content_block_stop"}\n\n'), "cut_off", True),
        (Sent(body=b""), "cut_off", True),
    ],
)
async def test_every_bad_end_has_its_code(sent, code, retryable):
    error = await refused(sent)
    assert (error.code, error.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", None), ("-1", None)]
)
async def test_the_provider_says_how_long_to_wait(said, seconds):
    error = await refused(failure(429, "rate_limit_error", headers={"retry-after": said}))
    assert error.retry_after_seconds == seconds


async def test_an_overload_in_mid_stream_counts_what_was_used():
    overloaded = sse("error", error={"type": "overloaded_error", "message": "Overloaded"})
    error = await refused(Sent(body=START + text(0, "a") + overloaded))
    assert (error.code, error.retryable) == ("overloaded", True)
    assert error.tokens == Tokens(10, 1, 7, 3)


def nameless(*events: dict) -> bytes:
    """Events as some gateways pass them on: without the line that names them."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def error_event(kind: str, message: str = "No.") -> dict:
    return {"type": "error", "error": {"type": kind, "message": message}}


JSON = {"content-type": "application/json; charset=utf-8"}
PAGE = {"content-type": "text/html"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Sent(body=nameless(error_event("authentication_error"))), "key_rejected"),
        (Sent(body=START + nameless(error_event("overloaded_error"))), "overloaded"),
        (Sent(body=nameless(error_event("invalid_request_error", "prompt is too long"))),
         "input_too_long"),
        (Sent(body=nameless({"error": {"message": "No auth", "code": 401}})), "key_rejected"),
        (Sent(body=b"event: message\n" + nameless(error_event("permission_error"))),
         "not_permitted"),
        (Sent(headers=JSON, body=json.dumps(error_event("authentication_error")).encode()),
         "key_rejected"),
        (Sent(headers=JSON, body=json.dumps(error_event("overloaded_error")).encode()),
         "overloaded"),
        (Sent(headers=JSON, body=b'{"type": "message", "content": []}'), "not_the_provider"),
        (Sent(headers=PAGE, body=b"<html>Sign in to the network</html>"), "not_the_provider"),
        (Sent(status=403, headers=PAGE, body=b"<html>Blocked</html>"), "not_the_provider"),
        (Sent(status=503, headers=PAGE, body=b"<html>Unavailable</html>"), "server_error"),
    ],
)  # fmt: skip
async def test_an_error_is_known_by_its_data_however_it_comes(sent, code):
    error = await refused(sent)
    assert (error.code, error.retryable) == (code, code in RETRYABLE)


async def test_events_without_names_are_an_answer_like_any_other():
    named = START + text(0, "Hello") + end()
    bare = b"\n".join(line for line in named.split(b"\n") if not line.startswith(b"event:"))
    answer = await answered(bare + b"data: [DONE]\n\n")
    assert [block.text for block in answer.blocks] == ["Hello"]


async def test_silence_ends_in_a_timeout():
    for sent in (Sent(then="hang", silent=True), Sent(body=START, then="hang")):
        error = await refused(sent, idle_seconds=0.3)
        assert (error.code, error.retryable) == ("timeout", True)


async def test_nobody_at_the_address_is_a_connection_that_failed():
    async with ModelServer() as server:
        url = server.url
    with pytest.raises(ModelError) as raised:
        await Asked(url)()
    assert (raised.value.code, raised.value.retryable) == ("connection", True)


async def test_a_key_that_the_provider_echoes_is_taken_out():
    error = await refused(failure(400, "invalid_request_error", f"The key {KEY} is odd."))
    assert "is odd" in str(error)


async def test_cancelling_closes_the_stream():
    async with ModelServer(Sent(body=START + text(0, "a"), then="hang")) as server:
        asked = Asked(server.url)
        task = asyncio.create_task(asked())
        while not asked.texts:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.left.wait()


async def test_keys_are_checked_against_the_list_of_models():
    async with DemoModel(pace=0.0) as demo:
        model = AnthropicModel(demo.url)
        assert await model.check_key(KEY) is True
        assert await model.check_key("sk-ant-rejected") is False
        await model.close()
    about_the_key = (failure(403, "permission_error"), failure(401, "authentication_error"))
    about_something_else = (
        failure(500, "api_error"),
        failure(403, "forbidden", "Request not allowed"),
        Sent(status=403, headers=PAGE, body=b"<html>Blocked</html>"),
        Sent(status=401, headers=PAGE, body=b"<html>Sign in to the proxy</html>"),
        Sent(headers=PAGE, body=b"<html>Sign in to the network</html>"),
        Sent(headers=JSON, body=b"[]"),
    )
    async with ModelServer(*about_the_key, *about_something_else) as server:
        model = AnthropicModel(server.url)
        for _ in about_the_key:
            assert await model.check_key(KEY) is False
        for _ in about_something_else:
            assert await model.check_key(KEY) is None
        await model.close()


async def test_a_key_cannot_be_checked_where_nobody_answers():
    async with ModelServer() as server:
        url = server.url
    model = AnthropicModel(url)
    assert await model.check_key(KEY) is None
    await model.close()


async def test_a_complete_answer_does_not_wait_for_a_server_that_lingers():
    async with ModelServer(Sent(body=START + text(0, "a") + end(), then="hang")) as server:
        answer = await Asked(server.url)()
    assert answer.blocks[0].text == "a"


async def test_connections_serve_again():
    async with DemoModel(pace=0.0) as demo:
        asked = Asked(demo.url)
        ports = set()
        for number in range(3):
            await asked.model.ask(
                REQUEST,
                KEY,
                idempotency_key=f"{number}",
                on_text=lambda _: None,
                on_draft=lambda _: None,
                on_progress=lambda: None,
            )
            ports |= {id(c) for c in asked.model._http._transport._pool.connections}  # noqa: SLF001
        await asked.model.close()
    assert len(demo.requests) == 3
    assert len(ports) == 1
