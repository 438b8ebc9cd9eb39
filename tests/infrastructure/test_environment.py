"""Libraries read nothing of the environment behind our back."""

import os

import pytest

from application.ports import ModelError, ModelRequest
from infrastructure.anthropic.model import AnthropicModel
from infrastructure.observability import logs
from interface.cli.up import configured
from interface.settings import ROLE_OF_THE_MACHINE, leave_only_settings, read_settings
from tests.model_server import START, ModelServer, Received, Sent, end, text

KEY = "sk-ant-api03-ours"
STRANGE = {
    "ANTHROPIC_API_KEY": "sk-ant-theirs",
    "ANTHROPIC_AUTH_TOKEN": "theirs",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
    "ANTHROPIC_CUSTOM_HEADERS": (
        "X-Canary: theirs\nx-api-key: theirs\nauthorization: Bearer theirs\n"
        "anthropic-version: theirs\nanthropic-beta: theirs\nHost: theirs\ncookie: theirs"
    ),
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
    "ANTHROPIC_PROFILE": "theirs",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STRANGE.items():
        monkeypatch.setenv(name, value)


async def asked(*, check: bool = False) -> list[Received]:
    body = b"".join([START, text(0, "Hello"), end()])
    async with ModelServer(Sent(body=body)) as server:
        model = AnthropicModel(server.url)
        if check:
            await model.check_key(KEY)
        else:
            await model.ask(
                ModelRequest("claude", 100, (), ({"role": "user", "content": "x"},)),
                KEY,
                idempotency_key="k",
                on_text=lambda _: None,
                on_draft=lambda _: None,
                on_progress=lambda: None,
            )
        await model.close()
        return server.received


@pytest.mark.servers
@pytest.mark.usefixtures("strange")
@pytest.mark.parametrize("check", [False, True])
async def test_a_request_to_the_provider_holds_nothing_of_the_environment(*, check: bool) -> None:
    [request] = await asked(check=check)
    assert "theirs" not in "".join(request.headers.values())
    assert "x-canary" not in request.headers
    assert request.headers["authorization"] == f"Bearer {KEY}"
    allowed = {
        "accept", "accept-encoding", "anthropic-version", "authorization", "connection",
        "content-length", "content-type", "host", "idempotency-key", "user-agent",
    }  # fmt: skip
    others = {name for name in request.headers if name and not name.startswith("x-stainless-")}
    assert others <= allowed


@pytest.mark.usefixtures("strange")
async def test_without_a_key_nothing_is_asked() -> None:
    with pytest.raises(ModelError):
        AnthropicModel("http://127.0.0.1:1")._client(__import__("anthropic"), "")  # noqa: SLF001


def test_what_is_no_setting_and_would_be_obeyed_is_taken_away() -> None:
    kept = {
        "PATH": "/bin",
        "HOME": "/root",
        "LANG": "C",
        "BP_PORT": "1",
        "ANTHROPIC_BASE_URL": "https://example.com",
        "HTTPS_PROXY": "http://proxy:1",
        "https_proxy": "http://proxy:1",
        "NO_PROXY": "x",
        "no_proxy": "x",
        **dict.fromkeys(ROLE_OF_THE_MACHINE, "x"),
    }
    taken = dict.fromkeys(
        [
            "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS",
            "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "AWS_DATA_PATH",
            "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "BOTOCORE_EXPERIMENTAL__PLUGINS", "BOTO_CONFIG",
            "PGHOST", "PGHOSTADDR", "PGOPTIONS", "PGPASSWORD", "PGSERVICE", "PGSSLMODE", "PGUSER",
            "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "SSLKEYLOGFILE",
            "REQUESTS_CA_BUNDLE", "FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY", "OTEL_EXPORTER",
            "NATS_URL", "AUTHLIB_INSECURE_TRANSPORT", "PROMETHEUS_MULTIPROC_DIR",
        ],
        "x",
    )  # fmt: skip
    environment = {**kept, **taken}
    assert leave_only_settings(environment) == sorted(taken)
    assert environment == kept


def test_every_command_takes_it_away_when_it_reads_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = dict(os.environ)
    monkeypatch.setattr(logs, "configure", lambda **_: None)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Canary: theirs")
    try:
        configured()
        assert "ANTHROPIC_CUSTOM_HEADERS" not in os.environ
    finally:
        os.environ.update(before)


def test_the_proxy_is_a_setting_and_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://user:word@proxy:3128")
    settings = read_settings()
    assert settings.https_proxy is not None
    assert "word" not in repr(settings)
    assert "word" in settings.https_proxy.get_secret_value()
    assert os.environ["https_proxy"]
