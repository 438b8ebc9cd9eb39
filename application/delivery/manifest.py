"""The bill of materials of a delivery, in CycloneDX 1.6: what the generated code says that it uses.

Invariant: it lists what is declared, at the ranges that are declared. Nothing is resolved, fetched
or guessed, and the bill says itself that what those packages need in turn is not in it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid5

import msgspec

from application.agents.output import FULL_CODE

SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
ROOT: Final = "delivery"
SECTIONS: Final = {
    "dependencies": "required",
    "optionalDependencies": "optional",
    "peerDependencies": "optional",
    "devDependencies": "excluded",
}
"""Of a declaration, with the scope of its packages; `excluded` is not there at run time."""
EXACT: Final = re.compile(r"\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?", re.ASCII)


def is_declaration(path: str) -> bool:
    """Whether a file declares what the code uses."""
    return path.rpartition("/")[2] == FULL_CODE.declaration


def bill_of_materials(
    feature_id: UUID,
    title: str,
    made_at: datetime,
    declared: Mapping[str, bytes],
    planned: Sequence[str],
) -> bytes:
    """The bill, as JSON.

    Args:
        feature_id: Whose code it is.
        title: What the code is called.
        made_at: When the code was finished.
        declared: Each declaration of the code by its path.
        planned: Packages that the approved plan allows, by name.
    """
    components: dict[str, dict[str, Any]] = {}
    unreadable: list[str] = []
    for path, text in sorted(declared.items()):
        packages = _packages(text)
        if packages is None:
            unreadable.append(path)
            continue
        for name, wanted, scope in packages:
            _add(components, _component(name, wanted, scope, path))
    known = {each["name"] for each in components.values()}
    for name in sorted(set(planned) - known):
        if not name.startswith(FULL_CODE.built_in):
            _add(components, _component(name, "", "optional", "the plan"))
    bill = _bill(feature_id, title, made_at, list(components.values()), unreadable)
    number = uuid5(feature_id, json.dumps(bill, sort_keys=True))
    return (
        msgspec.json.format(
            msgspec.json.encode({**bill, "serialNumber": f"urn:uuid:{number}"}), indent=1
        )
        + b"\n"
    )


def _packages(text: bytes) -> list[tuple[str, str, str]] | None:
    """Name, wanted version and scope of all that is declared; None if it cannot be read."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    listed = []
    for section, scope in SECTIONS.items():
        packages = found.get(section, {})
        if not isinstance(packages, dict):
            return None
        listed += [(name, str(wanted), scope) for name, wanted in sorted(packages.items())]
    return listed


def _add(components: dict[str, dict[str, Any]], each: dict[str, Any]) -> None:
    """Add a package; one that another place declares too is one package with both places."""
    known = components.setdefault(each["bom-ref"], each)
    if known is not each:
        known["properties"] += [
            said for said in each["properties"] if said not in known["properties"]
        ]


def _component(name: str, wanted: str, scope: str, place: str) -> dict[str, Any]:
    exact = EXACT.fullmatch(wanted)
    purl = "pkg:npm/" + quote(name, safe="/") + (f"@{quote(wanted, safe='')}" if exact else "")
    version = {"version": wanted} if exact else {}
    properties = [{"name": "build-practical:declared_in", "value": place}]
    if wanted:
        properties.append({"name": "build-practical:declared_range", "value": wanted})
    return {
        "type": "library",
        "bom-ref": f"{purl}#{scope}",
        "name": name,
        **version,
        "scope": scope,
        "purl": purl,
        "properties": properties,
    }


def _bill(
    feature_id: UUID,
    title: str,
    made_at: datetime,
    components: Iterable[dict[str, Any]],
    unreadable: Sequence[str],
) -> dict[str, Any]:
    listed = sorted(components, key=lambda each: each["bom-ref"])
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": made_at.isoformat().replace("+00:00", "Z"),
            "tools": {"components": [{"type": "application", "name": "build-practical"}]},
            "component": {
                "type": "application",
                "bom-ref": ROOT,
                "name": title,
                "properties": [{"name": "build-practical:feature", "value": str(feature_id)}],
            },
            "properties": [
                {"name": "build-practical:unreadable", "value": path} for path in unreadable
            ],
        },
        "components": listed,
        "dependencies": [
            {"ref": ROOT, "dependsOn": [each["bom-ref"] for each in listed]},
        ],
        "compositions": [{"aggregate": "incomplete", "dependencies": [ROOT]}],
    }
