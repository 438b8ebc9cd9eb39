"""The API process: the use cases and read models behind the HTTP application."""

import ipaddress
import secrets
import time
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import urlsplit

import structlog

from application.audit.estimates import Estimates
from application.delivery.attributions import Attributions
from application.delivery.comparing import Comparisons
from application.delivery.download import Download
from application.delivery.history import Histories
from application.execution.edits import DocumentEdits
from application.execution.load_inputs import InputLoader
from application.execution.model_access import Choice
from application.execution.standing import Standings
from application.identity.accounts import Accounts
from application.identity.api_keys import KeyLimits, KeySettings
from application.identity.rate_limit import RateLimiter
from application.identity.security_log import SecurityLog
from application.readings import Readings
from infrastructure.anthropic.model import ADDRESS, AnthropicModel
from infrastructure.audit.changes import PostgresAudit
from infrastructure.audit.log import PostgresAuditLog
from infrastructure.audit.past_runs import PostgresPastRuns
from infrastructure.audit.usage import PostgresExpenses
from infrastructure.clock import utc_now
from infrastructure.delivery.archive import ZipArchive
from infrastructure.delivery.git_bundle import GitBundle
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.identity.accounts import PostgresAccounts, PostgresSessions
from infrastructure.identity.api_keys import SealedApiKeys
from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.ended import EndedSessions
from infrastructure.identity.mail_folder import MailFolder
from infrastructure.identity.passwords import PasswordHasher
from infrastructure.identity.refresh import RefreshTokens
from infrastructure.identity.signing_keys import OwnTokens, SigningKeys
from infrastructure.identity.tokens import TokenIssuer
from infrastructure.identity.tries import PostgresTries
from infrastructure.identity.verify import TokenVerifier
from infrastructure.inspection import Inspector
from infrastructure.inspection.pieces import pieces_of
from infrastructure.postgres.database import Database
from infrastructure.postgres.standing import DatabaseStanding
from infrastructure.read_models import PostgresReadStore
from infrastructure.read_models.certifying import PostgresCertifier
from infrastructure.sealing.data_keys import DataKeys
from infrastructure.transparency import LogKeys
from interface.foundation import Foundation, new_id
from interface.glance import Glance
from interface.health import Servers, service_version
from interface.http.requests.cursors import Cursors
from interface.http.services import HttpSettings, Readiness, Services
from interface.lasting import once_there
from interface.limits import Rate, rates_of, rooms_of
from interface.processes import agent_configs_in_force, database_of, features_of
from interface.settings import PROJECT

log = structlog.get_logger(__name__)

ROLE: Final = "bp_api"
SENDER: Final = "Build Practical <no-reply@localhost>"


def is_plain(public_url: str) -> bool:
    """Whether people would reach the service over a network without TLS."""
    url = urlsplit(public_url)
    if url.scheme == "https" or url.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return True


