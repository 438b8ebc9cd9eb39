"""Checks of how a project is set up against the stack profile.

Invariant: a refusal is what cannot work as the profile says things run; whatever may work all the
same, or cannot be read for certain, is a note.
"""

import json
import re
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath
from typing import Any, Final

from application.agents.inspection import StaticFinding
from application.agents.stack_profile import PROFILE, StackProfile

LONGEST_LINE: Final = 2_000
"""Characters of a line that are looked at."""
_IMPORT: Final = re.compile(r"""(?:\bfrom|\bimport|\bimport\()\s?["'](\.{1,2}/[^"']{1,300})["']""")
_SETTING: Final = re.compile(r"""\bprocess\.env(?:\.|\[["'])([A-Z][A-Z0-9_]{0,60})\b""")
_NAMED: Final = re.compile(r"^#? ?(?:export )?([A-Z][A-Z0-9_]{0,60})=")
_EXACT: Final = re.compile(r"^[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}(?:-[\w.]{1,40})?$")
_LEAST: Final = re.compile(r"^>= ?([0-9]{1,3})(?:\.([0-9]{1,4}))?(?:\.[0-9]{1,4})?$")
_OWN: Final = frozenset({"NODE_ENV"})
"""Settings that are Node's own."""


Files = Mapping[str, str]


def stack_findings(files: Files) -> tuple[StaticFinding, ...]:
    """What of a whole project does not agree with the profile, refusals first.

    Args:
        files: Path to content, the tests included.
    """
    profile = PROFILE
    found = (
        *_package(files, profile),
        *_tsconfig(files, profile),
        *_settings(files),
        *_listens(files, profile),
        *_readme(files, profile),
        *_imports(files, profile),
    )
    return tuple(sorted(found, key=lambda one: (not one.error, one.path, one.line)))


def _no(path: str, text: str, line: int = 1) -> StaticFinding:
    return _found(path, text, line, sure=True)


def _note(path: str, text: str, line: int = 1) -> StaticFinding:
    return _found(path, text, line, sure=False)


def _found(path: str, text: str, line: int = 1, *, sure: bool) -> StaticFinding:
    """What cannot work so, or else a note."""
    return StaticFinding(path, line, "stack", f"{text[0].upper()}{text[1:]}", error=sure)


def _package(files: Files, profile: StackProfile) -> Iterator[StaticFinding]:
    path = "package.json"
    if path not in files:
        yield _no(path, "it is missing; without it nothing can be installed or started.")
        return
    package = _object(files[path])
    if package is None:
        yield _note(path, "it could not be read as JSON, so that it was not checked.")
        return
    if package.get("type") != profile.type:
        yield _no(path, f'say `"type": "{profile.type}"`, for the files use `import`.')
    yield from _engine(path, package, profile)
    scripts = _inner(package, "scripts")
    for name, command in profile.scripts.items():
        if name not in scripts:
            yield _no(path, f"the script `{name}` is missing; the usual one is `{command}`.")
        elif scripts[name] != command:
            yield _note(path, f"the script `{name}` is not `{command}`, as usual.")
    yield from _versions(path, package, profile)


def _engine(
    path: str, package: Mapping[str, Any], profile: StackProfile
) -> Iterator[StaticFinding]:
    said = _inner(package, "engines").get("node")
    wanted = f'say `"engines": {{"node": ">={profile.node}"}}`'
    if said is None:
        yield _no(path, f"{wanted}, for older ones cannot run the files.")
        return
    least = _LEAST.match(str(said))
    if least is None:
        yield _note(path, f"it is not clear which Node `{said}` allows; {wanted}.")
        return
    major, minor = (int(part) for part in profile.node.split("."))
    if (int(least[1]), int(least[2] or 0)) < (major, minor):
        yield _no(path, f"{wanted}: `{said}` allows versions that cannot run the files.")


def _versions(
    path: str, package: Mapping[str, Any], profile: StackProfile
) -> Iterator[StaticFinding]:
    needed = {**_inner(package, "devDependencies"), **_inner(package, "dependencies")}
    for name, version in needed.items():
        known = profile.versions.get(name)
        if not isinstance(version, str) or version in {"", "*", "latest"}:
            yield _no(path, f"`{name}` needs an exact version{_known(known)}.")
        elif not _EXACT.match(version):
            yield _note(path, f"`{name}` is not pinned: `{version}`{_known(known)}.")
        elif known and version != known:
            yield _note(path, f"`{name}` {version} was not looked up{_known(known)}.")
    for one in profile.packages:
        types_of = one.name.removeprefix("@types/")
        if one.build and one.name not in needed and (types_of in needed or types_of in _ALWAYS):
            yield _no(path, f"`{one.name}` {one.version} is missing, which {_CHECKS}.")


_ALWAYS: Final = frozenset({"typescript", "node"})
_CHECKS: Final = "the script `check` needs"


def _known(version: str | None) -> str:
    return f"; {version} is known to be good" if version else ""


