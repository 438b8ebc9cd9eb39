"""The embedded servers under what happens to them: second starts, crashes, damage, strangers."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import nats
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from infrastructure.embedded import Stack, StackError
from infrastructure.embedded import stack as stack_module
from infrastructure.embedded.errors import (
    DiskFull,
    FolderDamaged,
    FolderInUse,
    FolderNotWritable,
    FolderOfAnotherVersion,
    ServerFailed,
)
from infrastructure.embedded.postgres import SOCKET_PATH_LIMIT

pytestmark = pytest.mark.servers

REPOSITORY = Path(__file__).parents[2]

HOLD = """
import sys, time
from pathlib import Path
from infrastructure.embedded import Stack
with Stack(Path(sys.argv[1]), durable=False) as stack:
    print("held", stack.pg_pid, stack.nats_pid, flush=True)
    while True:
        time.sleep(1)
"""


def start_in_a_child(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this very interpreter.
        [sys.executable, "-c", HOLD, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


@contextlib.contextmanager
def held_by_a_child(root: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a stack in a process of its own; yields it and the ids of both servers."""
    child = start_in_a_child(root)
    assert child.stdout is not None
    try:
        line = next(line for line in child.stdout if line.startswith("held"))
        yield child, [int(pid) for pid in line.split()[1:]]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def eventually(met: Callable[[], bool], within_seconds: float = 20.0) -> bool:
    end = time.monotonic() + within_seconds
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def gone(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(psutil.pid_exists(pid) for pid in pids)


def write_a_row(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO kept DEFAULT VALUES")


def rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        (count,) = connection.execute("SELECT count(*) FROM kept").fetchone() or (0,)
        return count


async def reconnected(client: nats.NATS, times: int) -> None:
    async with asyncio.timeout(20):
        while client.stats["reconnects"] < times or not client.is_connected:
            await asyncio.sleep(0.01)


def leftovers_under(root: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(root) in " ".join(process.cmdline()) and process.pid != os.getpid():
                found.append(process.pid)
    return found


def test_a_second_start_finds_the_data_and_leaves_no_process(tmp_path):
    with Stack(tmp_path) as first:
        write_a_row(first.dsn)
        pids = [first.pg_pid, first.nats_pid]
    assert gone(pids)()
    with Stack(tmp_path) as second:
        assert rows(second.dsn) == 1


async def test_messages_are_still_there_after_a_second_start(tmp_path):
    for expected in (1, 2):
        with Stack(tmp_path, durable=False) as stack:
            client = await nats.connect(stack.nats_url)
            streams = client.jetstream()
            await streams.add_stream(name="kept", subjects=["kept"])
            assert (await streams.publish("kept", b"one more")).seq == expected
            await client.close()


def test_commits_are_durable_unless_told_otherwise(tmp_path):
    with Stack(tmp_path) as stack, psycopg.connect(stack.dsn) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def test_a_folder_in_use_is_refused_and_its_holder_named(tmp_path):
    with held_by_a_child(tmp_path) as (child, pids):
        with pytest.raises(FolderInUse, match=f"in use by process {child.pid}"), Stack(tmp_path):
            pass
        assert all(psutil.pid_exists(pid) for pid in pids)


def test_nothing_runs_on_after_a_kill_of_our_process_and_nothing_is_lost(tmp_path):
    with held_by_a_child(tmp_path) as (child, pids):
        dsn = f"host={tmp_path / 'run'} user=postgres dbname=postgres"
        write_a_row(dsn)
        child.kill()
        child.wait()
        assert eventually(gone(pids)), "a server outlived its supervisor"
    with Stack(tmp_path, durable=False) as stack:
        assert rows(stack.dsn) == 1


def test_a_start_right_after_a_kill_waits_for_what_is_still_stopping(tmp_path):
    with held_by_a_child(tmp_path) as (child, pids):
        child.kill()
        child.wait()
        with Stack(tmp_path, durable=False) as stack:
            assert not {stack.pg_pid, stack.nats_pid} & set(pids)
            stack.check()


def test_ctrl_c_in_the_terminal_reaches_only_the_supervisor(tmp_path):
    with held_by_a_child(tmp_path) as (child, pids):
        assert os.getpgid(child.pid) not in {os.getpgid(pid) for pid in pids}
        child.send_signal(signal.SIGINT)
        child.wait(30)
        assert gone(pids)()


def test_a_half_made_cluster_is_made_anew(tmp_path):
    half = tmp_path / "pg18.init-left"
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with Stack(tmp_path, durable=False) as stack:
        write_a_row(stack.dsn)
    assert not half.exists()


def test_a_kill_of_the_very_first_start_leaves_nothing_behind_that_a_second_would_trip_over(
    tmp_path,
):
    child = start_in_a_child(tmp_path)
    assert eventually(lambda: any(tmp_path.glob("pg18.init-*/PG_VERSION")))
    child.kill()
    child.communicate()
    assert eventually(lambda: leftovers_under(tmp_path) == [])
    assert not (tmp_path / "pg18").exists(), "killed too late to show anything"
    with Stack(tmp_path, durable=False) as stack:
        write_a_row(stack.dsn)
    assert not any(tmp_path.glob("pg18.init-*"))


def test_a_cluster_of_another_major_version_is_refused_and_left_alone(tmp_path):
    (tmp_path / "pg18").mkdir()
    (tmp_path / "pg18" / "PG_VERSION").write_text("17\n")
    with pytest.raises(FolderOfAnotherVersion, match=r"PostgreSQL 17.*dump it"), Stack(tmp_path):
        pass
    assert [path.name for path in (tmp_path / "pg18").iterdir()] == ["PG_VERSION"]
    assert leftovers_under(tmp_path) == []


@pytest.mark.parametrize("lost", ["PG_VERSION", "global/pg_control", "pg_wal", "base/5"])
def test_a_damaged_cluster_is_refused_in_one_line_that_says_what_to_do(tmp_path, lost):
    with Stack(tmp_path, durable=False):
        pass
    (tmp_path / "pg18" / lost).rename(tmp_path / "lost")
    advice = r"damaged.*restore it from a backup"
    with pytest.raises(FolderDamaged, match=advice) as refused, Stack(tmp_path, durable=False):
        pass
    assert "\n" not in str(refused.value)
    assert leftovers_under(tmp_path) == []


def test_a_damaged_control_file_is_refused(tmp_path):
    with Stack(tmp_path, durable=False):
        pass
    control = tmp_path / "pg18" / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    with pytest.raises(FolderDamaged), Stack(tmp_path, durable=False):
        pass


@pytest.mark.parametrize("pid", ["2147483600", str(os.getppid()), "0", "nonsense"])
def test_a_stale_pid_file_does_not_stop_the_start_nor_any_stranger(tmp_path, pid):
    with Stack(tmp_path, durable=False) as stack:
        write_a_row(stack.dsn)
    (tmp_path / "pg18" / "postmaster.pid").write_text(f"{pid}\n{tmp_path / 'pg18'}\n")
    (tmp_path / "nats.pid").write_text(pid)
    with Stack(tmp_path, durable=False) as stack:
        assert rows(stack.dsn) == 1
    assert psutil.pid_exists(os.getppid())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FolderNotWritable, match="another data folder"), Stack(tmp_path / "file"):
        pass


def test_a_disk_with_too_little_room_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_module, "FREE_MB_NEEDED", 10**9)
    with pytest.raises(DiskFull, match="make room"), Stack(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["supervisor.lock"]


def test_a_refused_start_gives_the_folder_back(tmp_path):
    version = tmp_path / "pg18" / "PG_VERSION"
    version.parent.mkdir()
    version.write_text("17")
    with pytest.raises(FolderOfAnotherVersion), Stack(tmp_path):
        pass
    version.unlink()
    with Stack(tmp_path, durable=False) as stack:
        stack.check()


def test_a_folder_too_long_for_a_socket_gets_a_short_private_one(tmp_path):
    root = tmp_path / ("long name, with a comma and 'quotes' " + "x" * SOCKET_PATH_LIMIT)
    with Stack(root, durable=False) as stack:
        write_a_row(stack.dsn)
        short = Path(str(conninfo_to_dict(stack.dsn)["host"]))
        assert short.stat().st_mode & 0o777 == 0o700
    assert not short.exists()


def test_a_crash_of_postgresql_is_noticed_and_loses_no_commit(own_stack):
    write_a_row(own_stack.dsn)
    own_stack.kill_postgres()
    with pytest.raises(ServerFailed, match="PostgreSQL ended"):
        own_stack.check()
    own_stack.restart_postgres()
    own_stack.check()
    assert rows(own_stack.dsn) == 1


async def test_a_crash_of_nats_is_noticed_and_clients_find_it_again_at_its_old_address(own_stack):
    url = own_stack.nats_url
    client = await nats.connect(url, reconnect_time_wait=0.01, max_reconnect_attempts=-1)
    streams = client.jetstream()
    await streams.add_stream(name="kept", subjects=["kept"])
    await streams.publish("kept", b"one")
    own_stack.kill_nats()
    with pytest.raises(ServerFailed, match="NATS ended"):
        own_stack.check()
    own_stack.restart_nats()
    assert own_stack.nats_url == url
    await reconnected(client, 1)
    assert (await streams.stream_info("kept")).state.messages == 1
    own_stack.restart_nats(wipe=True)
    await reconnected(client, 2)
    assert await streams.streams_info() == []
    await client.close()


def test_postgresql_listens_on_a_private_socket_and_nats_on_the_loopback_address(stack):
    postgres = psutil.Process(stack.pg_pid)
    assert [c for c in postgres.net_connections("tcp") if c.status == "LISTEN"] == []
    listening = [
        c.laddr.ip
        for c in psutil.Process(stack.nats_pid).net_connections("tcp")
        if c.status == "LISTEN"
    ]
    assert listening == ["127.0.0.1"]
    assert (stack.root / "run").stat().st_mode & 0o777 == 0o700


def test_nats_turns_away_who_has_no_token(stack):
    port = int(stack.nats_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"CONNECT {}\r\nPING\r\n")
        said = b""
        while part := client.recv(4096):
            said += part
    assert b"Authorization Violation" in said


def test_the_token_is_in_no_log_and_in_no_file_others_can_read(stack):
    token = stack.nats_url.removeprefix("nats://").split("@")[0]
    with_token = {
        path.name
        for path in stack.root.glob("nats*")
        if path.is_file() and token in path.read_text()
    }
    assert with_token == {"nats.token", "nats.conf"}
    assert all((stack.root / name).stat().st_mode & 0o077 == 0 for name in with_token)


def test_the_servers_are_given_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary")
    with Stack(tmp_path, durable=False) as stack:
        for pid in (stack.pg_pid, stack.nats_pid):
            assert "canary" not in psutil.Process(pid).environ().values()


def test_a_start_outside_the_main_thread_is_refused(tmp_path):
    refused = []

    def start() -> None:
        try:
            Stack(tmp_path, durable=False).__enter__()
        except StackError as error:
            refused.append(str(error))

    thread = Thread(target=start)
    thread.start()
    thread.join()
    assert refused == ["embedded servers must be started from the main thread"]