class Dependencies:
    """How the database, NATS and the object store are."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def report(self) -> Readiness:
        """Ask them all, within two seconds. Never raises."""
        seen = await self._servers.look()
        return Readiness(
            postgres=seen.standing is DatabaseStanding.READY,
            nats=seen.nats,
            artifacts=seen.artifacts,
            relay_lag_events=seen.relay_lag_events,
            projection_lag_events=seen.projection_lag_events,
            checkpoint_lag_seconds=seen.checkpoint_lag_seconds,
            database=seen.standing.value,
            jetstream=seen.jetstream,
            conditional_writes=seen.conditional_writes,
        )


async def open_api(
    scope: AsyncExitStack, base: Foundation, public_url: str, connections: int
) -> Services:
    """Everything that the HTTP application needs; `scope` closes it.

    Args:
        scope: Closes what is opened.
        base: The common ground.
        public_url: Where people reach the service.
        connections: How many this process takes; streams get a part of them.

    The database, which keeps the signing keys, is waited for.

    Raises:
        Unavailable: told to stop while it was waited for.
        WrongMasterKey: the signing keys were sealed under another master key.
    """
    settings = base.settings
    database = await database_of(scope, base, ROLE, pool="api")
    features, log = await features_of(scope, base, database, ROLE, pool="api-log")
    servers = Servers(base.watch, database, base.nats, base.artifacts)
    reads = PostgresReadStore(database, watch=base.live.watch)
    audit = PostgresAudit(database)
    stored = PostgresStoredLog(database, base.ring)
    provider = AnthropicModel(settings.anthropic_base_url or ADDRESS)
    scope.push_async_callback(provider.close)
    keys = SealedApiKeys(database, DataKeys(database, base.ring))
    choice, agent_configs = Choice(settings.model), agent_configs_in_force(settings)
    past_runs = PostgresPastRuns(database)
    security = SecurityLog()
    accounts, verifier = await _identity(scope, base, database, public_url, security)
    rates = rates_of(settings.rates)
    attributions = Attributions(features, base.artifacts, base.computing, pieces_of)
    deliveries = Download(features, base.artifacts, stored, base.computing)
    services = Services(
        features=features,
        reads=reads,
        changes=audit,
        chain=audit,
        log=log,
        stored=stored,
        audit=PostgresAuditLog(database, base.ring),
        expenses=PostgresExpenses(database),
        estimates=Estimates(features, past_runs, keys, choice, agent_configs),
        attributions=attributions,
        standings=Standings(features, base.artifacts, base.computing),
        edits=DocumentEdits(
            features,
            InputLoader(features, log, base.artifacts, base.computing),
            Inspector(base.computing),
            base.computing,
        ),
        certifier=PostgresCertifier(database, base.ring, base.turns),
        live=base.live,
        artifacts=base.artifacts,
        archive=ZipArchive(deliveries),
        letter=deliveries.letter,
        bundle=GitBundle(Histories(features, base.artifacts), base.computing),
        not_passed=(
            ZipArchive(Download(features, base.artifacts, stored, base.computing, undecided=True))
            if settings.allow_undecided_download
            else None
        ),
        bearers=verifier,
        cursors=Cursors(base.master.cursor_keys),
        log_key=LogKeys(database),
        accounts=accounts,
        keys=KeySettings(
            keys,
            provider,
            needed=choice is Choice.ANTHROPIC,
            tries=PostgresTries(database),
            limits=KeyLimits(rates[Rate.KEY_CHECK], rates[Rate.KEY_REJECTED_BY_ADDRESS]),
        ),
        health=Glance(Dependencies(base.figures.servers or servers), time.monotonic),
        settings=HttpSettings(
            version=service_version(),
            public_url=public_url,
            demo_model=choice is not Choice.ANTHROPIC,
            web=PROJECT / "interface" / "web" / "dist",
            rooms=rooms_of(settings.places, connections),
            rates=rates,
        ),
        new_id=new_id,
        clock=utc_now,
        stopping=base.stop,
        metrics=base.figures.http,
        security=security,
        turns=base.turns,
        comparisons=Comparisons(base.computing),
        readings=Readings(base.computing),
        computing=base.computing,
        continuity=base.continuity,
    )
    base.continuity.on_set_back(services.pasts.clear)
    base.continuity.on_set_back(attributions.forget)
    return services


async def _identity(
    scope: AsyncExitStack,
    base: Foundation,
    database: Database,
    public_url: str,
    security: SecurityLog,
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
            security=security,
        )
    if is_plain(public_url):
        log.warning(
            "public_url_is_not_https",
            consequence="browsers keep no cookie: nobody stays signed in, and letters link to it",
        )
    keys = SigningKeys(database, base.master)
    signing = await once_there(keys.load, base.stop)
    issuer = TokenIssuer(public_url, settings.oidc_audience, signing, time.time)
    stored = PostgresSessions(database)
    ended = await scope.enter_async_context(EndedSessions(stored.ended_since, utc_now))
    passwords = PasswordHasher()
    scope.callback(passwords.close)
    tokens = await scope.enter_async_context(OwnTokens(issuer, keys))
    base.continuity.on_set_back(tokens.look_again)
    accounts = Accounts(
        store=PostgresAccounts(database),
        passwords=passwords,
        sessions=RefreshTokens(stored, utc_now, ended.look),
        tokens=tokens,
        mail=MailFolder(settings.data_dir / "outbox", SENDER, utc_now),
        throttle=RateLimiter(time.monotonic),
        clock=utc_now,
        new_id=new_id,
        new_secret=lambda: secrets.token_urlsafe(32),
        public_url=public_url,
        stamp=base.master,
        security=security,
    )
    scope.push_async_callback(accounts.drain)
    verifier = TokenVerifier(
        keys,
        issuer=public_url,
        audience=settings.oidc_audience,
        foreign=False,
        sessions=ended,
        security=security,
    )
    return accounts, verifier
