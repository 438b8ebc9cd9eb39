"""What a `package.json` would make the user's machine do.

Invariant: nothing is installed that the plan does not name, and nothing runs by itself on
installation.
"""

import json
import re
from collections.abc import Iterator, Sequence
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
            message = f"The script `{name}` would run by itself on installation."
            yield StaticFinding(path, _line(content, name), "install_script", message)
    for name in SILENT:
        if name in manifest:
            message = f"`{name}` changes what is installed without the plan saying so."
            yield StaticFinding(path, _line(content, name), "install_script", message)
    allowed = {package_name(package) for package in packages} | FULL_CODE.build_tools
    for group in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        named = manifest.get(group)
        for name, wanted in named.items() if isinstance(named, dict) else ():
            if not isinstance(wanted, str) or ELSEWHERE.search(wanted):
                message = f"The package `{name}` comes from elsewhere than the registry."
                yield StaticFinding(path, _line(content, name), "unplanned_package", message)
            if name not in allowed and not name.startswith("@types/"):
                message = f"It needs the package `{name}`, which the plan does not name."
                yield StaticFinding(path, _line(content, name), "unplanned_package", message)


def _line(content: str, name: str) -> int:
    place = content.find(json.dumps(name))
    return content.count("\n", 0, max(place, 0)) + 1
