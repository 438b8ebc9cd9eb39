"""The parts of the documentation that are made from the code, so that they cannot go stale.

Invariant: a generated page, or what stands between a pair of marks, is what the code gives now; a
test compares them. A mark is `<!-- generated: NAME -->`, closed by `<!-- end -->`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cyclopts import App

from application.identity.security_log import EVENTS
from infrastructure.postgres.migrations import FOLDER
from interface.cli.console import fail, say
from interface.cli.generate.events_page import events_page
from interface.cli.generate.lifecycle_page import diagram, lifecycle_page
from interface.cli.generate.markdown import code, table
from interface.cli.generate.rights import rights_table
from interface.cli.generate.struct_fields import summary_of
from interface.cli.generate.web_lifecycle import FILE as LIFECYCLE_MODULE
from interface.cli.generate.web_lifecycle import web_lifecycle
from interface.http import openapi as api_document
from interface.http.app import described
from interface.http.problems.table import PROBLEMS
from interface.http.streaming.conversation import FRAMES
from interface.limits import COUNTED, IN_ROOMS, OF_CONNECTIONS, RATES, ROOMS
from interface.settings import PROJECT, Settings, variable

WHOLE: Final = {"docs/lifecycle.md": lifecycle_page, "docs/events.md": events_page}
MARKED: Final = (
    "README.md",
    "docs/api.md",
    "docs/decisions/README.md",
    "docs/operations.md",
    "docs/security.md",
)

_MARKS: Final = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_VERBS: Final = ("get", "post", "put", "patch", "delete")


def docs(app: App, *, check: bool) -> int:
    """Write every page that is made from the code, or say which is not fresh; an exit code."""
    return _settle(pages(PROJECT, app), check=check, again="./bp docs")


def openapi(*, check: bool) -> int:
    """Write what clients are made from (the API document, the web app's lifecycle), or check it."""
    made = {api_document.FILE: api_document.text(described()), LIFECYCLE_MODULE: web_lifecycle()}
    return _settle(made, check=check, again="./bp openapi")


def _settle(made: Mapping[Path, str], *, check: bool, again: str) -> int:
    stale = [path for path, text in made.items() if not _holds(path, text)]
    for path in stale:
        name = path.relative_to(PROJECT)
        if check:
            fail(f"{name} is not what the code gives: run {again}")
        else:
            path.write_text(made[path], encoding="utf-8")
            say(f"{name} written")
    return int(check and bool(stale))


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def pages(root: Path, app: App) -> dict[Path, str]:
    """Every page that is made from the code, as it should be.

    Args:
        root: The project's folder.
        app: The command line, whose commands the pages list.

    Raises:
        KeyError: a page has a mark of a name that nothing is made for.
    """
    blocks = _blocks(root, app)
    made = {root / name: page() for name, page in WHOLE.items()}
    for name in MARKED:
        path = root / name
        made[path] = fill(path.read_text(encoding="utf-8"), blocks)
    return made


def fill(text: str, blocks: Mapping[str, str]) -> str:
    """A page with each block between its marks replaced."""
    return _MARKS.sub(lambda mark: f"{mark[1]}\n{blocks[mark[2]]}\n\n{mark[3]}", text)


def settings_table() -> str:
    """Every setting: its environment variable, its default, and what it takes."""
    return table(
        ("variable", "default", "what it takes"),
        (
            (f"`{variable(name)}`", _default(field.default), str(field.description))
            for name, field in Settings.model_fields.items()
        ),
    )


def problems_table() -> str:
    """Every code that an error can carry."""
    return table(
        ("code", "status", "meaning, and what to do"),
        ((f"`{name}`", str(kind.status), kind.help) for name, kind in PROBLEMS.items()),
    )


def security_table() -> str:
    """Every line about signing in, with its reasons."""
    return table(
        ("event", "`reason`", "meaning"),
        (
            (f"`{name}`", ", ".join(f"`{reason}`" for reason in kind.reasons), kind.about)
            for name, kind in EVENTS.items()
        ),
    )


def commands_table(app: App) -> str:
    """Every command, with the first line of its help."""
    return table(
        ("command", "what it does"),
        ((f"`{' '.join(names)}`", about) for names, about in commands(app)),
    )


def commands(app: App, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The words of each command and the first line of its help, groups opened."""
    for name in app:
        if name.startswith("-"):
            continue
        command, words = app[name], (*before, name)
        if command.default_command is not None:
            yield words, next(iter((command.help or "").strip().splitlines()), "")
        yield from commands(command, words)


def routes_table(openapi: Path) -> str:
    """Every route, from the OpenAPI document."""
    document: dict[str, Any] = json.loads(openapi.read_text(encoding="utf-8"))
    return table(
        ("route", "what it does"),
        (
            (f"`{verb.upper()} {path}`", str(item[verb].get("summary", "")))
            for path, item in document["paths"].items()
            for verb in _VERBS
            if verb in item
        ),
    )


def answer_table() -> str:
    """What the stream of an answer of the BA agent sends."""
    return table(
        ("event", "meaning", "data"),
        (
            (f"`{name}`", summary_of(kind), code(*kind.__struct_fields__))
            for name, kind in FRAMES.items()
        ),
    )


def connections_table() -> str:
    """What a connection may do, and for how long."""
    return table(("limit of", "how much", "beyond it"), OF_CONNECTIONS)


def places_table() -> str:
    """What has places of its own."""
    return table(
        ("kind", "what", "in one process", "for one tenant"),
        (
            (f"`{room}`", IN_ROOMS[room], str(capacity.in_all), str(capacity.tenant))
            for room, capacity in ROOMS.items()
        ),
    )


def rates_table() -> str:
    """What is counted over time."""
    return table(
        ("rate", "counts", "at once", "again within"),
        (
            (f"`{rate}`", COUNTED[rate], str(allowed.tries), f"{allowed.seconds:g} s")
            for rate, allowed in RATES.items()
        ),
    )


def decisions_table(folder: Path) -> str:
    """Every decision by its number, as its page's first line has it."""
    titles = [(page.name, _title(page)) for page in sorted(folder.glob("[0-9]*.md"))]
    rows = ((str(int(name[:4])), f"[{title}]({name})") for name, title in titles)
    return table(("number", "decision"), rows)


def _title(page: Path) -> str:
    """The first line without the number, which `test_a_decision_is_one_page` holds to the name."""
    first = page.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip().partition(". ")[2]


def _blocks(root: Path, app: App) -> dict[str, str]:
    return {
        "lifecycle": f"```mermaid\n{diagram()}\n```",
        "settings": settings_table(),
        "problems": problems_table(),
        "commands": commands_table(app),
        "routes": routes_table(root / "interface" / "openapi.json"),
        "rights": rights_table(FOLDER),
        "answer": answer_table(),
        "security-log": security_table(),
        "connections": connections_table(),
        "places": places_table(),
        "rates": rates_table(),
        "decisions": decisions_table(root / "docs" / "decisions"),
    }


def _default(value: object) -> str:
    if value is None or value == "":
        return "unset"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT)}` in the project's folder"
    return f"`{value}`"
