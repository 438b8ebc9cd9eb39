"""What starts delivered code on a computer that has only Docker: made by code, from the profile.

Invariant: each setting that the code names is given by the compose file or is in `.env.example`;
only SQL files that were delivered are run, once each and in order; nothing is open to other
computers. The same code gives the same kit.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from application.agents.output import FULL_CODE
from application.agents.stack_profile import PROFILE
from application.delivery.checker import LAYOUT
from application.delivery.words import WORDS

SETTINGS: Final = ".env.example"
START: Final = ("start.cmd", "start.sh")
EXECUTABLE: Final = frozenset({"start.sh"})
"""Files that a zip marks as programs."""
START_PORT: Final = "START_PORT"
HOST: Final = "database"
NAME: Final = "app"
LONGEST_LINE: Final = 500
_LINE: Final = re.compile(r"^(#? ?)(?:export )?([A-Z][A-Z0-9_]{0,60})=(.*)$", re.ASCII)
_PLAIN: Final = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
_SECRET: Final = re.compile(
    r"(?:^|_)(?:SECRET|SALT|PEPPER)(?:$|_)"
    r"|(?:^|_)(?:SESSION|COOKIE|SIGNING|ENCRYPTION|HMAC|CSRF|JWT|TOKEN)_(?:KEY|TOKEN)(?:$|_)"
)
"""Names of settings for which any random value is right."""
_FROM_OTHERS: Final = re.compile(r"(?:^|_)(?:CLIENT|API|WEBHOOK|OAUTH|STRIPE|AWS|ACCESS)(?:$|_)")
"""Names of settings whose value somebody else gives, whatever else they say."""


class Setting(Struct, frozen=True):
    """A setting as the code's own example names it."""

    name: str
    value: str
    comment: tuple[str, ...]
    active: bool
    """Whether its line is no comment."""


class Kit(Struct, frozen=True):
    """What starts the code, or why nothing can."""

    files: Mapping[str, bytes]
    """By path in the delivery; empty if there are gaps."""
    gaps: tuple[str, ...]
    """What is missing in the code, a sentence each."""
    to_fill: tuple[str, ...]
    """Settings that only the person can fill in."""
    has_database: bool


def kit_of(
    feature_id: UUID, paths: Sequence[str], texts: Mapping[str, bytes], language: str
) -> Kit:
    """The kit for a project.

    Args:
        feature_id: Names the containers and the database: a later round finds its data again.
        paths: All files of the code.
        texts: Of these, the declaration and the example of settings at the top.
        language: In which the scripts speak, of `WORDS`.
    """
    declared = _object(texts.get(FULL_CODE.declaration, b""))
    sql = sorted(path for path in paths if path.startswith(PROFILE.migrations) and _is_sql(path))
    has_database = bool(sql) or PROFILE.driver in _inner(declared, "dependencies")
    settings = tuple(settings_of(texts.get(SETTINGS, b"").decode("utf-8", "replace")))
    gaps = tuple(_gaps(declared))
    given = given_settings(settings, has_database=has_database)
    kept = [one for one in settings if one.name not in given]
    blank = [one.name for one in kept if one.active and not one.value and not _suggested(one)]
    secrets = [name for name in blank if is_secret(name)]
    to_fill = tuple(name for name in blank if name not in secrets)
    if gaps:
        return Kit({}, gaps, (), has_database)
    written = _Writer(language, has_database=has_database)
    names = [one.name for one in kept if one.active and one.name not in secrets]
    made = {
        "compose.yaml": _compose(feature_id, sql, given, has_database=has_database),
        SETTINGS: _example(kept, secrets),
        "start.sh": written.text("start.sh"),
        "start.cmd": written.text("start.cmd").replace("\n", "\r\n"),
        "kit/Dockerfile": written.text("Dockerfile"),
        "kit/Dockerfile.dockerignore": written.text("Dockerfile.dockerignore"),
        "kit/run.sh": written.text("run.sh", SETTINGS=_spaced(names), SECRETS=_spaced(secrets)),
    }
    if sql:
        made["kit/tables.sh"] = written.text("tables.sh")
    return Kit({path: text.encode() for path, text in made.items()}, (), to_fill, has_database)


