"""PostgreSQL as operators run it: over TCP on the loopback address, a primary and its standby.

Invariant: whatever is started here is stopped with its context. Start from the main thread.
"""

import asyncio
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from infrastructure.embedded.binaries import postgres_bin
from infrastructure.embedded.postgres import Postgres


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Tcp(Postgres):
    """A server that listens on a port of its own; everybody on this machine is let in."""

    def __init__(self, root: Path, **settings: str) -> None:
        root.mkdir(exist_ok=True)
        super().__init__(root, durable=False)
        self.port = free_port()
        self._settings = (
            self._settings
            | {"listen_addresses": "127.0.0.1", "port": str(self.port), "hot_standby": "on"}
            | settings
        )
        self.dsn = make_conninfo(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres"
        )

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def primary(root: Path, **settings: str) -> Iterator[Tcp]:
    """A server that takes writes."""
    server = Tcp(root, **settings)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def standby(of: Tcp, root: Path) -> Iterator[Tcp]:
    """A server that follows another and takes no writes, until it is promoted."""
    server = Tcp(root)
    server.data.parent.mkdir(exist_ok=True)
    subprocess.run(  # noqa: S603 - our own binary.
        [
            postgres_bin() / "pg_basebackup",
            f"--pgdata={server.data}",
            f"--dbname={of.dsn}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ],
        check=True,
        capture_output=True,
    )
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.stop()


def url(*servers: Tcp, user: str = "postgres", name: str = "postgres", options: str = "") -> str:
    """An address with several hosts, in this order."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://{user}@{hosts}/{name}{options}"


@contextmanager
def old_server(version: str) -> Iterator[str]:
    """The address of somebody who greets as a PostgreSQL of this version, and answers no query.

    What it says is libpq's protocol, version 3: `test_a_real_server_is_known_by_the_same_word`
    holds a real server to it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = asyncio.Event()

    def answer() -> None:
        while not stop.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            with client:
                client.settimeout(5)
                _greet(client, version)

    import threading  # noqa: PLC0415 - for this one.

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"postgresql://somebody@127.0.0.1:{listener.getsockname()[1]}/bp"
    finally:
        stop.set()
        thread.join()
        listener.close()


def _greet(client: socket.socket, version: str) -> None:
    while True:  # Offers of encryption are declined one by one.
        (length,) = struct.unpack("!I", client.recv(4))
        said = client.recv(length - 4)
        if struct.unpack("!I", said[:4])[0] not in (80877103, 80877104):
            break
        client.sendall(b"N")
    told = {
        "server_version": version,
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "default_transaction_read_only": "off",
        "in_hot_standby": "off",
    }
    answer = b"R" + struct.pack("!II", 8, 0)
    for name, value in told.items():
        body = name.encode() + b"\0" + value.encode() + b"\0"
        answer += b"S" + struct.pack("!I", 4 + len(body)) + body
    answer += b"K" + struct.pack("!III", 12, 1, 1) + b"Z" + struct.pack("!Ic", 5, b"I")
    client.sendall(answer)
    client.recv(1024)  # Goodbye.
