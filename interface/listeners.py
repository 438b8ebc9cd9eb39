"""Where a process listens: on a socket of its supervisor, of another process of ours, or its own.

Invariant: as long as anybody keeps a listener open, connections to it wait in one queue and none is
refused. So a process that is about to go hands its listener to the one that comes: whoever finds
the port taken asks for it in the data folder, over a socket that only its own user can reach
(`SCM_RIGHTS`, unix(7)). That socket stays open between the two; when one is gone, the other knows.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import structlog

from interface.server import PortTaken, listen

log = structlog.get_logger(__name__)

ASK_SECONDS: Final = 2.0
LONGEST_PATH: Final = 100
"""Of a socket in a folder, in bytes: macOS has room for 104."""


class Listener:
    """A listening socket, and who else keeps it open. A context manager."""

    def __init__(
        self, listening: socket.socket, *, supervised: bool = False, folder: Path | None = None
    ) -> None:
        """Take a socket.

        Args:
            listening: The socket, which this closes.
            supervised: Whether whoever started us keeps it open beyond our end.
            folder: Where it is offered to processes that come later; None offers it to nobody.
        """
        self.socket = listening
        self._supervised = supervised
        self._folder = folder
        self._keepers: set[socket.socket] = set()
        self._offer: socket.socket | None = None
        self._path: Path | None = None

    @property
    def port(self) -> int:
        """The port."""
        return int(self.socket.getsockname()[1])

    @property
    def kept(self) -> bool:
        """Whether somebody else has it open, too, so that no connection is refused without us."""
        return self._supervised or bool(self._keepers)

    def keep_with(self, other: socket.socket) -> None:
        """Note that whoever is at the other end has it open for as long as that end is."""
        other.setblocking(False)  # noqa: FBT003  # The standard library has no name for it.
        self._keepers.add(other)

    def offer(self) -> None:
        """Give it to whoever asks, and notice who is gone, from now on; needs a running loop."""
        loop = asyncio.get_running_loop()
        for keeper in self._keepers:
            loop.add_reader(keeper, self._on_end_closed, keeper)
        if self._folder is None:
            return
        path = self._folder / f"{self.port}-{secrets.token_hex(4)}.sock"
        offer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        offer.bind(str(path))
        offer.listen()
        offer.setblocking(False)  # noqa: FBT003
        self._offer, self._path = offer, path
        loop.add_reader(offer, self._asked)

    def _asked(self) -> None:
        assert self._offer is not None  # noqa: S101 - it is what was read.
        with contextlib.suppress(OSError):  # Whoever asked is gone, or will ask again.
            other, _ = self._offer.accept()
            socket.send_fds(other, [b"L"], [self.socket.fileno()])
            self.keep_with(other)
            asyncio.get_running_loop().add_reader(other, self._on_end_closed, other)
            log.info("listener_shared", port=self.port)

    def _on_end_closed(self, keeper: socket.socket) -> None:
        """Nothing is ever said: what can be read is the end."""
        with contextlib.suppress(BlockingIOError):
            with contextlib.suppress(ConnectionError):
                if keeper.recv(1):
                    return
            asyncio.get_running_loop().remove_reader(keeper)
            keeper.close()
            self._keepers.discard(keeper)

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, and let the others know; again is of no effect."""
        ends = [*self._keepers, *([self._offer] if self._offer else ())]
        with contextlib.suppress(RuntimeError):  # Without a loop nothing is read.
            loop = asyncio.get_running_loop()
            for end in ends:
                loop.remove_reader(end)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        for each in (*ends, self.socket):
            each.close()
        self._keepers.clear()
        self._offer = self._path = None


def supervised(passed: Sequence[int], port: int) -> Listener | None:
    """A listener among file descriptors that whoever started us passed on; None without any.

    Args:
        passed: The descriptors, as `settings.passed_descriptors` gives them.
        port: The port that is wanted: of several sockets, the one that has it.

    Raises:
        PortTaken: what was passed is no listening TCP socket.
    """
    found = [_listening(descriptor) for descriptor in passed]
    if not found:
        return None
    chosen = next((each for each in found if each.getsockname()[1] == port), found[0])
    for each in found:
        if each is not chosen:
            each.detach()
    chosen.setblocking(False)  # noqa: FBT003
    return Listener(chosen, supervised=True)


def shared(host: str, port: int, folder: Path) -> Listener:
    """A listener of our own, or that of a process of ours that has the port.

    Args:
        host: The address to listen on.
        port: The port; 0 chooses one, which is shared with nobody.
        folder: The data folder; processes with the same one share their listeners.

    Raises:
        PortTaken: somebody else has the port, or the address is not ours.
    """
    offers = _offers(folder)
    try:
        return Listener(listen(host, port), folder=offers if port else None)
    except PortTaken:
        for path in _newest(offers, port):
            received = _ask(path)
            if received is not None:
                listening, other = received
                if listening.getsockname()[:2] == (host, port):
                    listener = Listener(listening, folder=offers)
                    listener.keep_with(other)
                    return listener
                listening.close()
                other.close()
        raise


def _listening(descriptor: int) -> socket.socket:
    with contextlib.suppress(OSError):
        os.set_inheritable(descriptor, False)  # noqa: FBT003
        found = socket.socket(fileno=descriptor)
        internet = found.family in (socket.AF_INET, socket.AF_INET6)
        if internet and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return found
        found.close()
    raise PortTaken(
        f"File descriptor {descriptor} (LISTEN_FDS) is no listening TCP socket. "
        "Give the socket unit ListenStream=ADDRESS:PORT."
    )


def _offers(folder: Path) -> Path:
    """Where listeners are offered: a folder that only our user can enter."""
    offers = folder.absolute() / "listeners"
    if len(bytes(offers / "65535-00000000.sock")) > LONGEST_PATH:
        name = hashlib.sha256(bytes(offers)).hexdigest()[:16]
        offers = Path(tempfile.gettempdir()) / f"bp-{os.getuid()}-{name}"
    offers.mkdir(parents=True, exist_ok=True, mode=0o700)
    if offers.stat().st_uid != os.getuid():
        raise PortTaken(f"{offers} is somebody else's. Set BP_DATA_DIR to a shorter path.")
    offers.chmod(0o700)
    return offers


def _newest(offers: Path, port: int) -> Iterator[Path]:
    def made(path: Path) -> float:
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
        return 0.0

    yield from sorted(offers.glob(f"{port}-*.sock"), key=made, reverse=True)


def _ask(path: Path) -> tuple[socket.socket, socket.socket] | None:
    """The listener that is offered there, and the way to who offers it; None if nobody does."""
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.settimeout(ASK_SECONDS)
    try:
        asking.connect(str(path))
        _, received, _, _ = socket.recv_fds(asking, 1, 1)
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)  # Left behind by one that was killed.
        received = []
    except OSError:
        received = []
    if not received:
        asking.close()
        return None
    listening = socket.socket(fileno=received[0])
    listening.setblocking(False)  # noqa: FBT003
    return listening, asking
