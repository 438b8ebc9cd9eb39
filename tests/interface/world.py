"""The HTTP API over a world in memory: the real use cases, folds and identity, no database.

What stands in for the database is as thin as it can be; its own adapters have tests of their own.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import uvicorn
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.agents.table import agent_configs_of
from application.audit.estimates import Estimates
from application.audit.events import ChainReport, FeatureChange
from application.delivery.artifact_keys import artifact_key
from application.delivery.download import Download
from application.delivery.history import Histories
from application.execution.model_access import Choice
from application.features import Features
from application.identity.account_ports import EVER, Account
from application.identity.accounts import Accounts
from application.identity.api_keys import KeyDescription, KeySettings
from application.identity.rate_limit import RateLimiter
from application.identity.security_log import SecurityLog
from application.ports import ArtifactMissing, Effects, Metadata, Unavailable
from application.transparency.export import StoredEvent
from domain.commands import FeatureCommand
from domain.events import FeatureEvent
from domain.recorded import Recorded
from domain.status import Status, Step, Verdict
from infrastructure.delivery.archive import ZipArchive
from infrastructure.delivery.git_bundle import GitBundle
from infrastructure.identity.ended import EndedSessions
from infrastructure.identity.keys import LocalKeys
from infrastructure.identity.passwords import PasswordHasher
from infrastructure.identity.refresh import RefreshRecord, RefreshTokens
from infrastructure.identity.tokens import SigningKey, TokenIssuer
from infrastructure.identity.verify import TokenVerifier
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from infrastructure.sealing import MasterKey
from interface.http.app import build_app
from interface.http.requests.cursors import Cursors
from interface.http.services import HttpSettings, Readiness, Services
from interface.operator import operator_app
from interface.patient import PatientProtocol
from projections.dashboard import DASHBOARD
from projections.feature import FEATURE, FeatureRow
from projections.message import MESSAGE
from projections.projection import Projection, apply
from projections.run import RUN
from projections.store import Page
from tests import given
from tests.exchanging import exchange
from tests.fakes import MemoryLog, MemoryReceipts
from tests.interface.auditing import MemoryAudit
from tests.stored import stored_as_it_would_be

ISSUER = "http://127.0.0.1:8000"
SIGNING = SigningKey.generate()
HASHER = PasswordHasher(memory_kib=8, passes=1)
MASTER = MasterKey.from_text(MasterKey.generate_text())
SOURCE = b"console.log(1)\n"


class Log(MemoryLog):
    """The log in memory, with a switch for an outage and a bell for tests that wait."""

    def __init__(self, clock: "Clock") -> None:
        self.receipts = MemoryReceipts(clock)
        super().__init__(clock, receipts=self.receipts)
        self.down = False
        self.grown = asyncio.Condition()

    def _stream(self, tenant_id: UUID, feature_id: UUID) -> list[Recorded]:
        if self.down:
            raise Unavailable("database")
        return super()._stream(tenant_id, feature_id)

    def of(self, tenant_id: UUID, feature_id: UUID) -> list[Recorded]:
        return self._stream(tenant_id, feature_id)

    async def append(
        self,
        feature_id: UUID,
        events: Sequence[tuple[UUID, FeatureEvent]],
        *,
        expected: int,
        origin: Metadata,
        effects: Effects = Effects(),
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        recorded = await super().append(
            feature_id, events, expected=expected, origin=origin, effects=effects, head=head
        )
        async with self.grown:
            self.grown.notify_all()
        return recorded

    async def stored(
        self, tenant_id: UUID, feature_id: UUID, after: int, upto: int
    ) -> Sequence[StoredEvent]:
        return stored_as_it_would_be(self.of(tenant_id, feature_id))[after:upto]

    async def since(
        self, tenant_id: UUID, after: int, upto: int, limit: int
    ) -> Sequence[FeatureChange]:
        return [
            FeatureChange(e.position, e.feature_id, e.version, e.type, e.actor, e.recorded_at)
            for e in self.events
            if e.tenant_id == tenant_id and after < e.position <= upto
        ][:limit]

    async def verify(self, tenant_id: UUID, feature_id: UUID) -> ChainReport | None:
        stream = self.of(tenant_id, feature_id)
        return (
            ChainReport(valid=True, events=len(stream), head=stream[-1].hash.hex())
            if stream
            else None
        )

    async def living(self, tenant_id: UUID, feature_id: UUID) -> int | None:
        stream = self.of(tenant_id, feature_id)
        return len(stream) if stream and feature_id not in self._destroyed else None


class FoldedReads:
    """The port `ReadStore`: every question folded from the log when it is asked.

    `hidden` is how many of the newest events the read models have not heard of yet.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.hidden = 0

    def _known(self) -> list[Recorded]:
        if self._log.down:
            raise Unavailable("database")
        return self._log.events[: len(self._log.events) - self.hidden]

    def _rows(self, projection: Projection[Any], tenant_id: UUID) -> dict[UUID, dict[str, Any]]:
        rows: dict[UUID, dict[str, Any]] = {}
        for event in self._known():
            if event.tenant_id == tenant_id:
                apply(projection, rows.setdefault(event.feature_id, {}), event)
        return rows

    def _all(self, projection: Projection[Any], tenant_id: UUID) -> list[Any]:
        by_feature = self._rows(projection, tenant_id)
        return [row for rows in by_feature.values() for row in rows.values()]

    def _of(self, projection: Projection[Any], tenant_id: UUID, feature_id: UUID) -> list[Any]:
        rows = self._rows(projection, tenant_id).get(feature_id, {})
        return [rows[item] for item in sorted(rows)]

    async def features(
        self,
        tenant_id: UUID,
        *,
        status: Status | None = None,
        q: str = "",
        limit: int = 50,
        after: UUID | None = None,
    ) -> Page[Any]:
        rows = sorted(self._all(DASHBOARD, tenant_id), key=lambda r: r.id, reverse=True)
        wanted = [
            r
            for r in rows
            if (status is None or r.status is status) and q.lower() in r.title.lower()
        ]
        return _page([r for r in wanted if after is None or r.id < after], limit)

    async def feature(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        min_version: int | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109 - the port's word.
    ) -> FeatureRow | None:
        async with self._log.grown:
            row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
            while min_version and (row is None or row.version < min_version):
                try:
                    async with asyncio.timeout(timeout / 10):
                        await self._log.grown.wait()
                except TimeoutError:
                    return row
                row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
        return row

    async def current(self, tenant_id: UUID, feature_id: UUID) -> FeatureRow | None:
        stream = [r for r in self._log.events if r.feature_id == feature_id]
        row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
        parked = any(feature == feature_id for feature, _ in self._log.unread)
        return row if row and not parked and row.version == stream[-1].version else None

    async def forks(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = 50, after: UUID | None = None
    ) -> Page[Any]:
        rows = sorted(self._all(DASHBOARD, tenant_id), key=lambda r: r.id, reverse=True)
        made = [r for r in rows if r.forked_from and r.forked_from.id == feature_id]
        return _page(made, limit)

    async def messages(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = 50, after: int = 0
    ) -> Page[Any]:
        row = await self.feature(tenant_id, feature_id)
        said = self._of(MESSAGE, tenant_id, feature_id)
        shown = [m for m in said if row and row.shows(m.version) and m.version > after]
        return _page(shown, limit)

    async def runs(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = 50, after: int = 0
    ) -> Page[Any]:
        runs = sorted(self._of(RUN, tenant_id, feature_id), key=lambda r: r.version)
        return _page([r for r in runs if r.version > after], limit)

    async def position(self) -> int:
        known = self._known()
        return known[-1].position if known else 0

    async def lag(self) -> int:
        return self.hidden


