"""What every process of the service opens first: its servers' addresses, its keys, its signals.

Invariant: what is opened here is closed in the opposite order, whatever happens.
"""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog
from uuid_utils.compat import uuid7

from application.continuity.watch import Continuity
from application.running.turns import Turns
from infrastructure.artifacts import FolderStore, S3Store, open_store
from infrastructure.computing import Pool
from infrastructure.embedded import Stack
from infrastructure.nats.connection import NatsConnection
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from infrastructure.observability import logs
from infrastructure.observability.loop_lag import LoopLag
from infrastructure.postgres.standing import DatabaseWatch
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from interface.figures import Figures
from interface.settings import Settings, leave_only_settings, read_settings

log = structlog.get_logger(__name__)

new_id = uuid7


def configured(**given: object) -> Settings:
    """The settings, with logging set up by them. Raises SettingWrong."""
    settings = read_settings(**given)
    secrets = [
        value.get_secret_value()
        for value in (
            settings.database_url,
            settings.nats_url,
            settings.master_key,
            settings.artifacts_secret_access_key,
            settings.https_proxy,
        )
        if value is not None
    ]
    logs.configure(
        json_lines=settings.log_format == "json",
        level=settings.log_level.upper(),
        secrets=secrets,
    )
    if taken := leave_only_settings():
        log.info("environment_not_obeyed", variables=taken)
    return settings


NOTE = "addresses.json"


class CannotStart(Exception):
    """The process cannot start: one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are. The URLs hold credentials: never log them."""

    database: str
    nats: str
    artifacts: str


def addresses_of(settings: Settings, stack: Stack | None) -> Addresses:
    """The addresses that settings name, and those of the embedded servers for what is unset.

    Raises:
        CannotStart: something is unset and nothing is embedded here.
    """
    database = settings.database_url.get_secret_value() if settings.database_url else None
    nats = settings.nats_url.get_secret_value() if settings.nats_url else None
    if stack is not None:
        database = database or stack.dsn
        nats = nats or stack.nats_url
    missing = [
        name
        for name, value in (("BP_DATABASE_URL", database), ("BP_NATS_URL", nats))
        if value is None
    ]
    if missing or database is None or nats is None:
        raise CannotStart(
            f"{' and '.join(missing)} must be set for a process of its own. "
            "`up` runs everything on this machine without."
        )
    folder = (settings.data_dir / "artifacts").resolve().as_uri()
    return Addresses(database, nats, settings.artifacts_url or folder)


def store_of(settings: Settings, addresses: Addresses) -> FolderStore | S3Store:
    """The object store, not open yet. Raises StoreUrlRefused."""
    secret = settings.artifacts_secret_access_key
    return open_store(
        addresses.artifacts,
        access_key_id=settings.artifacts_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        packs=settings.artifacts_packed,
    )


def leave_note(settings: Settings, addresses: Addresses) -> Path:
    """Say where the embedded servers are, for commands that run beside the service."""
    path = settings.data_dir / NOTE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(addresses))
    return path


def read_note(settings: Settings) -> Addresses | None:
    """Where the embedded servers of a service that runs are; None if none left a note."""
    try:
        return msgspec.json.decode((settings.data_dir / NOTE).read_bytes(), type=Addresses)
    except (OSError, msgspec.MsgspecError):
        return None


def master_key_path(settings: Settings) -> Path:
    """Where the master key is, unless it is given as a value."""
    return settings.master_key_file or settings.data_dir / "master.key"


def master_key(settings: Settings) -> MasterKey:
    """The key that wraps all data keys; generated in the data folder where none is set.

    Raises:
        MasterKeyUnusable: the file or value is no key.
    """
    if settings.master_key is not None:
        return MasterKey.from_text(settings.master_key.get_secret_value())
    path = master_key_path(settings)
    if settings.master_key_file is not None or path.exists():
        return MasterKey.from_file(path)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return MasterKey.generate_file(path)


@dataclass(frozen=True, slots=True)
class Foundation:
    """The common ground of the processes that run here."""

    settings: Settings
    addresses: Addresses
    master: MasterKey
    ring: KeyRing
    nats: NatsConnection
    log_grown: Signal
    """Notified when the log has grown."""
    work: Signal
    """Notified when tasks were made."""
    cancel: Signal
    """Notified when tasks under way were cancelled."""
    live: NatsLive
    artifacts: FolderStore | S3Store
    computing: Pool
    """Reads and compares long texts in processes that can be ended."""
    watch: DatabaseWatch
    figures: Figures
    continuity: Continuity
    """Whether the log is still the one that this process knows."""
    stop: asyncio.Event
    """The process was told to stop: it takes nothing new."""
    hurry: asyncio.Event
    """It was told again: it waits for nothing any more."""
    turns: Turns = field(default_factory=Turns)
    """Goes through long histories without a stop of everything else."""
    lag: LoopLag = field(default_factory=LoopLag)
    """How long the event loop keeps everything else waiting."""

    @property
    def name(self) -> str:
        """Names this process in leases and connections."""
        return process_name()


def process_name() -> str:
    """Names this process, of all on all machines."""
    return f"{socket.gethostname()}-{os.getpid()}"


async def open_foundation(
    scope: AsyncExitStack,
    settings: Settings,
    addresses: Addresses,
    stop: asyncio.Event,
    hurry: asyncio.Event | None = None,
    *,
    watch: DatabaseWatch | None = None,
    figures: Figures | None = None,
) -> Foundation:
    """Open the common ground; `scope` closes it.

    Args:
        scope: Closes it.
        settings: As read.
        addresses: Where the servers are.
        stop: Ends the process, once it has handed back what it holds.
        hurry: Ends it at once: nothing more is waited for.
        watch: What is known of the database already.
        figures: Where the process's figures are gathered.

    Raises:
        MasterKeyUnusable, NatsRefused, NatsUrlInvalid, StoreUrlRefused: one line each.
    """
    master = master_key(settings)
    nats = await scope.enter_async_context(
        NatsConnection(addresses.nats, name=f"build-practical-{os.getpid()}", on_closed=stop.set)
    )
    log_grown = await scope.enter_async_context(Signal(nats, "poke"))
    work = await scope.enter_async_context(Signal(nats, "work"))
    cancel = await scope.enter_async_context(Signal(nats, "cancel"))
    live = NatsLive(nats, log_grown, work, cancel)
    store = store_of(settings, addresses)
    artifacts: FolderStore | S3Store = await scope.enter_async_context(store)
    figures = figures or Figures(())
    ring, continuity = KeyRing(master), Continuity(process_name())
    continuity.on_set_back(ring.clear)
    continuity.on_set_back(figures.http.set_backs.inc)
    figures.loops(continuity.pulse)
    base = Foundation(
        settings,
        addresses,
        master,
        ring,
        nats,
        log_grown,
        work,
        cancel,
        live,
        artifacts,
        await scope.enter_async_context(Pool(settings.computing_processes)),
        watch or DatabaseWatch(addresses.database),
        figures,
        continuity,
        stop,
        hurry or asyncio.Event(),
    )
    base.lag.observe = figures.http.loop_lagged
    return base
