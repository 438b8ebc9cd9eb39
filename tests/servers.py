"""Which tests may start servers: those that say so, by the mark `servers` or the fixture.

Fixtures that start one ask for the fixture `servers`, so whoever uses them has said so. An audit
hook holds every test to it, in every run: who opens a listening port, or starts a program that
does, and has not said so, fails and is told what to do. So the quick loop (`./bp test --fast`),
which leaves these tests out, needs no list, and a test that starts a server cannot slip in.

Invariant: only a test's set-up and body are refused anything; a program that does not listen, such
as git, is free to run.
"""

import gc
import re
import socket
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

SERVERS: Final = "servers"
EXAMPLES: Final = 10
"""Of a property that names no number of its own, in the quick loop; 100 otherwise."""
PROGRAMS: Final = frozenset({"nats-server", "postgres", "initdb", "pg_ctl", "chromium", "bp"})
"""Programs that listen, or start what does."""
MODULES: Final = frozenset({"interface.cli", "uvicorn", "moto.server", "http.server"})
"""The same as modules of Python."""
_WHOLE_MODULE: Final = re.compile(r"^pytestmark = .*\bpytest\.mark\.servers\b", re.MULTILINE)
ADVICE: Final = (
    "this test starts a server ({what}) and does not say so: mark it, or its module "
    "(`pytestmark = pytest.mark.servers`), or let its fixture ask for the fixture `servers`"
)

_refusing = False
_refused: list[str] = []


class StartsServer(RuntimeError):
    """A test that did not ask for `servers` starts one."""


@pytest.fixture(scope="session")
def servers() -> None:
    """Say that a test starts servers: the quick loop leaves it out."""


def starts_servers(item: pytest.Item) -> bool:
    """Whether a test is marked so, or asks for what starts one, also through its fixtures."""
    asked = SERVERS in getattr(item, "fixturenames", ())
    return asked or item.get_closest_marker(SERVERS) is not None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the quick loop."""
    parser.addoption("--fast", action="store_true", help="leave out tests that start servers")


def pytest_configure(config: pytest.Config) -> None:
    """Watch, from now on and for all tests. The quick loop tries fewer examples of a property."""
    sys.addaudithook(_watch)
    if config.getoption("--fast"):
        from hypothesis import settings  # noqa: PLC0415 - takes half a second.

        settings.register_profile("fast", max_examples=EXAMPLES, deadline=None)
        settings.load_profile("fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import, in the quick loop, a module that says it of all its tests."""
    if not config.getoption("--fast") or collection_path.suffix != ".py":
        return None
    whole = _WHOLE_MODULE.search(collection_path.read_text(encoding="utf-8"))
    return True if whole else None


def pytest_collection() -> None:
    """Let the collector rest: what collecting makes lives to the end, and looking at it is slow."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Begin to look again, at what comes from now on."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what starts servers, in the quick loop."""
    if not config.getoption("--fast"):
        return
    left_out = [item for item in items if starts_servers(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not starts_servers(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Hold the set-up of a test to what it asked for."""
    return (yield from _held(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Hold a test to what it asked for."""
    return (yield from _held(item))


def _held(item: pytest.Item) -> Generator[None, Any, Any]:
    global _refusing  # noqa: PLW0603 - an audit hook can be given nothing.
    _refused.clear()
    _refusing = not starts_servers(item)
    try:
        result = yield
    finally:
        _refusing = False
    if _refused:  # Also when the code under test survived the refusal.
        raise StartsServer(_refused[0])
    return result


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _refusing:
        return
    if event == "socket.bind":
        opened, address = arguments
        if opened.type == socket.SOCK_STREAM and opened.family != socket.AF_VSOCK:
            _refuse(f"a port on {address}")
    elif event == "subprocess.Popen" and (name := _server_in(arguments[0], arguments[1])):
        _refuse(name)


def _server_in(executable: Any, arguments: Any) -> str | None:
    """The program or module that a child process would be, if it is one that listens."""
    words = [arguments] if isinstance(arguments, (str, bytes)) else list(arguments)
    for word in [executable or "", *words]:
        text = word.decode() if isinstance(word, bytes) else str(word)
        if text in MODULES or Path(text).name in PROGRAMS:
            return text
    return None


def _refuse(what: str) -> None:
    _refused.append(ADVICE.format(what=what))
    raise StartsServer(_refused[0])