def settings_of(example: str) -> Iterator[Setting]:
    """The settings that an example names, each once, with the comment above it."""
    seen: set[str] = set()
    comment: list[str] = []
    for raw in example.splitlines():
        line = raw.strip()[:LONGEST_LINE]
        found = _LINE.match(line)
        if found and found[2] not in seen:
            seen.add(found[2])
            yield Setting(found[2], _value(found[3]), tuple(comment), not found[1])
        if found or not line:
            comment = []
        elif line.startswith("#") and line.isprintable():
            comment.append(line)


def is_secret(name: str) -> bool:
    """Whether any random value is right for a setting."""
    return bool(_SECRET.search(name)) and not _FROM_OTHERS.search(name)


def given_settings(settings: Sequence[Setting], *, has_database: bool) -> dict[str, str]:
    """What the compose file gives the program, by name."""
    kit = PROFILE.kit
    wanted = {**kit.given, **(kit.given_with_database if has_database else {})}
    named = {one.name for one in settings if one.active}
    wanted |= {name: value for name, value in kit.also.items() if name in named}
    return {name: value.format_map(_values()) for name, value in wanted.items()}


def address() -> str:
    """Where people open the program, unless they choose another port."""
    return f"http://localhost:{PROFILE.kit.port}"


def _values() -> dict[str, str]:
    # Nobody but the program's own container reaches the database: no port of it is open.
    url = f"postgres://{NAME}:{NAME}@{HOST}:5432/{NAME}"
    return {
        "url": url,
        "host": HOST,
        "name": NAME,
        "password": NAME,
        "port": str(PROFILE.kit.port),
        "address": address(),
    }


def _gaps(declared: Mapping[str, Any] | None) -> Iterator[str]:
    if declared is None:
        yield f"`{FULL_CODE.declaration}` is missing, or cannot be read."
    elif not isinstance(_inner(declared, "scripts").get("start"), str):
        yield f"`{FULL_CODE.declaration}` names no script `start`."


def _is_sql(path: str) -> bool:
    return path.endswith(FULL_CODE.schemas) and path.isprintable()


def _suggested(setting: Setting) -> bool:
    return setting.name in PROFILE.kit.suggested


def _value(text: str) -> str:
    value = text.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


def _spaced(names: Sequence[str]) -> str:
    return "".join(f" {name}" for name in names)


class _Writer:
    """Fills the templates."""

    def __init__(self, language: str, *, has_database: bool) -> None:
        self._said = WORDS[language].script
        kit = PROFILE.kit
        self._values = {
            "PORT": str(kit.port),
            "NODE_IMAGE": kit.node_image,
            "LOGGED": " tables app" if has_database else " app",
        }

    def text(self, name: str, **values: str) -> str:
        template = files("application.delivery").joinpath("kit_files", name).read_text("utf-8")
        said = {one.upper(): getattr(self._said, one) for one in self._said.__struct_fields__}
        for mark, value in {**self._values, **said, **values}.items():
            template = template.replace(f"@{mark}@", value)
        return template


def _example(settings: Sequence[Setting], secrets: Sequence[str]) -> str:
    lines = [
        "# The settings. The first start makes a copy of this file, `.env`: change that one.",
        "",
        "# The port at which the program is opened in the browser.",
        f"{START_PORT}={PROFILE.kit.port}",
    ]
    for one in settings:
        lines += ["", *one.comment]
        if one.name in secrets:
            lines.append("# If it is empty, a random value is made at the first start and kept.")
        value = one.value
        if not value and _suggested(one):
            value = PROFILE.kit.suggested[one.name].format_map(_values())
        lines.append(f"{'' if one.active else '# '}{one.name}={_quoted(value)}")
    return "\n".join([*lines, ""])


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return f"'{value}'" if value.isprintable() and "'" not in value else ""


