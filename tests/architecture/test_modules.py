"""Every module says what it is for, under a name that says what is in it."""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.pages import PROJECT, name_of, tree_of

PACKAGES = ("domain", "application", "projections", "infrastructure", "interface")
NO_NOUN = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}

CLIENTS = {
    "aioboto3": "infrastructure/artifacts/",
    "aiobotocore": "infrastructure/artifacts/",
    "anthropic": "infrastructure/anthropic/",
    "argon2": "infrastructure/identity/",
    "ast_grep_py": "infrastructure/inspection/",
    "cryptography": ("infrastructure/sealing/", "infrastructure/transparency/note.py"),
    "eventsourcing": "infrastructure/event_log/",
    "joserfc": "infrastructure/identity/",
    "litestar": "interface/http/",
    "nats": "infrastructure/nats/",
    "prometheus_client": ("interface/http/metrics.py", "interface/figures.py"),
    "psutil": "infrastructure/embedded/",
    "pydantic_settings": "interface/settings.py",
    "stream_zip": "infrastructure/delivery/archive.py",
    "uvicorn": ("interface/server.py", "interface/patient.py"),
}
"""Where each client of something outside is imported, and nowhere else."""


def _modules() -> list[Path]:
    return sorted(
        path
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*.py")
        if "web" not in path.relative_to(PROJECT).parts
    )


MODULES = _modules()


@cache
def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = tree_of(path)
    assert not tree.body or ast.get_docstring(tree)


def test_no_module_has_a_name_without_a_noun() -> None:
    assert [name_of(path) for path in MODULES if NO_NOUN & set(path.stem.split("_"))] == []


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_a_client_is_imported_in_its_home_only(client: str) -> None:
    users = [name_of(path) for path in MODULES if client in _imported(path)]
    assert [user for user in users if not user.startswith(CLIENTS[client])] == []


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_every_home_of_a_client_is_there(client: str) -> None:
    home = CLIENTS[client]
    assert any(name_of(path).startswith(home) for path in MODULES)


def test_every_command_leads_to_code_that_exists() -> None:
    tree = ast.parse((PROJECT / "interface" / "cli" / "app.py").read_text(encoding="utf-8"))
    missing = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = {
                    alias.name: _module(f"{node.module}.{alias.name}") for alias in node.names
                }
                home = importlib.import_module(node.module)
                missing += [
                    f"{node.module}.{name}"
                    for name, module in modules.items()
                    if module is None and not hasattr(home, name)
                ]
                missing += [
                    f"{name}.{attribute}"
                    for name, attribute in _attributes(function)
                    if modules.get(name) is not None and not hasattr(modules[name], attribute)
                ]
    assert missing == []


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def _attributes(function: ast.FunctionDef) -> set[tuple[str, str]]:
    return {
        (node.value.id, node.attr)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


KINDS = {
    "interface/http/requests/parameters.py",  # All kinds.
    "interface/http/audit/audit_filter.py",  # Events and actors of the log.
    "interface/http/features/delivery.py",  # The format: one of two words.
}


def test_parameters_of_requests_are_declared_where_their_bounds_are() -> None:
    declared = set()
    for path in (PROJECT / "interface" / "http").rglob("*.py"):
        names = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        if names & {"QueryParameter", "HeaderParameter", "PathParameter", "CookieParameter"}:
            declared.add(path.relative_to(PROJECT).as_posix())
    assert declared == KINDS
