"""The documentation mentions everything that the code offers, and nothing that is not there."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from application.agents.failures import CODES
from application.identity.account_ports import AccountRefused
from domain.documents import AgentDocument
from domain.errors import Refused
from domain.events import FeatureEvent
from domain.status import Agent, Status, Step
from interface.cli.app import app
from interface.cli.generate.documents import commands
from interface.figures import Figures
from interface.http.problems.table import PROBLEMS
from interface.settings import Settings, variable
from projections.failure import NEXT
from tests.architecture.pages import DEPLOY_PAGE, DOCS, PAGES, PROJECT, name_of, text, tree_of

LARGEST_DECISION_WORDS = 450

_PATH = re.compile(
    r"`((?:[a-z_.-]+/)+[\w@.-]*|[a-z_-]+\.(?:toml|md|lock|json))(?:::(\w+(?:\.\w+)?))?`"
)
_SOURCE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|sql|svelte|ts))(?:::[\w.]+)?`")
_MODULE = re.compile(
    r"(?:`|python -m )((?:domain|application|projections|infrastructure|interface|tests)(?:\.\w+)+)"
)
_ROOM = re.compile(r"^\| `([a-z_/]+/)` \|", re.MULTILINE)
_NOT_OURS = {"verify.py", "sitecustomize.py"}
"""What a page names that lies in a delivery, or is somebody else's."""
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_TOP = {
    "domain", "application", "projections", "infrastructure", "interface", "tests", "docs",
    "deploy", "examples",
}  # fmt: skip
_COMMAND = re.compile(r"\./bp ([a-z][a-z -]*[a-z])")
_VARIABLE = re.compile(r"\b(?:BP|ANTHROPIC)_[A-Z][A-Z_]+\b")
_SCRIPT_COMMANDS = {"test", "lint", "web"}


def _all(kind: type) -> set[type]:
    return {kind, *(deeper for sub in kind.__subclasses__() for deeper in _all(sub))}