def _compose(
    feature_id: UUID, sql: Sequence[str], given: Mapping[str, str], *, has_database: bool
) -> str:
    kit = PROFILE.kit
    port = f"127.0.0.1:${{{START_PORT}:-{kit.port}}}:{kit.port}"
    asks = (
        f"fetch('http://127.0.0.1:{kit.port}/').then((r) => process.exit(r.status < 500 ? 0 : 1),"
        " () => process.exit(1))"
    )
    services: dict[str, Any] = {}
    before: dict[str, Any] = {}
    if has_database:
        services[HOST] = {
            "image": kit.database_image,
            "environment": {f"POSTGRES_{part}": NAME for part in ("USER", "PASSWORD", "DB")},
            "volumes": ["data:/var/lib/postgresql/data"],
            "networks": ["inside"],
            "healthcheck": {
                "test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", NAME],
                "interval": "2s",
                "timeout": "5s",
                "retries": 60,
            },
            "restart": "unless-stopped",
        }
        before[HOST] = {"condition": "service_healthy"}
    if sql:
        names = [path.removeprefix(PROFILE.migrations) for path in sql]
        services["tables"] = {
            "image": kit.database_image,
            "command": ["sh", "/tables.sh", *(name.replace("$", "$$") for name in names)],
            "environment": {n: v for n, v in given.items() if n in kit.given_with_database},
            "volumes": [
                f"./{LAYOUT.code}{PROFILE.migrations.rstrip('/')}:/sql:ro",
                "./kit/tables.sh:/tables.sh:ro",
            ],
            "networks": ["inside"],
            "depends_on": dict(before),
        }
        before["tables"] = {"condition": "service_completed_successfully"}
    services["app"] = {
        "build": {"context": ".", "dockerfile": "kit/Dockerfile"},
        "init": True,
        "env_file": [".env"],
        "environment": dict(given),
        "ports": [port],
        "volumes": ["kept:/kept"],
        "networks": ["inside", "outside"] if has_database else ["outside"],
        **({"depends_on": before} if before else {}),
        "healthcheck": {
            "test": ["CMD", "node", "-e", asks],
            "interval": "2s",
            "timeout": "5s",
            "retries": 60,
        },
        "restart": "unless-stopped",
    }
    services["ready"] = {
        "image": kit.database_image if has_database else kit.node_image,
        "command": ["true"],
        "network_mode": "none",
        "depends_on": {"app": {"condition": "service_healthy"}},
    }
    whole = {
        "name": f"app-{feature_id.hex}",
        "services": services,
        "networks": {**({"inside": {"internal": True}} if has_database else {}), "outside": {}},
        "volumes": {**({"data": {}} if has_database else {}), "kept": {}},
    }
    return _HEAD + "".join(_yaml(whole, 0)) + "\n"


_HEAD: Final = """\
# Starts the program with everything that it needs: `start.cmd` or `start.sh` calls it.
# Only this computer can open the program; nobody can open the database from outside.
# `tables` runs the SQL files once each; `ready` waits until the program answers.
"""


def _yaml(value: object, depth: int) -> Iterator[str]:
    """A mapping in YAML; its leaves are JSON, which is YAML, too."""
    assert isinstance(value, dict)  # noqa: S101
    for name, inner in value.items():
        yield f"{'  ' * depth}{name}:"
        if isinstance(inner, dict) and inner:
            yield "\n"
            yield from _yaml(inner, depth + 1)
        else:
            yield f" {json.dumps(inner, ensure_ascii=False)}\n"


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _inner(value: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    inner = (value or {}).get(name)
    return inner if isinstance(inner, dict) else {}
