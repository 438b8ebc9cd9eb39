"""Where a process listens, and who else keeps its listener open."""

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interface.listeners import Listener, shared, supervised
from interface.server import PortTaken, listen
from interface.settings import passed_descriptors

pytestmark = pytest.mark.servers

HOST = "127.0.0.1"


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder with a path short enough for the name of a socket: 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="bp-") as folder:
        yield Path(folder)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


async def second(folder: Path, port: int) -> Listener:
    """What another process gets for the same port; asked elsewhere, for the first must answer."""
    return await asyncio.to_thread(shared, HOST, port, folder)


def connects(port: int) -> bool:
    with socket.create_connection((HOST, port)):
        return True


async def test_who_finds_the_port_taken_is_given_the_listener_and_both_know(
    tmp_path: Path,
) -> None:
    port = free_port()
    with shared(HOST, port, tmp_path) as old:
        old.offer()
        assert not old.kept
        with await second(tmp_path, port) as new:
            new.offer()
            await until(lambda: old.kept)
            assert new.kept
            assert new.port == port
        await until(lambda: not old.kept)
        with await second(tmp_path, port) as new:
            new.offer()
            await until(lambda: old.kept)
            old.__exit__()
            await until(lambda: not new.kept)
            assert connects(port), "whoever comes waits in the one queue"
            with await second(tmp_path, port) as third:
                assert third.kept
    with pytest.raises(ConnectionRefusedError):
        connects(port)


async def test_a_port_of_somebody_else_is_refused_as_ever(tmp_path: Path) -> None:
    with listen(HOST, 0) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(PortTaken, match="set BP_PORT"):
            await second(tmp_path, port)


async def test_a_listener_is_given_to_processes_of_the_same_data_folder_only(
    near: Path,
) -> None:
    port = free_port()
    with shared(HOST, port, near / "ours") as ours:
        ours.offer()
        with pytest.raises(PortTaken):
            await second(near / "theirs", port)
        offers = near / "ours" / "listeners"
        assert stat.S_IMODE(offers.stat().st_mode) == 0o700
        [left] = offers.iterdir()
        assert left.is_socket()
    assert not list(offers.iterdir())


async def test_what_a_killed_process_left_behind_is_no_offer(near: Path) -> None:
    offers = near / "listeners"
    offers.mkdir()
    with listen(HOST, 0) as stranger:
        port = stranger.getsockname()[1]
        dead = offers / f"{port}-1.sock"
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(dead))
        with pytest.raises(PortTaken):
            await second(near, port)
        assert not dead.exists()


async def test_a_data_folder_may_have_a_long_path(tmp_path: Path) -> None:
    folder, port = tmp_path / ("x" * 120), free_port()
    with shared(HOST, port, folder) as old:
        old.offer()
        with await second(folder, port) as new:
            assert new.kept


def test_a_supervisors_socket_is_taken_and_kept_by_it() -> None:
    with listen(HOST, 0) as kept, listen(HOST, 0) as other:
        port = kept.getsockname()[1]
        passed = [os.dup(other.fileno()), os.dup(kept.fileno())]
        found = supervised(passed, port)
        assert found is not None
        with found:
            assert (found.port, found.kept) == (port, True)
        os.close(passed[0])
        assert connects(port), "it is still open where it came from"
    assert supervised((), port) is None


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_what_is_no_listening_socket_is_refused_with_what_to_do(
    family: socket.AddressFamily,
) -> None:
    with socket.socket(family) as idle:
        with pytest.raises(PortTaken, match="ListenStream"):
            supervised((descriptor := os.dup(idle.fileno()),), 0)
        with pytest.raises(OSError, match="Bad file"):
            os.close(descriptor)


def test_descriptors_are_ours_only_if_they_were_meant_for_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for pid, count, expected in (
        (str(os.getpid()), "2", (3, 4)),
        ("1", "2", ()),
        (str(os.getpid()), "many", ()),
        (str(os.getpid()), "9" * 20, ()),
        ("", "", ()),
    ):
        monkeypatch.setenv("LISTEN_PID", pid)
        monkeypatch.setenv("LISTEN_FDS", count)
        assert passed_descriptors() == expected
        assert "LISTEN_FDS" not in os.environ
    assert passed_descriptors() == (), "once"


def free_port() -> int:
    with listen(HOST, 0) as free:
        return int(free.getsockname()[1])
