"""Settings, read once from the environment. A wrong value ends the start with one line that helps.

This is the only module that reads the environment. Invariant: libraries read nothing of it behind
our back: what they would obey and is no setting is taken away before anything is opened.
"""

import ipaddress
from collections.abc import MutableMapping
from os import environ, getpid  # noqa: TID251  # This is its one home.
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from application.execution.fail_points import PLACES
from interface.limits import rates_of, rooms_of

OBEYED_BY_LIBRARIES = (
    "ANTHROPIC_", "AUTHLIB_", "AWS_", "BOTO", "EVENTSOURCING_", "LITESTAR_", "NATS_", "OTEL_", "PG",
    "PROMETHEUS_", "UVICORN_",
)  # fmt: skip
"""How variables begin that change where libraries connect, what they send, or what they load."""
OBEYED_BY_NAME = frozenset(
    {
        "ALL_PROXY", "CURL_CA_BUNDLE", "FORWARDED_ALLOW_IPS", "FTP_PROXY", "HTTP_PROXY",
        "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "WEB_CONCURRENCY", "WSS_PROXY",
        "WS_PROXY",
    }
)  # fmt: skip
"""The same by their whole names, in capitals; libraries read them in small letters, too."""
ROLE_OF_THE_MACHINE = frozenset(
    {
        "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_DEFAULT_REGION", "AWS_PROFILE",
        "AWS_REGION", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
    }
)  # fmt: skip
"""What says who this machine is, for a bucket without credentials of its own."""

PROJECT = Path(__file__).resolve().parent.parent


class SettingWrong(Exception):
    """A setting has a value that it does not take."""


