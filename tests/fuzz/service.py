"""The API on real servers, inside this process, with two tenants whose features stand everywhere.

Invariant: what belongs to a tenant carries its mark, and whatever the other one is answered does
not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import unquote
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from application.delivery.artifact_keys import artifact_key
from application.identity.account_ports import Client
from application.identity.rate_limit import Allowance
from application.ports import Metadata
from domain import commands as c
from domain import events as e
from domain.status import Gate, Step
from infrastructure.postgres.migrations import migrate
from interface.api import open_api
from interface.foundation import Addresses, open_foundation
from interface.http.app import build_app
from interface.http.services import Services
from interface.limits import Capacity, Rate, Room
from interface.processes import open_continuity, open_projector
from interface.settings import read_settings
from tests.given import RUN, Story, at_gate, drafted, start

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]

URL = "http://127.0.0.1:8000"
CONNECTIONS = 1_000
"""Of clients to it at most."""
NOBODY = "http://127.0.0.1:9"
"""Where no provider of models answers: the discard port."""
SOURCE = b"console.log(1)\n"
PASSWORD = "correct horse battery staple 42"  # noqa: S105 - of accounts that live as long as a test.


@dataclass
class Answer:
    """What an ASGI application answered."""

    status: int = 0
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Person:
    """Somebody signed in."""

    mark: str
    email: str
    token: str
    tenant: UUID
    features: list[str] = field(default_factory=list)
    """At all stages, a deleted one among them."""
    event: str = ""
    """The id of an event of the last one."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Service:
    """The application, and who uses it."""

    def __init__(self, services: Services, people: Sequence[Person] = ()) -> None:
        self.services = services
        self.app: Any = build_app(services)
        self.people = list(people)
        self._addresses: Iterator[str] = cycle(f"10.1.{n // 250}.{n % 250}" for n in range(60_000))

    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, Any] | Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        leave_after: int | None = None,
    ) -> Answer:
        """Ask without a network. Of a stream only the beginning is taken: then the client leaves.

        Args:
            method: The method.
            target: Path and query, as they stand in a request's first line.
            headers: Names and values.
            body: All of it.
            leave_after: Leave once so many bytes of the body were sent.
        """
        path, _, query = target.partition("?")
        answer, left = Answer(), asyncio.Event()
        pieces = [body if leave_after is None else body[:leave_after]]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": _unquoted(path),
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "root_path": "",
            "headers": _raw(headers),
            "client": (next(self._addresses), 40_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
            "extensions": {},
        }

        async def receive() -> Any:
            if pieces:
                return {
                    "type": "http.request",
                    "body": pieces.pop(),
                    "more_body": leave_after is not None,
                }
            if leave_after is None:
                await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                for name, value in message["headers"]:
                    listed = answer.headers.setdefault(name.decode("latin-1").lower(), [])
                    listed.append(value.decode("latin-1"))
                if answer.headers.get("content-type", [""])[0].startswith("text/event-stream"):
                    left.set()
            elif not left.is_set():
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return answer

    async def join(self, mark: str) -> Person:
        """A new person with features at all stages; each title holds the mark."""
        accounts = self.services.accounts
        assert accounts is not None
        email = f"{mark}-{uuid7().hex}@example.org"
        signed_in = await accounts.sign_up(email, PASSWORD, Client(mark))
        caller = await self.services.bearers.whose(signed_in.access.token)
        assert caller is not None
        person = Person(mark, email, signed_in.access.token, caller.tenant_id)
        self.people.append(person)
        await self.furnish(person)
        return person

    async def furnish(self, person: Person) -> None:
        """Features at all stages in place of those that there were."""
        person.features.clear()
        title = f"{person.mark} tools"
        for story in (
            drafted(title),
            at_gate(Gate.SPEC).do(c.RenameFeature(title)),
            _finished().do(c.RenameFeature(title)),
            drafted(title).do(c.DeleteFeature()),
        ):
            person.features.append(str(await self.tell(person, story)))
        known = await self.services.log.at(person.tenant, UUID(person.features[1]), [1])
        person.event = str(known[1].event_id)

    async def tell(self, person: Person, story: Story) -> UUID:
        """Append a story's events."""
        feature, whose = uuid7(), Metadata(person.tenant, "user:x", uuid7())
        told = [one for one in story.events if not isinstance(one, e.FeatureDeleted)]
        await self.services.log.append(
            feature, [(uuid7(), event) for event in told], expected=0, origin=whose
        )
        if len(told) < len(story.events):
            await self.services.features.do(
                feature,
                c.DeleteFeature(),
                tenant_id=person.tenant,
                actor="user:x",
                correlation_id=uuid7(),
            )
        key = artifact_key(person.tenant, feature, sha256(SOURCE).hexdigest())
        await self.services.artifacts.put(key, SOURCE)
        return feature

    async def sign_in_again(self) -> None:
        """Fresh tokens, before the old ones end."""
        accounts = self.services.accounts
        assert accounts is not None
        for person in self.people:
            signed_in = await accounts.log_in(person.email, PASSWORD, Client(person.mark))
            person.token = signed_in.access.token