class MemoryAccounts:
    """The ports `AccountStore` and `RefreshStore`."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.resets: dict[bytes, tuple[UUID, datetime]] = {}
        self.tokens: dict[bytes, RefreshRecord] = {}
        self.ended: dict[UUID, datetime] = {}
        self.replaces: dict[bytes, bytes] = {}
        """What each token was given in exchange for."""
        self.networks: set[tuple[UUID, bytes]] = set()

    async def add(self, account: Account) -> bool:
        return self.accounts.setdefault(account.email, account) is account

    async def find_account(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        found = self.accounts.get(email)
        if found is None:
            return None
        knows = any((found.user_id, network) in self.networks for network in networks)
        return replace(found, is_network_known=knows)

    async def know(self, user_id: UUID, network: bytes, at: datetime) -> None:
        self.networks.add((user_id, network))

    async def rehash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        for email, account in self.accounts.items():
            if account.user_id == user_id and account.password_hash == old_hash:
                self.accounts[email] = replace(account, password_hash=new_hash)

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        self.resets[token_sha256] = (account.user_id, expires_at)

    async def reset_of(self, token_sha256: bytes, at: datetime) -> str | None:
        user_id, expires_at = self.resets.get(token_sha256, (None, at))
        of_user = [a.email for a in self.accounts.values() if a.user_id == user_id]
        return of_user[0] if expires_at > at else None

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        user_id, expires_at = self.resets.pop(token_sha256, (None, at))
        if user_id is None or expires_at <= at:
            return None
        for email, account in self.accounts.items():
            if account.user_id == user_id:
                self.accounts[email] = replace(
                    account, password_hash=password_hash, sessions_valid_from=at
                )
        self.networks = {known for known in self.networks if known[0] != user_id}
        for record in list(self.tokens.values()):
            if record.user_id == user_id:
                self.ended[record.family_id] = at
        return user_id


class MemorySessions:
    """The port `RefreshStore` beside the accounts."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._all = accounts

    async def start(self, first: RefreshRecord, valid_from: datetime = EVER) -> bool:
        mine = [a for a in self._all.accounts.values() if a.user_id == first.user_id]
        if not mine or mine[0].sessions_valid_from != valid_from:
            return False
        self._all.tokens[first.token_sha256] = first
        return True

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        found = self._all.tokens.get(token_sha256)
        return found and replace(found, family_ended_at=self._all.ended.get(found.family_id))

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        return exchange(
            self._all.tokens, self._all.replaces, self._all.ended.keys(), used, successor
        )

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        self._all.ended.setdefault(family_id, at)

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        for record in self._all.tokens.values():
            if record.user_id == user_id:
                self._all.ended.setdefault(record.family_id, at)