class Settings(BaseSettings):
    """Everything an operator may set. Unset means: everything on this machine, embedded."""

    model_config = SettingsConfigDict(env_prefix="BP_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 16 or later, `postgresql://…`; unset: the embedded one"
    )
    database_connections: Annotated[int, Field(ge=4, le=200)] = Field(
        12,
        description="connections to the database that one process holds at most, those of the log "
        "included, 4 to 200; `up` is five processes",
    )
    nats_url: SecretStr | None = Field(
        None, description="NATS with JetStream, `nats://…`; unset: the embedded one"
    )
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = Field(
        1, description="servers that keep the stream of announcements, 1 to 5; 3 on a cluster"
    )
    artifacts_url: str | None = Field(
        None, description="`file:///folder` or `s3://bucket?endpoint=…`; unset: a local folder"
    )
    artifacts_access_key_id: str | None = Field(
        None, description="access key id of the bucket; unset: the machine's own role"
    )
    artifacts_secret_access_key: SecretStr | None = Field(
        None, description="secret access key of the bucket; unset: the machine's own role"
    )
    artifacts_packed: bool = Field(
        default=True,
        description="`true`: files of one step that are stored together share an object; `false` "
        "while processes of a version without this setting run beside, which read no such objects",
    )
    master_key: SecretStr | None = Field(
        None, description="the key that wraps all data keys; unset: BP_MASTER_KEY_FILE"
    )
    master_key_file: Path | None = Field(
        None, description="file of mode 0600 with that key; unset: generated in the data folder"
    )
    public_url: str = Field(
        "", description="address that browsers use, `https://…`; unset: http://HOST:PORT"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="port to listen on, 0 to 65535; 0 chooses a free one"
    )
    operator_port: Annotated[int, Field(ge=0, le=65531)] = Field(
        0,
        description="loopback port of /metrics and /health/ready of api, 0 to 65531; worker, "
        "relay, projector and sweeper take the four ports behind it; 0 turns it off",
    )
    computing_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        2,
        description="processes that one process of the service starts, when they are needed, to "
        "read, compare and pack long texts, 1 to 64; a tenant uses half of them at most",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of reverse proxies whose X-Forwarded-For is believed, "
        "with commas; unset: nobody's",
    )
    connections: Annotated[int, Field(ge=0, le=65_536)] = Field(
        0,
        description="connections of one API process at most, 0 to 65536; "
        "0: from how many files it may have open",
    )
    places: dict[str, dict[str, int]] = Field(
        {},
        description="JSON of kinds to how many streams and downloads one API process has at once, "
        'such as `{"live": {"in_all": 2000, "tenant": 40}}`; unset: see Limits',
    )
    rates: dict[str, str] = Field(
        {},
        description="JSON of what is counted to how often in how many seconds, "
        'such as `{"create": "300/600"}`; unset: see Limits',
    )
    oidc_issuer: str | None = Field(
        None,
        description="issuer whose access tokens are accepted, as it stands in their `iss`; "
        "unset: the built-in sign-up and login",
    )
    oidc_audience: str = Field("build-practical", description="audience that tokens must name")
    model: Literal["auto", "anthropic", "demo"] = Field(
        "auto",
        description="`anthropic` or `demo`; unset: anthropic with the tenant's key, demo without",
    )
    agents: dict[str, dict[str, str | float]] = Field(
        {},
        description="JSON of agents to what differs from the agents' configuration, "
        'such as `{"spec": {"model": "…", "max_tokens": 16000}}`; '
        "`effort` and `thinking` empty for a model before the 5.5 ones",
    )
    prices: dict[str, dict[str, str]] = Field(
        {},
        description="JSON of models to dollars per million tokens, such as "
        '`{"claude-…": {"input": "3", "output": "15", "cache_read": "0.3"}}`; without '
        "`cache_read` and `cache_write` they are 0.1 and 1.25 of `input`; needs BP_PRICES_NAME",
    )
    prices_name: str = Field(
        "", description="version of the price table that BP_PRICES makes, recorded with every run"
    )
    hand_over: bool = Field(
        default=True,
        description="`true`: a worker that has room begins at once with the steps that its own "
        "results make due; `false`: every step is claimed from the queue",
    )
    allow_undecided_download: bool = Field(
        default=False,
        description="`true`: code whose reviews came to no verdict may be downloaded as not "
        "passed, and says so",
    )
    mending_rounds: Annotated[int, Field(ge=0, le=6)] = Field(
        2,
        description="rounds in which code that failed its reviews is mended without a person, each "
        "paid for with the tenant's key, 0 to 6; 0: a person decides each time",
    )
    stuck_after_seconds: Annotated[float, Field(gt=0)] = Field(
        600.0, description="silence after which a step is failed, in seconds"
    )
    sweep_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="pause between two sweeps for stuck steps, in seconds"
    )
    keep_tasks_days: Annotated[float, Field(ge=4, le=3650)] = Field(
        30.0,
        description="how long finished steps stay in the queue's table, 4 to 3650 days; "
        "the log keeps what they did for ever",
    )
    checkpoint_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        60.0, description="longest wait of new events for a signed tree head, up to 3600 seconds"
    )
    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        5.0, description="how long a step stays with a worker that is silent, 1 to 3600 seconds"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        10.0,
        description="how long a worker that is told to stop lets its steps go on, 0 to 3600 "
        "seconds; then it hands them back",
    )
    leave_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        5.0,
        description="how long an API that is told to stop still takes connections, while it says "
        "that it is not ready, 0 to 3600 seconds; not if another process has its listener",
    )
    retry_seconds: Annotated[
        str, Field(pattern=r"^\d{1,5}(\.\d{1,3})?(,\d{1,5}(\.\d{1,3})?){2}$")
    ] = Field(
        "10,60,300",
        description="pauses before the second, third and fourth attempt of a step, in seconds",
    )
    steps_at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        32, description="steps one worker works on at once, 1 to 1000"
    )
    alone_at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        4,
        description="steps that one worker runs in processes of their own at once, because one of "
        "them may have ended a worker, 1 to 1000; each takes 100 MB",
    )
    tenant_steps_at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="steps of one tenant at once over all workers, 1 to 1000"
    )
    demo_pace_seconds: Annotated[float, Field(ge=0, le=1)] = Field(
        0.004, description="pause of the demo model between two pieces of text, 0 to 1 second"
    )
    data_dir: Path = Field(
        PROJECT / ".data", description="folder of everything embedded; one process at a time"
    )
    log_format: Literal["console", "json"] = Field("console", description="`console` or `json`")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`debug`, `info`, `warning` or `error`"
    )
    fail_point: str = Field(
        "",
        pattern=rf"^(({'|'.join(PLACES)})(@[a-z_]+)?)?$",
        description="for tests only: where a worker kills or stops itself; leave it unset",
    )
    anthropic_base_url: str | None = Field(
        None,
        validation_alias="ANTHROPIC_BASE_URL",
        description="address of the Messages API; unset: the provider's own",
    )
    https_proxy: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HTTPS_PROXY", "https_proxy"),
        description="proxy of this service's own requests (model, issuer, bucket), `http://…`; "
        "unset: none",
    )
    no_proxy: str | None = Field(
        None,
        validation_alias=AliasChoices("NO_PROXY", "no_proxy"),
        description="hosts that are asked without that proxy, with commas; unset: none",
    )
    ssl_cert_file: Path | None = Field(
        None,
        validation_alias="SSL_CERT_FILE",
        description="authorities that certificates of other servers are checked against; "
        "unset: the usual ones",
    )

    def pauses(self) -> tuple[float, ...]:
        """The pauses between the attempts of a step, in seconds."""
        return tuple(float(part) for part in self.retry_seconds.split(","))

    @field_validator("places")
    @classmethod
    def _places(cls, value: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        rooms_of(value)
        return value

    @field_validator("rates")
    @classmethod
    def _rates(cls, value: dict[str, str]) -> dict[str, str]:
        rates_of(value)
        return value

    def plain(self) -> dict[str, Any]:
        """All values as `read_settings` takes them, secrets in plain: for our own processes."""
        return {_given_as(name): _plain(value) for name, value in self}

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value and urlsplit(value.get_secret_value()).scheme not in {"postgresql", "postgres"}:
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("nats_url")
    @classmethod
    def _nats(cls, value: SecretStr | None) -> SecretStr | None:
        if value and urlsplit(value.get_secret_value()).scheme not in {"nats", "tls"}:
            raise ValueError("must begin with nats:// or tls://")
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _artifacts(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in {"file", "s3"}:
            raise ValueError("must begin with file:/// or s3://")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        proxies = [part.strip() for part in value.split(",") if part.strip()]
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy} is neither an address nor a network") from None
        return ",".join(proxies)

    @field_validator("https_proxy")
    @classmethod
    def _proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value and value.get_secret_value():
            if urlsplit(value.get_secret_value()).scheme not in {"http", "https"}:
                raise ValueError("must begin with http:// or https://")
            return value
        return None

    @field_validator("ssl_cert_file")
    @classmethod
    def _authorities(cls, value: Path | None) -> Path | None:
        if value and not value.is_file():
            raise ValueError("must be a file")
        return value

    @field_validator("public_url", "anthropic_base_url")
    @classmethod
    def _web(cls, value: str | None) -> str | None:
        return _web_address(value).rstrip("/") if value else value

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        # A slash at the end is a part of some issuers' names.
        return _web_address(value) if value else None


def _web_address(value: str) -> str:
    if urlsplit(value).scheme not in {"http", "https"}:
        raise ValueError("must begin with https:// or http://")
    return value


def variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return alias if isinstance(alias, str) else f"BP_{name.upper()}"


def _given_as(name: str) -> str:
    """What the field is called where a value is given for it."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else name


def _plain(value: Any) -> Any:  # noqa: ANN401  # As JSON takes it.
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def surroundings() -> dict[str, str]:
    """The environment without our settings, some of which are secrets: for processes of ours."""
    return {name: value for name, value in environ.items() if not name.startswith("BP_")}


FIRST_PASSED: Final = 3
"""The first file descriptor that a supervisor passes on (sd_listen_fds(3))."""


def passed_descriptors() -> tuple[int, ...]:
    """The file descriptors that a supervisor such as systemd passes on to this process, once.

    They are meant for it alone if `LISTEN_PID` says so; nothing that it starts is told of them.
    """
    ours = environ.pop("LISTEN_PID", "") == str(getpid())
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not (ours and count.isascii() and count.isdigit() and len(count) <= 3):  # noqa: PLR2004
        return ()
    return tuple(range(FIRST_PASSED, FIRST_PASSED + int(count)))


def leave_only_settings(environment: MutableMapping[str, str] = environ) -> list[str]:
    """Take away what libraries would obey and is no setting; the names, sorted.

    Call it once, when settings are read: such as `ANTHROPIC_CUSTOM_HEADERS`, `PGHOSTADDR` or
    `AWS_ENDPOINT_URL` are for other programs on this machine.
    """
    ours = {variable(name) for name in Settings.model_fields} | ROLE_OF_THE_MACHINE
    gone = [
        name
        for name in environment
        if name not in ours
        and (name.startswith(OBEYED_BY_LIBRARIES) or name.upper() in OBEYED_BY_NAME)
    ]
    for name in gone:
        del environment[name]
    return sorted(gone)


def read_settings(**given: Any) -> Settings:  # noqa: ANN401  # Values of any setting, by name.
    """The settings from the environment; what is given here goes before it.

    Raises:
        SettingWrong: one line that names the setting and what it takes.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = str(first["loc"][0])
        name = next((n for n in Settings.model_fields if place in {n, variable(n)}), place)
        takes = Settings.model_fields[name].description if name in Settings.model_fields else ""
        message = first["msg"].removeprefix("Value error, ")
        raise SettingWrong(f"{variable(name)}: {message}. It takes: {takes}.") from None
