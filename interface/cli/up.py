"""Starts processes: all of them here with embedded servers, or one against given servers.

Invariant: whatever was started is stopped, in the opposite order, also when starting fails halfway.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
import structlog

from application.execution.model_access import Choice
from application.ports import Unavailable
from application.running.waiting import is_set_within
from infrastructure.artifacts import StoreUrlRefused
from infrastructure.embedded import Stack, StackError
from infrastructure.nats import NatsRefused
from infrastructure.nats.connection import NatsUrlInvalid
from infrastructure.postgres.migrations import MigrationFailed
from infrastructure.postgres.standing import DatabaseWatch
from infrastructure.sealing import MasterKeyUnusable, Unsealable
from interface.cli.client import ServiceClient, ServiceGone, ServiceRefused
from interface.cli.console import fail, say
from interface.cli.demo import DemoFailed, run_demo
from interface.event_loop import run
from interface.figures import Figures
from interface.foundation import (
    Addresses,
    CannotStart,
    Foundation,
    addresses_of,
    configured,
    leave_note,
    open_foundation,
)
from interface.lasting import Running, keep_running
from interface.listeners import Listener, shared, supervised
from interface.processes import (
    open_continuity,
    open_demo_model,
    open_projector,
    open_relay,
    open_sweeper,
    open_worker,
)
from interface.server import PortTaken, crowd_of, listen, raise_open_files, serve
from interface.settings import (
    Settings,
    SettingWrong,
    passed_descriptors,
)
from interface.starting import answer_operator, database_is_there, follow_servers
from interface.stopping import Leave, follow, leaving, on_signals
from interface.watchdog import LEASES, watched

log = structlog.get_logger(__name__)

REFUSALS: Final = (
    CannotStart,
    DemoFailed,
    MasterKeyUnusable,
    MigrationFailed,
    NatsRefused,
    NatsUrlInvalid,
    PortTaken,
    ServiceGone,
    ServiceRefused,
    SettingWrong,
    StackError,
    StoreUrlRefused,
    Unavailable,
    Unsealable,
    psycopg.OperationalError,
)
"""What ends a command with one line and exit code 1, without a traceback."""

EVERYTHING: Final = ("relay", "projector", "worker", "sweeper", "api")
WATCH_SECONDS: Final = 0.5
LONGEST_BRIEF: Final = 40_000

OnReady = Callable[[str], Awaitable[None] | None]


def refusing(work: Callable[[], int]) -> int:
    """Do the work; an expected failure is one line and exit code 1."""
    try:
        return work()
    except REFUSALS as refusal:
        fail(" ".join(str(refusal).split()))
        return 1
    except ExceptionGroup as group:
        expected, defects = group.split(REFUSALS)
        if defects is not None or expected is None:
            raise
        first = expected.exceptions[0]
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        fail(" ".join(str(first).split()))
        return 1
    except KeyboardInterrupt:
        return 1


def run_up() -> int:
    """Everything on this machine, until Ctrl-C or SIGTERM."""

    def work() -> int:
        began = time.perf_counter()
        settings = configured()

        def ready(url: str) -> None:
            seconds = time.perf_counter() - began
            say(f"Build Practical is ready at {url} ({seconds:.1f} s). Ctrl-C stops it.")
            if Choice(settings.model) is not Choice.ANTHROPIC:
                say("Without an API key of your own, a demo model answers: enter one in settings.")

        return with_everything(settings, ready)

    return refusing(work)


def run_demo_command(brief: Path | None, out: Path) -> int:
    """A brief in, a zip out, through a service that runs or one started for it."""

    def work() -> int:
        text = _brief(brief)
        settings = configured(log_level="warning")
        url = _url(settings, settings.port)
        if settings.port and asyncio.run(_answers(url)):
            say(f"using the service at {url}")
            asyncio.run(_demo(url, text, out))
            return 0
        say(f"no service at {url}: starting one for as long as the demo takes")
        return with_everything(
            settings.model_copy(update={"port": 0}),
            lambda ready: _demo(ready, text, out),
            once=True,
        )

    return refusing(work)


def run_process(name: str) -> int:
    """One process against the servers that the settings name."""

    def work() -> int:
        settings = configured()
        addresses = addresses_of(settings, None)
        if settings.master_key is None and settings.master_key_file is None:
            raise CannotStart(
                "BP_MASTER_KEY_FILE (or BP_MASTER_KEY) must be set, the same for all processes: "
                "what one seals, the others must open."
            )
        if name == "api":
            _import_web()
        return run(_main(settings, addresses, (name,), lambda _: None))

    return refusing(work)


def with_everything(settings: Settings, on_ready: OnReady, *, once: bool = False) -> int:
    """Start the embedded servers that are needed, then every process, and stop in order.

    Args:
        settings: As read.
        on_ready: Told the address; a coroutine is awaited beside the service.
        once: Stop when `on_ready` has ended.
    """
    with ExitStack() as servers:
        web = servers.enter_context(ThreadPoolExecutor(1, "import")).submit(_import_web)
        listener = servers.enter_context(
            supervised(passed_descriptors(), settings.port)
            or Listener(listen(settings.host, settings.port))
        )
        stack: Stack | None = None
        if settings.database_url is None or settings.nats_url is None:
            stack = servers.enter_context(Stack(settings.data_dir))
        addresses = addresses_of(settings, stack)
        if stack is not None:
            servers.callback(leave_note(settings, addresses).unlink, missing_ok=True)
        web.result()
        return run(
            _main(
                settings,
                addresses,
                EVERYTHING,
                on_ready,
                listener,
                stack,
                migrates=True,
                once=once,
            )
        )


def _import_web() -> None:
    """Import what takes a second, before anything has a deadline and the loop must come round."""
    for module in ("interface.api", "interface.http.app"):
        importlib.import_module(module)


async def _main(
    settings: Settings,
    addresses: Addresses,
    names: Sequence[str],
    on_ready: OnReady,
    listener: Listener | None = None,
    stack: Stack | None = None,
    *,
    migrates: bool = False,
    once: bool = False,
) -> int:
    stop, hurry, last = asyncio.Event(), asyncio.Event(), asyncio.Event()
    on_signals(stop, hurry)
    watch, figures = DatabaseWatch(addresses.database), Figures(names)
    async with (
        AsyncExitStack() as scope,
        watched(LEASES * settings.lease_seconds),
        asyncio.TaskGroup() as outer,
    ):
        if settings.operator_port:
            outer.create_task(answer_operator(scope, settings, names, watch, figures, stop, last))
        if "api" in names and listener is None:
            listener = scope.enter_context(
                supervised(passed_descriptors(), settings.port)
                or shared(settings.host, settings.port, settings.data_dir)
            )
        public = listener.socket if listener is not None else None
        try:
            if not await database_is_there(
                addresses.database, watch, public, stop, migrates=migrates
            ):
                return 0
            base = await open_foundation(
                scope, settings, addresses, stop, hurry, watch=watch, figures=figures
            )
            continuity = await open_continuity(scope, base, names)
            demo_url = await open_demo_model(scope, settings) if "worker" in names else None
            opened = await _opened(scope, base, names, demo_url)
            opened.last.append(continuity)
            async with asyncio.TaskGroup() as group:
                tasks = {
                    running: group.create_task(
                        _until_stopped(running, stop, last if running in opened.last else stop),
                        name=running.name,
                    )
                    for running in (*opened.first, *opened.last)
                }
                first = [tasks[running] for running in opened.first]
                if stack is not None:
                    group.create_task(_watch(stack, last), name="servers")
                if listener is not None:
                    leave = leaving(base, tuple(first))
                    api = _api(scope, base, listener, on_ready, leave, once=once)
                    first.append(group.create_task(api, name="api"))
                else:
                    group.create_task(base.lag.run(stop), name="loop-lag")
                    log.info("running", processes=list(names))
                group.create_task(follow_servers(watch, figures, last), name="servers-watch")
                group.create_task(follow(stop, first, last), name="end")
        finally:
            stop.set()
            last.set()
    return 0


class _Opened(NamedTuple):
    """What runs here."""

    first: list[Running]
    """Ends when the process is told to stop."""
    last: list[Running]
    """Goes on until the others have ended: what they still do is to be announced and shown."""


async def _opened(
    scope: AsyncExitStack, base: Foundation, names: Sequence[str], demo_url: str | None
) -> _Opened:
    opened = _Opened([], [])
    if "relay" in names:
        opened.last.extend(await open_relay(scope, base))
    if "projector" in names:
        opened.last.extend(await open_projector(scope, base))
    if "worker" in names:
        opened.first.extend(await open_worker(scope, base, demo_url))
    if "sweeper" in names:
        opened.first.extend(await open_sweeper(scope, base))
    return opened


async def _until_stopped(running: Running, stop: asyncio.Event, until: asyncio.Event) -> None:
    try:
        await keep_running(running, until)
    finally:
        # One part that ends, for whatever reason, ends the process: half a service helps nobody.
        stop.set()


async def _api(
    scope: AsyncExitStack,
    base: Foundation,
    listener: Listener,
    on_ready: OnReady,
    leave: Leave,
    *,
    once: bool,
) -> None:
    from interface.api import open_api  # noqa: PLC0415  # A second to import: not for a worker.
    from interface.http.app import build_app  # noqa: PLC0415

    settings, stop = base.settings, base.stop
    listener.offer()
    url = _url(settings, listener.port)
    open_files = raise_open_files()
    proxies = settings.trusted_proxies
    crowd = crowd_of(open_files, at_most=settings.connections, trusted_proxies=proxies)
    log.info("connections_limited", at_most=crowd.in_all, open_files=open_files)
    services = await open_api(scope, base, settings.public_url or url, crowd.in_all)
    services.metrics.connections(lambda: crowd.open, lambda: crowd.refused)
    followers: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    def ready() -> None:
        # Not before: what a start does to the loop keeps nobody waiting.
        followers.add(asyncio.ensure_future(base.lag.run(stop)))
        answer = on_ready(url)
        if answer is not None:
            task = asyncio.ensure_future(_beside(answer, failures, stop, once=once))
            followers.add(task)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(
                serve(
                    build_app(services),
                    listener.socket,
                    stop,
                    ready,
                    trusted_proxies=proxies,
                    crowd=crowd,
                    leave=lambda: leave(listener),
                )
            )
    finally:
        stop.set()
        await asyncio.gather(*followers, return_exceptions=True)
    if failures:
        raise failures[0]


async def _beside(
    work: Awaitable[None], failures: list[BaseException], stop: asyncio.Event, *, once: bool
) -> None:
    task = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
        failures.append(CannotStart("Stopped before it was finished."))
    elif task.exception() is not None:
        failures.append(task.exception() or CannotStart("Failed."))
    if once:
        stop.set()


async def _watch(stack: Stack, stop: asyncio.Event) -> None:
    """A server that ends by itself ends us, loudly."""
    while not stop.is_set():
        stack.check()
        await is_set_within(stop, WATCH_SECONDS)


def _url(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


async def _answers(url: str) -> bool:
    async with ServiceClient(url) as client:
        return await client.alive()


async def _demo(url: str, brief: str, out: Path) -> None:
    began = time.perf_counter()

    def progress(line: str) -> None:
        say(f"{time.perf_counter() - began:6.1f} s  {line}")
        sys.stdout.flush()

    async with ServiceClient(url) as client:
        await run_demo(client, brief, out, progress)


def _brief(path: Path | None) -> str:
    source = path or Path(__file__).resolve().parents[2] / "examples" / "tool-library.md"
    try:
        text = source.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"The brief {source} cannot be read: {error}.") from None
    if not text:
        raise CannotStart(f"The brief {source} is empty. Write in it what you want to have built.")
    if len(text) > LONGEST_BRIEF:
        raise CannotStart(
            f"The brief {source} has {len(text):,} characters; {LONGEST_BRIEF:,} are the limit. "
            "Make it shorter, or split it into two features."
        )
    return text