def _tsconfig(files: Files, profile: StackProfile) -> Iterator[StaticFinding]:
    path = "tsconfig.json"
    if path not in files:
        yield _no(path, "it is missing; without it the types are not checked.")
        return
    # Comments and commas at the end are allowed there, and in no JSON.
    config = _object(files[path]) or _object(_plain(files[path]))
    if config is None:
        yield _note(path, "it could not be read, so that it was not checked.")
        return
    options = _inner(config, "compilerOptions")
    for name, wanted in profile.tsconfig.items():
        value = list(wanted) if isinstance(wanted, tuple) else wanted
        said = options.get(name)
        if _same(said, value):
            continue
        shown = json.dumps(value)
        sure = name in _RUNS and "extends" not in config
        yield _found(path, f"set `{name}` to `{shown}` in `compilerOptions`.", sure=sure)


_RUNS: Final = frozenset({"strict", "allowImportingTsExtensions", "erasableSyntaxOnly", "noEmit"})
"""Options without which imports or the files themselves do not work, or types are not checked."""


def _same(said: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON.
    if isinstance(said, str) and isinstance(wanted, str):
        return said.lower() == wanted.lower()
    if isinstance(said, list) and isinstance(wanted, list):
        return set(wanted) <= {one for one in said if isinstance(one, str)}
    return bool(said == wanted)


def _settings(files: Files) -> Iterator[StaticFinding]:
    used: dict[str, tuple[str, int]] = {}
    for path, number, line in _code(files):
        for name in _SETTING.findall(line):
            used.setdefault(name, (path, number))
    example = ".env.example"
    named = {
        found[1] for line in files.get(example, "").splitlines() if (found := _NAMED.match(line))
    }
    for name, (path, number) in used.items():
        if name not in named | _OWN:
            yield _no(example, f"name the setting `{name}`, which `{path}` line {number} reads.")
    for name in sorted(named - used.keys()):
        yield _note(example, f"nothing reads the setting `{name}`.")


def _listens(files: Files, profile: StackProfile) -> Iterator[StaticFinding]:
    """Whether the program can be reached where the kit starts it."""
    program = [one for one in _code(files) if not one[0].startswith(profile.tests)]
    ports = {name for name, value in profile.kit.also.items() if value == "{port}"} | {"PORT"}
    named = any(_PORT.search(line) and ports & set(_WORD.findall(line)) for _, _, line in program)
    for path, number, line in program:
        if not _LISTEN.search(line):
            continue
        if _ALONE.search(line):
            yield _no(
                path, "take the setting `HOST` to listen at: others cannot reach this.", number
            )
        if not named:
            yield _no(
                path, "take the setting `PORT` to listen at: it is given at the start.", number
            )


_LISTEN: Final = re.compile(r"\.listen\(")
_ALONE: Final = re.compile(r"""\.listen\([^;]{0,200}["'](?:127\.0\.0\.1|localhost|::1)["']""")
_PORT: Final = re.compile(r"PORT")
_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,60}")


def _readme(files: Files, profile: StackProfile) -> Iterator[StaticFinding]:
    path = "README.md"
    if path not in files:
        yield _no(path, "it is missing; nobody would know how to start it.")
        return
    text = files[path]
    for command in ("npm install", "npm start"):
        if command not in text and command.replace("install", "ci") not in text:
            yield _no(path, f"say when to run `{command}`.")
    for words, what in (("npm test", "how the tests run"), (profile.node, "which Node it needs")):
        if words not in text:
            yield _note(path, f"say {what}: `{words}`.")
    for line in files.get(".env.example", "").splitlines():
        found = _NAMED.match(line)
        if found and found[1] not in text:
            yield _note(path, f"explain the setting `{found[1]}`.")


def _imports(files: Files, profile: StackProfile) -> Iterator[StaticFinding]:
    for path, number, line in _code(files):
        for target in _IMPORT.findall(line):
            whole = normpath(join(dirname(path), target))
            if whole in files:
                continue
            stem = whole.removesuffix(".js")
            if f"{stem}{profile.extension}" in files:
                wanted = f"{target.removesuffix('.js')}{profile.extension}"
                yield _no(path, f"import `{wanted}`: `{target}` is no file.", number)


def _code(files: Files) -> Iterator[tuple[str, int, str]]:
    """The lines of the program, the tests included: path, number and text."""
    for path in sorted(files):
        if path.endswith((".ts", ".mts")):
            for number, line in enumerate(files[path].splitlines(), start=1):
                yield path, number, line[:LONGEST_LINE]


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _inner(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _plain(text: str) -> str:
    """A text without comments and without commas at the end of a list; strings stay as they are."""
    kept: list[str] = []
    at = 0
    while at < len(text):
        end = _end_of_token(text, at)
        if text[at] in "}]":
            while kept and (kept[-1].isspace() or kept[-1] == ","):
                kept.pop()
        if not text.startswith(("//", "/*"), at):
            kept.append(text[at:end])
        at = end
    return "".join(kept)


def _end_of_token(text: str, at: int) -> int:
    """Where the string, the comment or the single character ends that begins here."""
    if text.startswith("//", at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        return len(text) if end < 0 else end + 2
    if text[at] != '"':
        return at + 1
    end = at + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    return end + 1