@pytest.mark.parametrize("name", [*Settings.model_fields])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{variable(name)}`" in text("docs/operations.md")


@pytest.mark.parametrize("words", [" ".join(words) for words, _ in commands(app)])
def test_every_command_is_documented(words: str) -> None:
    assert f"`{words}`" in text("docs/operations.md")


def test_every_figure_is_documented() -> None:
    named = {metric.name for metric in Figures(("api",)).http.registry.collect()}
    assert named
    assert [name for name in sorted(named) if f"`{name}`" not in text("docs/operations.md")] == []


def test_every_command_says_what_it_does() -> None:
    assert [words for words, about in commands(app) if not about] == []


@pytest.mark.parametrize("kind", get_args(FeatureEvent))
def test_every_event_is_documented(kind: type) -> None:
    tag = kind.__struct_config__.tag
    assert f"## `{tag}`" in text("docs/events.md")
    assert f"| `{tag}` |" in text("docs/lifecycle.md")


@pytest.mark.parametrize("kind", get_args(FeatureEvent))
def test_every_event_says_what_it_means_and_what_of_it_is_personal(kind: type) -> None:
    assert kind.__doc__
    assert kind.personal <= set(kind.__struct_fields__)
    # What people or agents wrote is never in clear.
    written = {"title", "text", "brief", "markdown", "document", "note", "notes", "reason", "files"}
    assert written & set(kind.__struct_fields__) <= kind.personal


@pytest.mark.parametrize("kind", sorted(_all(Refused) - {Refused}, key=lambda k: k.__name__))
def test_every_refusal_is_documented_and_has_a_problem(kind: type[Refused]) -> None:
    assert kind.__doc__
    assert kind.code in PROBLEMS
    assert f"`{kind.code}`" in text("docs/api.md")


@pytest.mark.parametrize(
    "kind", sorted(_all(AccountRefused) - {AccountRefused}, key=lambda k: k.__name__)
)
def test_every_refusal_of_an_account_has_a_problem(kind: type[AccountRefused]) -> None:
    assert kind.code in PROBLEMS


@pytest.mark.parametrize("code", [*PROBLEMS])
def test_every_problem_is_documented(code: str) -> None:
    assert f"| `{code}` | {PROBLEMS[code].status} |" in text("docs/api.md")


@pytest.mark.parametrize("code", [*CODES])
def test_every_failure_is_documented_with_what_to_do(code: str) -> None:
    assert CODES[code]
    assert f"| `{code}` |" in text("docs/lifecycle.md")


def test_where_a_failure_leads_is_told_of_known_failures_only() -> None:
    assert set(NEXT) <= set(CODES)


@pytest.mark.parametrize("word", [*Status, *Step, *Agent], ids=repr)
def test_every_status_step_and_agent_is_documented(word: str) -> None:
    assert f"`{word}`" in text("docs/lifecycle.md")


def test_every_document_of_an_agent_says_what_it_is() -> None:
    assert [kind.__name__ for kind in _all(AgentDocument) if not kind.__doc__] == []


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_every_file_and_every_name_in_one_that_a_page_names_exists(page: Path) -> None:
    named = {
        (name, inside)
        for name, inside in _PATH.findall(page.read_text(encoding="utf-8"))
        if name.split("/")[0] in _TOP or "/" not in name
    }
    assert [name for name, _ in sorted(named) if not (PROJECT / name).exists()] == []
    assert [f"{n}::{i}" for n, i in sorted(named) if i and i not in _names_in(PROJECT / n)] == []


def _names_in(file: Path) -> set[str]:
    """Functions and classes of a module, and `Class.method` for each method."""
    if file.suffix != ".py":
        return set(re.findall(r"\b(?:class|function) (\w+)", file.read_text(encoding="utf-8")))
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: set[str] = set()
    for node in tree_of(file).body:
        if isinstance(node, defined):
            found.add(node.name)
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, defined)}
    return found


def _ours() -> Iterator[str]:
    """Every source file of ours, by its path from the project's folder."""
    for top in sorted(_TOP):
        for folder, folders, names in os.walk(PROJECT / top):
            folders[:] = [f for f in folders if f not in {"node_modules", "dist", "__pycache__"}]
            yield from (name_of(Path(folder, name)) for name in names)


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_a_source_that_a_page_names_in_short_exists_under_that_name(page: Path) -> None:
    named = set(_SOURCE.findall(page.read_text(encoding="utf-8"))) - _NOT_OURS
    ends = {f"/{path}" for path in _ours()} if named else set()
    assert [n for n in sorted(named) if not any(end.endswith(f"/{n}") for end in ends)] == []


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    """A dotted name is a module, a package, or a name in one."""

    def there(dotted: str) -> bool:
        place = PROJECT / dotted.replace(".", "/")
        module = place.with_suffix(".py")
        return place.is_dir() or module.exists() or place.parent.with_suffix(".py").exists()

    named = set(_MODULE.findall(page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not there(name)] == []


def test_the_architecture_page_names_every_room_of_each_floor() -> None:
    page = text("docs/architecture.md")
    named = set(_ROOM.findall(page))
    floors = {"": ("application", "infrastructure"), "http/": ("interface/http",)}
    rooms = {
        f"{prefix}{path.name}/"
        for prefix, parents in floors.items()
        for parent in parents
        for path in (PROJECT / parent).iterdir()
        if path.is_dir() and path.name != "__pycache__"
    } | {"cli/", "web/"}
    assert named == rooms


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    links = {link for link in _LINK.findall(page.read_text(encoding="utf-8")) if ":" not in link}
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    known = {" ".join(words) for words, _ in commands(app)} | _SCRIPT_COMMANDS
    groups = {" ".join(words.split()[:n]) for words in known for n in (1, 2)}
    named = {
        " ".join(found.split()[:2]) for found in _COMMAND.findall(page.read_text(encoding="utf-8"))
    }
    assert [n for n in sorted(named) if n not in groups and n.split()[0] not in known] == []


@pytest.mark.parametrize("page", [*PAGES, DEPLOY_PAGE], ids=name_of)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert set(_VARIABLE.findall(page.read_text(encoding="utf-8"))) - known == set()


def test_the_readme_maps_every_folder_of_ours() -> None:
    mapped = set(re.findall(r"^\| `([a-z]+)/` \|", text("README.md"), re.MULTILINE))
    there = {path.name for path in PROJECT.iterdir() if path.is_dir() and path.name in _TOP}
    assert mapped == there == _TOP


def test_every_page_can_be_found_from_the_readme() -> None:
    readme = text("README.md")
    top = {name_of(page) for page in DOCS.glob("*.md")}
    assert [page for page in sorted(top) if f"({page})" not in readme] == []


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("[0-9]*.md")), ids=name_of)
def test_a_decision_is_one_page_with_its_check(page: Path) -> None:
    body = page.read_text(encoding="utf-8")
    number = int(page.name[:4])
    assert body.startswith(f"# {number}. ")
    for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**Checked by**"):
        assert part in body
    assert len(body.split()) < LARGEST_DECISION_WORDS


def test_each_decision_has_a_number_of_its_own_and_the_index_accounts_for_every_gap() -> None:
    numbers = [int(page.name[:4]) for page in sorted((DOCS / "decisions").glob("[0-9]*.md"))]
    assert len(set(numbers)) == len(numbers)
    told = {
        int(n) for n in re.findall(r"^- (\d+): ", text("docs/decisions/README.md"), re.MULTILINE)
    }
    assert told == set(range(1, max(numbers) + 1)) - set(numbers)


def test_the_index_of_decisions_names_every_page() -> None:
    index = text("docs/decisions/README.md")
    pages = [page.name for page in (DOCS / "decisions").glob("*.md") if page.name != "README.md"]
    assert [page for page in pages if index.count(f"]({page})") != 1] == []


def test_the_hooks_before_a_commit_are_ours_alone_and_the_same_that_ci_runs() -> None:
    hooks = text(".pre-commit-config.yaml")
    assert re.findall(r"- repo: (.*)", hooks) == ["local"]
    entries = [words.split() for words in re.findall(r"entry: (.*)", hooks)]
    assert entries
    assert 'bp" test' in text(".ci/run"), "CI runs ./bp test"
    lints = re.search(r"\ntest\)\n(.*?);;", text("bp"), re.DOTALL)
    assert lints is not None
    assert "lint\n" in lints[1], "and ./bp test begins with ./bp lint"
    tested = {"docs": "test_generated.py", "openapi": "test_openapi.py"}
    for program, command, *options in entries:
        assert program == "./bp"
        if command == "web":
            assert '/bp" web --check' in text(".ci/run")
            continue
        assert command == "lint" or (
            options == ["--check"] and any((PROJECT / "tests").rglob(tested[command]))
        )