@asynccontextmanager
async def opened(database: str, nats_url: str, folder: Path) -> AsyncIterator[Service]:
    """The API and a projector against servers that run; `database` is migrated here."""
    migrate(database)
    settings = read_settings(data_dir=folder, model="demo", ANTHROPIC_BASE_URL=NOBODY)
    addresses = Addresses(database, nats_url, (folder / "artifacts").resolve().as_uri())
    stop = asyncio.Event()
    async with AsyncExitStack() as scope:
        base = await open_foundation(scope, settings, addresses, stop)
        watch = await open_continuity(scope, base, ("api", "projector"))
        services = await open_api(scope, base, URL, CONNECTIONS)
        # What is asked thousands of times is not to be refused for being asked often.
        limits = {
            "rooms": {room: Capacity(1_000, 1_000) for room in Room},
            "rates": {rate: Allowance(1_000_000, 1.0) for rate in Rate},
        }
        services = replace(
            services,
            settings=msgspec.structs.replace(
                services.settings, poll_seconds=0.02, web=None, **limits
            ),
        )
        loops = [watch, *await open_projector(scope, base)]
        running = [asyncio.create_task(one.run(stop)) for one in loops]
        service = Service(services)
        for mark in ("tangerine", "juniper"):
            await service.join(mark)
        try:
            yield service
        finally:
            services.stopping.set()
            stop.set()
            await asyncio.gather(*running)


@contextmanager
def beside(database: str, nats_url: str, folder: Path) -> Iterator[tuple[Service, Run]]:
    """The same on a loop of its own, in a thread, and what runs a coroutine there.

    A loop that stood still while requests are made up would let its transactions time out.
    """
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="service")
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    context = opened(database, nats_url, folder)
    try:
        service = run(context.__aenter__())
        try:
            yield service, run
        finally:
            run(context.__aexit__(None, None, None))
    finally:
        run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _finished() -> Story:
    files = (e.FileWritten("src/server.ts", len(SOURCE), sha256(SOURCE).hexdigest()),)
    story = at_gate(Gate.TESTS).approve(Gate.TESTS)
    story.do(start(story.feature, Step.IMPLEMENT))
    attempt = story.feature.running[Step.IMPLEMENT]
    story.do(c.RecordImplementation(attempt, RUN, files, "ef" * 32))
    return story.work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW)


def _raw(headers: Mapping[str, Any] | Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    if not isinstance(headers, Mapping):
        return list(headers)
    return [
        (
            name.lower().encode("latin-1", "replace"),
            value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"),
        )
        for name, value in headers.items()
    ]


def _unquoted(path: str) -> str:
    """A path as uvicorn gives it: decoded, with what is no UTF-8 replaced."""
    return unquote(path)
