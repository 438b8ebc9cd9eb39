"""The API process: the use cases and read models behind the HTTP application."""

import asyncio
import secrets
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeVar

from application.accounts import Accounts
from application.api_keys import KeySettings
from application.delivery.history import Histories
from application.download import Download
from application.estimates import Estimates
from application.ports import ArtifactStore, Unavailable
from application.providers import Choice
from application.throttle import Throttle
from infrastructure.accounts import PostgresAccounts, PostgresSessions
from infrastructure.anthropic_model import ADDRESS, AnthropicModel
from infrastructure.api_keys import SealedApiKeys
from infrastructure.archive import ZipArchive
from infrastructure.audit import PostgresAudit
from infrastructure.audit_log import PostgresAuditLog
from infrastructure.clock import utc_now
from infrastructure.data_keys import DataKeys
from infrastructure.database import Database
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.experience import PostgresExperience
from infrastructure.git_bundle import GitBundle
from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.passwords import PasswordHasher
from infrastructure.identity.refresh import RefreshTokens
from infrastructure.identity.tokens import TokenIssuer
from infrastructure.identity.verify import TokenVerifier
from infrastructure.jetstream import Link
from infrastructure.jetstream.progress import announced_upto
from infrastructure.outbox import OutboxFolder
from infrastructure.read_models import PostgresReadStore
from infrastructure.read_models.certifying import PostgresCertifier
from infrastructure.signing_keys import OwnTokens, SigningKeys
from infrastructure.transparency import LogKeys
from infrastructure.usage import PostgresExpenses
from interface.foundation import Foundation, new_id
from interface.http.services import HttpSettings, Readiness, Services
from interface.processes import database_of, features_of, roster_in_force
from interface.settings import PROJECT

T = TypeVar("T")

ROLE: Final = "bp_api"
LOOK_SECONDS: Final = 2.0
SENDER: Final = "Build Practical <no-reply@localhost>"


def service_version() -> str:
    """The installed version, or the project's own where it runs from its folder."""
    try:
        return version("build-practical")
    except PackageNotFoundError:
        return "0.1.0"


class Dependencies:
    """How the database, NATS and the object store are."""

    def __init__(
        self, database: Database, link: Link, artifacts: ArtifactStore, reads: PostgresReadStore
    ) -> None:
        self._database = database
        self._link = link
        self._artifacts = artifacts
        self._reads = reads

    async def report(self) -> Readiness:
        """Ask them all, within two seconds. Never raises."""
        postgres, artifacts, lag, relay, unsigned = await asyncio.gather(
            self._soon(self._database.ready()),
            self._soon(self._artifacts.ready()),
            self._soon(self._reads.lag()),
            self._soon(self._relay_lag()),
            self._soon(self._checkpoint_lag()),
        )
        return Readiness(
            postgres=bool(postgres),
            nats=self._link.up,
            artifacts=bool(artifacts),
            relay_lag_events=relay,
            projection_lag_events=lag,
            checkpoint_lag_seconds=unsigned,
        )

    async def _soon(self, question: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await question
        except (Unavailable, TimeoutError):
            return None

    async def _checkpoint_lag(self) -> float:
        return float((await self._database.call("SELECT app.checkpoint_lag()"))[0][0])

    async def _relay_lag(self) -> int | None:
        announced = await announced_upto(self._link)
        if announced is None:
            return None
        head = await self._reads.position() + await self._reads.lag()
        return max(0, head - announced)


async def open_api(scope: AsyncExitStack, base: Foundation, public_url: str) -> Services:
    """Everything that the HTTP application needs; `scope` closes it.

    Raises:
        Unavailable: the database, which keeps the signing keys, does not answer.
        WrongMasterKey: the signing keys were sealed under another master key.
    """
    settings = base.settings
    database = await database_of(scope, base, ROLE)
    features, log = await features_of(scope, base, database, ROLE)
    reads = PostgresReadStore(database, watch=base.live.watch)
    audit = PostgresAudit(database)
    stored = PostgresStoredLog(database, base.ring)
    provider = AnthropicModel(settings.anthropic_base_url or ADDRESS)
    scope.push_async_callback(provider.close)
    keys = SealedApiKeys(database, DataKeys(database, base.ring))
    choice, roster = Choice(settings.model), roster_in_force(settings)
    experience = PostgresExperience(database)
    accounts, verifier = await _identity(scope, base, database, public_url)
    services = Services(
        features=features,
        reads=reads,
        changes=audit,
        chain=audit,
        log=log,
        stored=stored,
        audit=PostgresAuditLog(database, base.ring),
        expenses=PostgresExpenses(database),
        estimates=Estimates(features, experience, keys, choice, roster),
        certifier=PostgresCertifier(database, base.ring),
        live=base.live,
        artifacts=base.artifacts,
        archive=ZipArchive(Download(features, base.artifacts, stored)),
        bundle=GitBundle(Histories(features, base.artifacts)),
        bearers=verifier,
        log_key=LogKeys(database),
        accounts=accounts,
        keys=KeySettings(keys, provider, needed=choice is Choice.ANTHROPIC),
        health=Dependencies(database, base.link, base.artifacts, reads),
        settings=HttpSettings(
            version=service_version(),
            public_url=public_url,
            demo_model=choice is not Choice.ANTHROPIC,
            web=PROJECT / "interface" / "web" / "dist",
        ),
        new_id=new_id,
        clock=utc_now,
        stopping=base.stop,
        continuity=base.continuity,
    )
    base.continuity.on_set_back(services.pasts.clear)
    base.continuity.on_set_back(services.metrics.set_backs.inc)
    return services


async def _identity(
    scope: AsyncExitStack, base: Foundation, database: Database, public_url: str
) -> tuple[Accounts | None, TokenVerifier]:
    """The built-in provider and its verifier, or a foreign issuer's verifier alone."""
    settings = base.settings
    if settings.oidc_issuer is not None:
        remote = await scope.enter_async_context(RemoteKeys(settings.oidc_issuer))
        return None, TokenVerifier(
            remote,
            issuer=settings.oidc_issuer,
            audience=settings.oidc_audience,
            foreign=True,
        )
    keys = SigningKeys(database, base.master)
    issuer = TokenIssuer(public_url, settings.oidc_audience, await keys.load(), time.time)
    passwords = PasswordHasher()
    scope.callback(passwords.close)
    tokens = await scope.enter_async_context(OwnTokens(issuer, keys))
    base.continuity.on_set_back(tokens.look_again)
    accounts = Accounts(
        store=PostgresAccounts(database),
        passwords=passwords,
        sessions=RefreshTokens(PostgresSessions(database), utc_now),
        tokens=tokens,
        mail=OutboxFolder(settings.data_dir / "outbox", SENDER, utc_now),
        throttle=Throttle(time.monotonic),
        clock=utc_now,
        new_id=new_id,
        new_secret=lambda: secrets.token_urlsafe(32),
        public_url=public_url,
    )
    scope.push_async_callback(accounts.drain)
    verifier = TokenVerifier(
        keys, issuer=public_url, audience=settings.oidc_audience, foreign=False
    )
    return accounts, verifier
