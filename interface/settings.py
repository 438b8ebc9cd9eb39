"""Settings, read once from the environment. A wrong value ends the start with one line that helps.

This is the only module that reads the environment.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from application.fail_points import PLACES

PROJECT = Path(__file__).resolve().parent.parent


class SettingWrong(Exception):
    """A setting has a value that it does not take."""


class Settings(BaseSettings):
    """Everything an operator may set. Unset means: everything on this machine, embedded."""

    model_config = SettingsConfigDict(env_prefix="BP_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 16 or later, `postgresql://…`; unset: the embedded one"
    )
    nats_url: SecretStr | None = Field(
        None, description="NATS with JetStream, `nats://…`; unset: the embedded one"
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
    operator_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="loopback port of /metrics, 0 to 65535; 0 turns it off"
    )
    computing_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        2,
        description="processes that one process of the service starts, when they are needed, to "
        "read, compare and pack long texts, 1 to 64; a tenant uses half of them at most",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses of reverse proxies whose X-Forwarded-For is believed, with commas; "
        "unset: nobody's",
    )
    oidc_issuer: str | None = Field(
        None, description="issuer whose tokens are accepted; unset: the built-in sign-up and login"
    )
    oidc_audience: str = Field("build-practical", description="audience that tokens must name")
    model: Literal["auto", "anthropic", "demo"] = Field(
        "auto",
        description="`anthropic` or `demo`; unset: anthropic with the tenant's key, demo without",
    )
    agents: dict[str, dict[str, str | float]] = Field(
        {},
        description="JSON of agents to what differs from the roster, "
        'such as `{"spec": {"model": "…", "max_tokens": 16000}}`',
    )
    prices: dict[str, dict[str, str]] = Field(
        {},
        description="JSON of models to dollars per million tokens, "
        'such as `{"claude-…": {"input": "3", "output": "15"}}`; needs BP_PRICES_NAME',
    )
    prices_name: str = Field("", description="name of the price table, recorded with every run")
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
        60.0, description="longest wait of new events for a signed checkpoint, up to 3600 seconds"
    )
    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        60.0, description="how long a step stays with a worker that is silent, 1 to 3600 seconds"
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

    def pauses(self) -> tuple[float, ...]:
        """The pauses between the attempts of a step, in seconds."""
        return tuple(float(part) for part in self.retry_seconds.split(","))

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

    @field_validator("public_url", "oidc_issuer", "anthropic_base_url")
    @classmethod
    def _web(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("must begin with https:// or http://")
        return value.rstrip("/") if value else value


def variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"BP_{name.upper()}"


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