class Store(MemoryAccounts):
    """`AccountStore.find` looks for accounts."""

    async def find(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        return await self.find_account(email, networks)

    async def ended_since(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        return [(session, at) for session, at in self.ended.items() if at >= since]


class Tokens:
    """The port `AccessTokens`."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issue = issuer.issue
        self._issuer = issuer

    async def jwks(self) -> Mapping[str, Any]:
        return self._issuer.jwks()


class Letters:
    """The port `Mail`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, to: str, subject: str, text: str) -> None:
        self.sent.append((to, subject, text))


class MemoryVault:
    """The port `KeyVault`."""

    def __init__(self) -> None:
        self.keys: dict[UUID, tuple[str, bool]] = {}

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        if tenant_id not in self.keys:
            return KeyDescription(configured=False)
        key, verified = self.keys[tenant_id]
        return KeyDescription(configured=True, last4=key[-4:], verified=verified)

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool) -> None:
        self.keys[tenant_id] = (api_key, verified)

    async def delete(self, tenant_id: UUID) -> None:
        self.keys.pop(tenant_id, None)


class Provider:
    """The provider's word on a key: `None` when it cannot be reached."""

    def __init__(self) -> None:
        self.says: bool | None = True

    async def check_key(self, api_key: str) -> bool | None:
        return self.says


