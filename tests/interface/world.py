"""The HTTP API over a world in memory: the real use cases, folds and identity, no database.

What stands in for the database is as thin as it can be; its own adapters have tests of their own.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import uvicorn
from uuid_utils.compat import uuid7

from application.agents.table import agent_configs_of
from application.audit.estimates import Estimates
from application.audit.events import ChainReport, FeatureChange
from application.delivery.artifact_keys import artifact_key
from application.delivery.attributions import Attributions
from application.delivery.download import Download
from application.delivery.history import Histories
from application.execution.edits import DocumentEdits
from application.execution.load_inputs import InputLoader
from application.execution.model_access import Choice
from application.execution.standing import Standings
from application.features import Features
from application.identity.accounts import Accounts
from application.identity.api_keys import KeySettings
from application.identity.rate_limit import RateLimiter
from application.identity.security_log import SecurityLog
from application.ports import Metadata
from application.running.computing import Here
from application.transparency.export import StoredEvent
from domain.commands import FeatureCommand
from domain.recorded import Recorded
from domain.status import Step, Verdict
from infrastructure.delivery.archive import ZipArchive
from infrastructure.delivery.git_bundle import GitBundle
from infrastructure.identity.ended import EndedSessions
from infrastructure.identity.keys import LocalKeys
from infrastructure.identity.passwords import PasswordHasher
from infrastructure.identity.refresh import RefreshTokens
from infrastructure.identity.tokens import SigningKey, TokenIssuer
from infrastructure.identity.verify import TokenVerifier
from infrastructure.inspection import Inspector
from infrastructure.inspection.pieces import pieces_of
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from infrastructure.sealing import MasterKey
from interface.http.app import build_app
from interface.http.requests.cursors import Cursors
from interface.http.services import HttpSettings, Readiness, Services
from interface.operator import operator_app
from interface.patient import PatientProtocol
from tests import given
from tests.fakes import MemoryArtifacts, MemoryReceipts
from tests.fakes.accounts import Letters, MemoryAccounts, MemorySessions, Tokens
from tests.fakes.api_keys import MemoryVault, Provider
from tests.fakes.read_store import FoldedReads, ReadableLog
from tests.interface.auditing import MemoryAudit
from tests.stored import stored_as_it_would_be

ISSUER = "http://127.0.0.1:8000"
SIGNING = SigningKey.generate()
HASHER = PasswordHasher(memory_kib=8, passes=1)
MASTER = MasterKey.from_text(MasterKey.generate_text())
SOURCE = given.SOURCE


class Log(ReadableLog):
    """The log in memory, with all that the API asks of it."""

    def __init__(self, clock: "Clock") -> None:
        self.receipts = MemoryReceipts(clock)
        super().__init__(clock, receipts=self.receipts)

    def of(self, tenant_id: UUID, feature_id: UUID) -> list[Recorded]:
        return self._stream(tenant_id, feature_id)

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
        lives = self.lives(tenant_id, feature_id)
        return len(self.of(tenant_id, feature_id)) if lives else None


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
        self.store = MemoryAccounts()
        self.letters = Letters()
        self.vault = MemoryVault(self.clock)
        self.provider = Provider()
        self.doctor = Doctor()
        self.features = Features(self.log, self.log.receipts, self.live, uuid7)
        self.issuer = TokenIssuer(ISSUER, ISSUER, [SIGNING], self.clock.epoch)
        self.sessions = MemorySessions(self.store)
        self.ended = EndedSessions(self.sessions.ended_since, self.clock)
        self.security = SecurityLog(lambda: self.clock.seconds)
        self.accounts = Accounts(
            store=self.store,
            passwords=HASHER,
            sessions=RefreshTokens(self.sessions, self.clock, self.ended.look),
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
            attributions=Attributions(self.features, self.artifacts, Here(), pieces_of),
            standings=Standings(self.features, self.artifacts, Here()),
            edits=DocumentEdits(
                self.features,
                InputLoader(self.features, self.log, self.artifacts, Here()),
                Inspector(Here()),
                Here(),
            ),
            certifier=audit,
            live=self.live,
            artifacts=self.artifacts,
            archive=ZipArchive(Download(self.features, self.artifacts, self.log)),
            letter=Download(self.features, self.artifacts, self.log).letter,
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
