"""What a `package.json` would make the user's machine do.

Invariant: nothing is installed that the plan does not name, and nothing runs by itself on
installation.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from application.agents.inspection import StaticFinding
from application.agents.output import FULL_CODE
from infrastructure.inspection.imports import package_name

BY_THEMSELVES: Final = (
    "preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
    "dependencies",
)  # fmt: skip
"""Scripts that a package manager runs without being asked."""
SILENT: Final = ("gypfile", "overrides", "resolutions", "packageManager", "pnpm")
"""Fields that build native code, replace packages, or fetch another package manager."""
GROUPS: Final = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
LONGEST_COMMAND: Final = 2_000
FETCHED: Final = re.compile(
    r"\b(?:npx|bunx|pnpx|npm exec|npm x|pnpm dlx|yarn dlx)(?: (?:-y|--yes|-q|--quiet|--))*"
    r" (?:--?p(?:ackage)?[ =])?([@\w][\w@./-]{0,100})"
)
"""A command that fetches a package before it runs it."""
TOOL_OF: Final = {"tsc": "typescript", "tsserver": "typescript"}
"""Commands whose package has another name."""
DOWNLOADS: Final = re.compile(
    r"\b(?:curl|wget|Invoke-WebRequest|iwr|irm|aria2c|git clone|scp|nc|ncat|telnet)\b"
    r"|\|\s?(?:ba|z|da|k)?sh\b|\|\s?(?:node|python3?|perl|ruby|iex)\b"
    r"|\b(?:npm|pnpm|yarn|bun) (?:i|install|add|update|upgrade|link|ci)\b"
    r"|\bnode (?:-e|--eval|-p|--print)\b|\b(?:ba|z)?sh -c\b|\bpython3? -c\b|\beval\b|\bbase64\b"
    r"|\bpowershell\b|\bsudo\b|\brm -rf? (?:/|~|\$HOME|\*)|\bchmod \+x\b|"
    r"\b(?:apt|brew|pip3?)(?:-get)? install\b|\$\(|https?://(?!localhost|127\.0\.0\.1)",
    re.IGNORECASE,
)
"""What a script of a project has no need of."""
ELSEWHERE: Final = re.compile(r"[:/\\]")
"""In a wanted version: an address, a folder, another package's name, a repository."""


def manifest_findings(path: str, content: str, packages: Sequence[str]) -> Iterator[StaticFinding]:
    """Scripts that run by themselves, and packages that nobody planned."""
    if path.rpartition("/")[2].casefold() != FULL_CODE.declaration:
        return
    manifest: Any = json.loads(content)
    if not isinstance(manifest, dict):
        yield StaticFinding(path, 1, "syntax", f"A {FULL_CODE.declaration} holds an object.")
        return
    scripts = manifest.get("scripts")
    for name in scripts if isinstance(scripts, dict) else ():
        if name in BY_THEMSELVES:
            message = (
                f"The script `{name}` would run by itself on installation: leave it out, and say "
                "in the README what to start by hand."
            )
            yield StaticFinding(path, _line(content, name), "install_script", message)
    if isinstance(scripts, dict):
        yield from _scripts(path, content, scripts, known(manifest, packages))
    for name in SILENT:
        if name in manifest:
            message = f"`{name}` changes what is installed without the plan saying so."
            yield StaticFinding(path, _line(content, name), "install_script", message)
    allowed = {package_name(package) for package in packages} | FULL_CODE.build_tools
    for group in GROUPS:
        named = manifest.get(group)
        for name, wanted in named.items() if isinstance(named, dict) else ():
            if not isinstance(wanted, str) or ELSEWHERE.search(wanted):
                message = f"The package `{name}` comes from elsewhere than the registry."
                yield StaticFinding(path, _line(content, name), "unplanned_package", message)
            if name not in allowed and not name.startswith("@types/"):
                message = f"It needs the package `{name}`, which the plan does not name."
                yield StaticFinding(path, _line(content, name), "unplanned_package", message)


def declared(content: str) -> frozenset[str] | None:
    """The packages that a `package.json` names; None if it cannot be read."""
    try:
        manifest: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return known(manifest, ()) if isinstance(manifest, dict) else None


def known(manifest: Mapping[str, Any], packages: Sequence[str]) -> frozenset[str]:
    """The packages that a manifest or the plan names, and the project's own name."""
    names = {package_name(package) for package in packages} | {str(manifest.get("name"))}
    for group in GROUPS:
        listed = manifest.get(group)
        names |= set(listed) if isinstance(listed, dict) else set()
    return frozenset(names)


def _scripts(
    path: str, content: str, scripts: Mapping[str, Any], packages: Collection[str]
) -> Iterator[StaticFinding]:
    """Commands that fetch something from elsewhere, or run what they are told as code."""
    for name, command in scripts.items():
        if not isinstance(command, str):
            continue
        said = command[:LONGEST_COMMAND]
        fetched = [
            tool
            for found in FETCHED.finditer(said)
            if (tool := package_name(found.group(1))) not in packages
            and TOOL_OF.get(tool, tool) not in packages
        ]
        if fetched:
            message = (
                f"The script `{name}` fetches and runs `{fetched[0]}`, which no dependency names: "
                "name it in devDependencies, in the plan too, and call it without fetching."
            )
        elif found := DOWNLOADS.search(said):
            message = (
                f"The script `{name}` downloads, installs or runs text as code "
                f"(`{found.group().strip()}`): a script only calls what the project holds."
            )
        else:
            continue
        yield StaticFinding(path, _line(content, name), "install_script", message)


def _line(content: str, name: str) -> int:
    place = content.find(json.dumps(name))
    return content.count("\n", 0, max(place, 0)) + 1