class MemoryArtifacts:
    """The port `ArtifactStore`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def put(self, key: str, body: bytes) -> None:
        self.files[key] = body

    async def get(self, key: str) -> bytes:
        if key not in self.files:
            raise ArtifactMissing
        return self.files[key]

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        return 0

    async def ready(self) -> bool:
        return True


class Published:
    """The port `PublishedKey`."""

    async def published(self) -> str | None:
        return "build-practical/log/x+01020304+AQID"


class Doctor:
    """The port `Health`."""

    def __init__(self) -> None:
        self.report_now = Readiness(
            postgres=True, nats=True, artifacts=True, relay_lag_events=0, projection_lag_events=0
        )

    async def report(self) -> Readiness:
        return self.report_now


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.seconds = 1_000.0

    def __call__(self) -> datetime:
        return self.now

    def epoch(self) -> float:
        return self.now.timestamp()

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


class World:
    """Everything behind the API, for a test to look into and to move."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.log = Log(self.clock)
        self.reads = FoldedReads(self.log)
        self.live = NatsLive(None, Signal(None, "poke"))
        self.artifacts = MemoryArtifacts()
        self.store = Store()
        self.letters = Letters()
        self.vault = MemoryVault()
        self.provider = Provider()
        self.doctor = Doctor()
        self.features = Features(self.log, self.log.receipts, self.live, uuid7)
        self.issuer = TokenIssuer(ISSUER, ISSUER, [SIGNING], self.clock.epoch)
        self.ended = EndedSessions(self.store.ended_since, self.clock)
        self.security = SecurityLog(lambda: self.clock.seconds)
        self.accounts = Accounts(
            store=self.store,
            passwords=HASHER,
            sessions=RefreshTokens(MemorySessions(self.store), self.clock, self.ended.look),
            tokens=Tokens(self.issuer),
            mail=self.letters,
            throttle=RateLimiter(lambda: self.clock.seconds),
            clock=self.clock,
            new_id=uuid7,
            new_secret=lambda: base64.urlsafe_b64encode(uuid7().bytes).decode().rstrip("="),
            public_url=ISSUER,
            stamp=MASTER,
            security=self.security,
        )
        options = {"poll_seconds": 0.05, "version": "0.1.0", "public_url": ISSUER, **settings}
        needed = options.pop("needs_key", False)
        audit = MemoryAudit(lambda: self.log.events)
        self.services = Services(
            features=self.features,
            reads=self.reads,
            changes=self.log,
            chain=self.log,
            log=self.log,
            stored=self.log,
            audit=audit,
            expenses=audit,
            estimates=Estimates(self.features, audit, self.vault, Choice.AUTO, agent_configs_of()),
            certifier=audit,
            live=self.live,
            artifacts=self.artifacts,
            archive=ZipArchive(Download(self.features, self.artifacts, self.log)),
            bundle=GitBundle(Histories(self.features, self.artifacts)),
            bearers=TokenVerifier(
                LocalKeys(self.issuer.jwks),
                issuer=ISSUER,
                audience=ISSUER,
                foreign=False,
                clock=self.clock.epoch,
                sessions=self.ended,
                security=self.security,
            ),
            cursors=Cursors([b"world"]),
            log_key=Published(),
            accounts=options.pop("accounts", self.accounts),
            keys=KeySettings(self.vault, self.provider, needed=needed),
            health=self.doctor,
            settings=HttpSettings(**options),
            new_id=uuid7,
            clock=self.clock,
            security=self.security,
        )

    async def work(
        self, feature_id: UUID, *steps: Step, tenant: UUID, verdict: Verdict = Verdict.PASS
    ) -> int:
        """Let agents do these steps; the version afterwards."""
        for step in steps:
            feature = await self.features.load(tenant, feature_id)
            await self.system(feature_id, given.start(feature, step), tenant)
            feature = await self.features.load(tenant, feature_id)
            await self.system(feature_id, given.answer(feature, step, verdict=verdict), tenant)
        return (await self.features.load(tenant, feature_id)).version

    async def system(self, feature_id: UUID, command: FeatureCommand, tenant: UUID) -> None:
        """A command of an agent, told to whoever watches as the projector would."""
        origin = Metadata(tenant, "agent:test", uuid7())
        written = await self.features.write(feature_id, command, origin)
        last = written.recorded[-1]
        await self.live.applied(tenant, feature_id, version=last.version, position=last.position)

    async def store_files(self, tenant: UUID, feature_id: UUID) -> None:
        """The bytes of the files that `given.FILES` names."""
        for file in given.FILES:
            await self.artifacts.put(artifact_key(tenant, feature_id, file.sha256), SOURCE)

    def token(self, user: UUID, tenant: UUID) -> dict[str, str]:
        """A bearer header."""
        token = self.issuer.issue(user, tenant, uuid7()).token
        return {"Authorization": f"Bearer {token}"}


