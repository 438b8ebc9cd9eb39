"""The model behind the port: Anthropic's Messages API, through its SDK.

Invariant: every way in which a request can end is either a whole answer or one `ModelError`, and
neither the key nor the prompt stands in it. The SDK retries nothing, follows no redirect, takes no
key from the environment, and assembles no block: a block that was cut off must not look whole.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from application.ports import ModelAnswer, ModelError, ModelRequest
from domain.runs import Tokens
from infrastructure.anthropic.errors import error_of_body, error_of_exception, error_of_status
from infrastructure.anthropic.stream import Assembly

ADDRESS: Final = "https://api.anthropic.com"
CONNECT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 90.0
"""Without a byte, pings included, the stream is given up."""
LAST_SECONDS: Final = 1.0
"""How long the end of a complete answer is waited for."""
LEAKS: Final = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RecursionError,
    TypeError,
    AttributeError,
)
"""What comes out of the client beside the SDK's own errors, when the other side is away, or answers
what is no answer: the last four out of the SDK's models, which take any JSON for theirs."""
NO_STREAM: Final = ("text/html", "application/json", "application/problem")
LARGEST_ERROR: Final = 65_536
"""Bytes of a body that are read for the error in it."""
OF_THE_KEY: Final = frozenset({"key_rejected", "not_permitted", "account_disabled"})
"""What an answer may say of a key that is of no use: any other is none about the key."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class AnthropicModel:
    """The provider; one instance for the process, with one pool of connections."""

    def __init__(
        self,
        base_url: str = ADDRESS,
        *,
        idle_seconds: float = IDLE_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        connections: int = 200,
    ) -> None:
        """Prepare it; nothing is connected or imported yet.

        Args:
            base_url: Where the Messages API is; the demo model's address for the demo.
            idle_seconds: How long a stream may be silent.
            connect_seconds: How long connecting may take.
            connections: At most so many requests at once.
        """
        self._base_url = base_url
        self._http = httpx2.AsyncClient(
            follow_redirects=False,
            timeout=httpx2.Timeout(idle_seconds, connect=connect_seconds, pool=connect_seconds),
            limits=httpx2.Limits(max_connections=connections),
            # A proxy set for the outside world is not for a server on this machine.
            trust_env=urlsplit(base_url).hostname not in LOOPBACK,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def ask(
        self,
        request: ModelRequest,
        api_key: str,
        *,
        idempotency_key: str,
        on_text: Callable[[str], None],
        on_draft: Callable[[str], None],
        on_progress: Callable[[], None],
        on_tokens: Callable[[Tokens], None] = lambda _: None,
        on_thought: Callable[[str], None] = lambda _: None,
    ) -> ModelAnswer:
        """One streaming request; see `ports.Model`."""
        sdk = await _sdk()
        assembly = Assembly(request.model, on_text, on_draft, on_thought)
        try:
            async with (
                asyncio.timeout(None) as limit,
                self._opened(sdk, request, api_key, idempotency_key) as response,
            ):
                assembly.request_id = response.headers.get("request-id", "")
                if not _is_stream(response):
                    raise await _of_whole_body(response, request.model, api_key)
                async for event in sdk.AsyncStream.raw_events(response):
                    on_progress()
                    before = assembly.tokens
                    if event.event == "error":
                        assembly.error = event.data or "{}"
                    else:
                        assembly.take(event.data)
                    if assembly.error:
                        break
                    if assembly.tokens != before:
                        on_tokens(assembly.tokens)
                    if assembly.complete:
                        # Read to its end the connection serves again; but nobody waits for that.
                        limit.reschedule(asyncio.get_running_loop().time() + LAST_SECONDS)
        except (sdk.AnthropicError, *LEAKS) as error:
            if not assembly.complete:
                # Cut loose from its cause, whose request holds the key.
                used = assembly.tokens
                raise _explained(sdk, error, used, request.model, api_key) from None
        if assembly.error:
            raise error_of_body(assembly.error, assembly.tokens, request.model, api_key)
        return assembly.answer()

    async def check_key(self, api_key: str) -> bool | None:
        """Whether the provider accepts the key; None when that cannot be found out now."""
        sdk = await _sdk()
        try:
            listed = await self._client(sdk, api_key).models.list(limit=1)
        except sdk.APIStatusError as error:
            return False if _explained(sdk, error, Tokens(), "", "").code in OF_THE_KEY else None
        except (sdk.AnthropicError, *LEAKS):
            return None
        # A page of somebody else's is no list, whatever its status.
        return True if isinstance(getattr(listed, "data", None), list) else None

    @asynccontextmanager
    async def _opened(
        self, sdk: ModuleType, request: ModelRequest, api_key: str, idempotency_key: str
    ) -> AsyncIterator[httpx2.Response]:
        wanted: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": list(request.system),
            "messages": list(request.messages),
            **({"tools": list(request.tools)} if request.tools else {}),
            **request.parameters,
        }
        opening = self._client(sdk, api_key).messages.with_streaming_response.create(
            **wanted,
            stream=True,
            extra_headers={"Idempotency-Key": idempotency_key},
        )
        async with opening as response:
            yield response.http_response

    def _client(self, sdk: ModuleType, api_key: str) -> Any:  # noqa: ANN401 - imported late.
        """A client that knows this key for the length of a call."""
        if not api_key:
            raise ModelError("key_rejected", "There is no API key to work with.", retryable=False)
        client = sdk.AsyncAnthropic(
            api_key=api_key,
            base_url=self._base_url,
            max_retries=0,
            timeout=self._http.timeout,
            http_client=self._http,
            # Prompts are nobody's to trace, whatever the environment says.
            open_telemetry=False,
        )
        # In place of what the SDK took from the environment, which might bill somebody else.
        client._custom_headers = {"Authorization": f"Bearer {api_key}"}  # noqa: SLF001
        return client


async def _sdk() -> ModuleType:
    """The SDK, imported when it is first needed: that takes seconds, and blocks nobody."""
    return await asyncio.to_thread(importlib.import_module, "anthropic")


async def retiring(models: Collection[str]) -> Mapping[str, str]:
    """Those of the models whose end of life the SDK knows, with its date in the SDK's words."""
    await _sdk()
    known = importlib.import_module("anthropic.resources.messages.messages").DEPRECATED_MODELS
    return {model: str(known[model]) for model in sorted(models) if model in known}


def _is_stream(response: httpx2.Response) -> bool:
    """Whether what comes may be a stream: gateways name it in many ways."""
    kind = response.headers.get("content-type", "").lower()
    return not any(other in kind for other in NO_STREAM)


async def _of_whole_body(response: httpx2.Response, model: str, api_key: str) -> ModelError:
    """The error of a body that came as a success, and whole: it is no answer of the provider's."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_ERROR:
            break
    told = body.decode("utf-8", "replace")
    return error_of_body(told, Tokens(), model, api_key, otherwise="not_the_provider")


def _explained(
    sdk: ModuleType, error: Exception, tokens: Tokens, model: str, api_key: str
) -> ModelError:
    if isinstance(error, sdk.APIStatusError):
        return error_of_status(
            error.status_code,
            error.body,
            error.response.headers,
            tokens=tokens,
            model=model,
            api_key=api_key,
        )
    return error_of_exception(error, tokens)