def _page(rows: Sequence[Any], limit: int) -> Page[Any]:
    return Page(tuple(rows[:limit]), len(rows) > limit)


class Person:
    """Somebody with a browser of their own: a client, a tenant and a token."""

    def __init__(self, world: World, url: str, http: httpx2.AsyncClient) -> None:
        self.world = world
        self.url = url
        self.user, self.tenant = uuid7(), uuid7()
        self.http = http
        self.headers = world.token(self.user, self.tenant)

    async def ask(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        headers = {**self.headers, **rest.pop("headers", {})}
        return await self.http.request(method, self.url + path, headers=headers, **rest)

    async def new_feature(self, title: str = "Tools") -> str:
        answer = await self.ask("POST", "/api/features", json={"title": title})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def at_spec_gate(self) -> str:
        feature = await self.new_feature()
        answer = await self.ask(
            "POST", f"/api/features/{feature}/brief", json={"brief": "- BF-1 lend tools"}
        )
        assert answer.status_code == 202, answer.text
        await self.work(feature, Step.SPEC)
        return feature

    async def finished(self, verdict: Verdict = Verdict.PASS) -> str:
        """A feature that is done, or whose security review came to another verdict."""
        feature = await self.at_spec_gate()
        for gate, step in (
            ("spec", Step.PLAN),
            ("plan", Step.TESTS),
            ("tests", Step.IMPLEMENT),
        ):
            seen = (await self.ask("GET", f"/api/features/{feature}")).json()
            sha = seen["deliverables"][gate]["content_sha256"]
            body = {"gate": gate, "content_sha256": sha}
            answer = await self.ask("POST", f"/api/features/{feature}/approve", json=body)
            assert answer.status_code == 202, answer.text
            await self.work(feature, step)
        await self.work(feature, Step.SECURITY_REVIEW, verdict=verdict)
        await self.work(feature, Step.CODE_REVIEW)
        await self.world.store_files(self.tenant, UUID(feature))
        return feature

    async def work(self, feature: str, *steps: Step, verdict: Verdict = Verdict.PASS) -> int:
        return await self.world.work(UUID(feature), *steps, tenant=self.tenant, verdict=verdict)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **rest: Any) -> AsyncIterator["Events"]:
        headers = {**self.headers, **rest.pop("headers", {})}
        async with self.http.stream(method, self.url + path, headers=headers, **rest) as answer:
            if answer.status_code != 200:
                await answer.aread()
            yield Events(answer)


class Events:
    """Server-sent events as a browser reads them."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.comments = 0

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> dict[str, str]:
        event: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line == "":
                    if event:
                        return event
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = line.partition(":")
                    event[name] = value.removeprefix(" ")
        raise StopAsyncIteration

    async def until(self, *names: str) -> list[dict[str, str]]:
        """All events up to the first of these names."""
        seen = []
        async for event in self:
            seen.append(event)
            if event.get("event") in names:
                return seen
        raise AssertionError(f"the stream ended without {names}: {seen}")


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """A real server on the loopback address."""
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        loop="none",
        server_header=False,
        http=PatientProtocol,
        ws="none",
    )
    config.timeout_graceful_shutdown = 5
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = asyncio.create_task(server.main_loop())
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
        await server.shutdown()


def public(world: World) -> Any:
    return build_app(world.services)


def operators(world: World) -> Any:
    async def report() -> dict[str, Any]:
        return {"status": "ready"}

    async def figures() -> bytes:
        return world.services.metrics.text()

    return operator_app("0.1.0", report, figures)


def data_folder(web: Path, files: Mapping[str, bytes]) -> Path:
    """A web app of these files."""
    for path, body in files.items():
        (web / path).parent.mkdir(parents=True, exist_ok=True)
        (web / path).write_bytes(body)
    return web


def types_of(events: Iterable[Recorded]) -> list[str]:
    return [event.type for event in events]


async def settled(world: World) -> None:
    """Wait until no stream is open any more."""
    async with asyncio.timeout(60):
        while world.services.places.taken:
            await asyncio.sleep(0.01)
