"""Checks a delivery: the zip that Build Practical made, or the folder it was unpacked into.

    python documents/verify.py                   the folder that `documents` lies in
    python verify.py delivery.zip                a zip, or another folder
    python verify.py delivery.zip --head HASH    the log must end at the hash you noted elsewhere

It names the first bad place and exits with 1, or says what was checked and exits with 0. It needs
Python 3.8 or later, and nothing else; it writes nothing and asks nobody. Four things are checked:
each file is as `manifest.json` lists it, and none is missing or was added; the log's events
continue each other; the documents and reviews are the ones that the log records, approved and
passed, or it says that they did not pass; and the source files are those that the log's
`implementation_completed` lists.

What tools leave beside the files (`node_modules`, `dist`, `.git`, `.env`, `.DS_Store`, `.vscode`,
`package-lock.json`, ...) is no fault: it is named as beside, not delivered. Any other file that was
added is one.

What it cannot show: whoever can change all of these files together can also make a new log, and
change this program so that it says yes to everything. So compare the log's head with what the
service tells (`--head`), and check what matters with a copy of this file from elsewhere.
`README.md` and what starts the code (`start.sh`, `start.cmd`, `compose.yaml`, `kit`), the letter,
`trace.*`, `agent-trace.json` and `bom.json` come from code, documents and log; only the manifest
covers them.
"""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from application.delivery.beside import (
    RUNS,
    beside,
    could_run,
    files_in,
    folders_of,
    passed_over,
    runs_by_itself,
)
from application.transparency.verifier import MALFORMED, TYPE_PREFIX, verify


class Layout(NamedTuple):
    """Where things are in a delivery."""

    documents: str
    code: str

    @property
    def manifest(self) -> str:
        """The path of the manifest."""
        return self.documents + "manifest.json"

    @property
    def log(self) -> str:
        """The path of the log."""
        return self.documents + "log.jsonl"

    @property
    def reviews(self) -> str:
        """The path of both reviews as data."""
        return self.documents + "reviews.json"


FORMAT_NAME = "build-practical-delivery-2"
LAYOUT = Layout("documents/", "code/")
LAYOUTS = {"build-practical-delivery-1": Layout(".build-practical/", ""), FORMAT_NAME: LAYOUT}
"""Of every format there was. The first had its documents hidden, and the code loose around them."""
FOLDER = LAYOUT.documents
LOG, MANIFEST, REVIEWS = LAYOUT.log, LAYOUT.manifest, LAYOUT.reviews
README = "README.md"
GATES = ("spec", "plan", "tests")
REVIEWED = ("security_review", "code_review")
PARTS = ("brief", *GATES, "implementation", *REVIEWED)
DOCUMENTED = ("brief", *GATES, *REVIEWED)
"""Parts that are a page of Markdown."""
MAKES = {
    "spec_generated": "spec",
    "plan_generated": "plan",
    "tests_generated": "tests",
    "spec_edited": "spec",
    "plan_edited": "plan",
    "tests_edited": "tests",
    "implementation_completed": "implementation",
    "security_reviewed": "security_review",
    "code_reviewed": "code_review",
}
APPROVES = {f"{gate}_approved": gate for gate in GATES}
PASSED = "PASS"
HANDED_OUT = {
    PASSED: "and both passed",
    "UNDECIDED": "and THIS CODE DID NOT PASS: a review came to no verdict",
}
"""The verdicts with which a service delivers, and what is said of them."""
UNFIT = (*MALFORMED, LookupError)
LARGEST_BYTES = 1 << 28
"""Of all files together; a delivery is far smaller, a zip bomb is not."""


class Wrong(Exception):
    """The first bad place of a delivery, and what is wrong with it."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} {reason}")
        self.place = place


class StandingParts(NamedTuple):
    """What counts at the end of a log: the event of each part, and the hash approved at a gate."""

    parts: dict[str, int]
    approved: dict[str, str]
    status: str


def manifest_bytes(fields: dict[str, Any]) -> bytes:
    """The one way to write a manifest, with the hash over all its other fields."""
    plain = {name: value for name, value in fields.items() if name != "sha256"}
    return _written({**plain, "sha256": sha256(_written(plain)).hexdigest()})


def listing(path: str, body: bytes) -> dict[str, Any]:
    """A file as the manifest lists it."""
    return {"path": path, "size": len(body), "sha256": sha256(body).hexdigest()}


def _written(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def check(files: dict[str, bytes], head: str | None = None) -> list[str]:
    """Check all files of a delivery, by path; what is good, a sentence each. Raises Wrong."""
    layout, manifest = _manifest(files)
    lying = _lying_beside(files, manifest)
    files = {path: body for path, body in files.items() if path not in lying}
    _against(files, layout, manifest)
    try:
        return _checked(files, layout, manifest, head)
    except UNFIT as error:
        raise Wrong(layout.log, f"is not the log of a finished feature ({error!r})") from None


def notes(files: dict[str, bytes]) -> list[str]:
    """What lies beside a delivery that was checked, a sentence each."""
    lying = _lying_beside(files, _manifest(files)[1])
    told = dict(lying.values())
    told.update({p: RUNS for p in lying if not p.endswith("/") and runs_by_itself(p, files[p])})
    return [f"beside, not delivered: {path}: {told[path]}" for path in sorted(told)]


def _lying_beside(files: dict[str, bytes], manifest: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What tools left: each path with the folder or file to name, and what that is."""
    listed = manifest["listed"]
    found = {}
    for path, body in files.items():
        if path not in listed and path != manifest["place"]:
            what = beside(path, body, manifest["folders"])
            if what[0]:
                found[path] = what
    return found


def _checked(
    files: dict[str, bytes], layout: Layout, manifest: dict[str, Any], head: str | None
) -> list[str]:
    """The log and all that it speaks of; what is good. Raises Wrong, or whatever is in `UNFIT`."""
    events = _events(files[layout.log], layout, manifest, head)
    standing = standing_of(events)
    if standing.status != manifest.get("verdict", PASSED) or standing.status not in HANDED_OUT:
        raise Wrong(layout.log, "does not end with both reviews passed")
    _documents(files, layout, events, standing)
    listed = _sources(files, layout, events, standing)
    return [
        f"{len(files)} files: each as {layout.manifest} lists it; none is missing, none was added",
        f"{len(events)} events in {layout.log}: each continues the one before, none was changed",
        "the documents are those that the log records: each gate approved exactly what is here",
        "the reviews are those that the log records: both are of this code, "
        + HANDED_OUT[standing.status],
        f"{listed} source files: by hash those that event {standing.parts['implementation']} lists",
    ]


def summary(files: dict[str, bytes], head: str | None) -> str:
    """What a delivery that was checked is, and where its log ends."""
    manifest = _manifest(files)[1]
    noted = "as you noted" if head else "compare that with the service"
    passed = manifest.get("verdict", PASSED) == PASSED
    how = "valid" if passed else "valid as it was delivered, WITHOUT HAVING PASSED"
    return (
        f"{how}: feature {manifest['feature']} at version {manifest['version']},"
        f" whose event has the hash {manifest['head']} ({noted})"
    )


def _manifest(files: dict[str, bytes]) -> tuple[Layout, dict[str, Any]]:
    """The layout of a delivery, and its manifest with what follows from it. Raises Wrong."""
    format_name, layout = next(
        ((name, one) for name, one in LAYOUTS.items() if one.manifest in files),
        (FORMAT_NAME, LAYOUT),
    )
    place = layout.manifest
    if place not in files:
        raise Wrong(place, "is missing")
    try:
        told = json.loads(files[place].decode())
        if told["format"] != format_name:
            raise Wrong(place, "is of a format that this program does not know")
        whole = manifest_bytes(told)
        listed = {str(file["path"]): (file["size"], file["sha256"]) for file in told["files"]}
    except UNFIT as error:
        raise Wrong(place, f"cannot be read ({type(error).__name__})") from None
    if whole != files[place] or len(listed) != len(told["files"]):
        raise Wrong(place, "is not what was delivered: its own hash does not fit")
    return layout, {
        **told,
        "listed": listed,
        "place": place,
        "folders": folders_of([*listed, place]),
    }


def _against(files: dict[str, bytes], layout: Layout, manifest: dict[str, Any]) -> None:
    """Each file against its size and hash in the manifest."""
    listed = manifest["listed"]
    for path in sorted({*listed, *files} - {layout.manifest}):
        if path not in files:
            raise Wrong(path, "is missing")
        if path not in listed:
            raise Wrong(path, "was added: the manifest does not list it")
        size, digest = listed[path]
        if (len(files[path]), sha256(files[path]).hexdigest()) != (size, digest):
            line = _bad_line(files[path]) if path == layout.log else ""
            raise Wrong(path, f"is not what was delivered{line}")
    papers = (f"{layout.documents}{part}.md" for part in DOCUMENTED)
    for path in (layout.log, layout.reviews, *papers):
        if path not in files:
            raise Wrong(path, "is missing, and the manifest does not even list it")


def _bad_line(log: bytes) -> str:
    report = verify(log.splitlines())
    return "" if report.valid else f": line {report.line} {report.reason}"


def _events(
    log: bytes, layout: Layout, manifest: dict[str, Any], head: str | None
) -> list[dict[str, Any]]:
    """The log's events, checked. Each is a whole line as its service exported it."""
    report = verify(log.splitlines(), head)
    if not report.valid:
        raise Wrong(f"{layout.log}: line {report.line}", report.reason)
    events = [json.loads(line) for line in log.splitlines()]
    if {event["subject"] for event in events} != {manifest["feature"]}:
        raise Wrong(layout.log, "is of another feature than the manifest says")
    if (len(events), report.head) != (manifest["version"], manifest["head"]):
        raise Wrong(layout.log, "ends elsewhere than the manifest says")
    return events


def told(event: dict[str, Any]) -> dict[str, Any]:
    """An event's own fields, clear and personal; of a carried part, those of what was carried."""
    data = event["data"]
    fields = {**json.loads(data["clear"]), **json.loads(data.get("personal", "{}"))}
    carried: dict[str, Any] = fields["event"] if _tag(event) == "part_carried" else fields
    return carried


def standing_of(events: list[dict[str, Any]]) -> StandingParts:
    """What counts at the end, as the service itself decides it: going back restores what was."""
    parts: dict[str, int] = {}
    approved: dict[str, str] = {}
    status = ""
    for version, event in enumerate(events, start=1):
        tag, fields = _tag(event), json.loads(event["data"]["clear"])
        if tag in ("brief_confirmed", "brief_revised"):
            parts, approved, status = {"brief": version}, {}, ""
        elif tag in MAKES:
            parts[MAKES[tag]] = version
        elif tag == "part_carried" and fields["part"] in ("brief", *GATES):
            parts[fields["part"]] = version
        elif tag in APPROVES:
            approved[APPROVES[tag]] = fields["content_sha256"]
        elif tag == "approval_renewed":
            approved[fields["gate"]] = fields["content_sha256"]
        elif tag == "verdict_reached":
            status = fields["verdict"]
        elif tag in ("feature_replayed", "feature_retried"):
            back = fields["restored"]
            parts = {part: back[part]["version"] for part in PARTS if back.get(part)}
            given = {gate: back.get(f"{gate}_approval") for gate in GATES}
            approved = {gate: yes["content_sha256"] for gate, yes in given.items() if yes}
            status = ""
    return StandingParts(parts, approved, status)


def _documents(
    files: dict[str, bytes],
    layout: Layout,
    events: list[dict[str, Any]],
    standing: StandingParts,
) -> None:
    """Documents and reviews against what the log records of them."""
    reviews = _reviews(files[layout.reviews], layout)
    for part in DOCUMENTED:
        recorded = told(events[standing.parts[part] - 1])
        path, digest = f"{layout.documents}{part}.md", recorded["content_sha256"]
        if part in REVIEWED:
            digest = sha256(recorded["markdown"].encode()).hexdigest()
            if standing.parts[part] < standing.parts["implementation"]:
                raise Wrong(path, "is a review of earlier code")
            if reviews[part] != review_of(recorded):
                raise Wrong(layout.reviews, f"does not tell the {part} that the log records")
        if sha256(files[path]).hexdigest() != digest:
            raise Wrong(path, f"is not what event {standing.parts[part]} of the log records")
        if part in GATES and standing.approved.get(part) != digest:
            raise Wrong(path, "is not what was approved")


def _reviews(text: bytes, layout: Layout) -> dict[str, Any]:
    try:
        told = json.loads(text.decode())
        return {part: told[part]["recorded"] for part in REVIEWED}
    except UNFIT as error:
        raise Wrong(layout.reviews, f"cannot be read ({type(error).__name__})") from None


def review_of(recorded: dict[str, Any]) -> dict[str, Any]:
    """What `reviews.json` tells of a review's event."""
    return {
        "verdict": recorded["verdict"],
        "reasons": recorded.get("reasons", []),
        "dropped_findings": recorded.get("dropped_findings", 0),
        "document": recorded["document"],
    }


def _sources(
    files: dict[str, bytes],
    layout: Layout,
    events: list[dict[str, Any]],
    standing: StandingParts,
) -> int:
    """Source files against the log's list of them; how many there are."""
    recorded = told(events[standing.parts["implementation"] - 1])["files"]
    listed = {layout.code + str(file["path"]): file["sha256"] for file in recorded}
    here = {path for path in files if path.startswith(layout.code)}
    if not layout.code:
        here -= {path for path in files if path.startswith(layout.documents)}
    for path in sorted(set(listed) | here):
        if path not in files:
            raise Wrong(path, "is missing, though the log lists it")
        if listed.get(path) != sha256(files[path]).hexdigest():
            raise Wrong(path, "is not a file that the log records")
    return len(listed)


def _tag(event: dict[str, Any]) -> str:
    return str(event["type"])[len(TYPE_PREFIX) :]


def read(place: Path) -> dict[str, bytes]:
    """All files of a zip or a folder, by path. Raises Wrong and OSError."""
    return _of_folder(place) if place.is_dir() else _of_zip(place)


def rooted(paths: list[str]) -> str:
    """The one folder that a delivery stands in, with its slash; empty where it stands loose."""
    manifests = {layout.manifest for layout in LAYOUTS.values()}
    if not manifests.isdisjoint(paths):
        return ""
    tops = {path.partition("/")[0] for path in paths if path.partition("/")[2] in manifests}
    return tops.pop() + "/" if len(tops) == 1 else ""


def _delivered(manifest: bytes) -> set[str]:
    """The folders of what a manifest lists; none if it cannot be read, as the check will say."""
    try:
        return folders_of([str(file["path"]) for file in json.loads(manifest.decode())["files"]])
    except UNFIT:
        return set()


def _of_folder(place: Path) -> dict[str, bytes]:
    manifests = [layout.manifest for layout in LAYOUTS.values()]
    if not any((place / name).is_file() for name in manifests):
        inner = [path for path in place.glob("*/*/manifest.json") if path.is_file()]
        found = {path.parent.parent for path in inner if rooted([_below(path, place)])}
        place = found.pop() if len(found) == 1 else place
    delivered: set[str] = set()
    for name in manifests:
        if (place / name).is_file():
            delivered |= _delivered((place / name).read_bytes())
    files: dict[str, bytes] = {}
    for name, path in sorted(files_in(place, delivered).items()):
        if name.endswith("/"):
            files[name] = b""
        elif path.is_symlink():
            raise Wrong(name, "was added: a delivery holds no links")
        elif path.is_file():
            files[name] = path.read_bytes()
    return files


def _below(path: Path, place: Path) -> str:
    return path.relative_to(place).as_posix()


def _of_zip(place: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    name, size = str(place), 0
    try:
        with zipfile.ZipFile(place) as archive:
            names = archive.namelist()
            top = rooted(names)
            delivered: set[str] = set()
            for layout in LAYOUTS.values():
                if top + layout.manifest in names:
                    delivered |= _delivered(archive.read(top + layout.manifest))
            for member in archive.infolist():
                name = member.filename
                path = name[len(top) :] if name.startswith(top) else "../" + name
                if path in files:
                    raise Wrong(path, "was added: it is in the zip twice")
                folder = _passed_over(path, delivered)
                if folder:
                    files[folder] = b""
                    if could_run(path) and runs_by_itself(path, archive.read(member)):
                        raise Wrong(path, "was added, and would be run without a word: remove it")
                    continue
                size += member.file_size
                if size > LARGEST_BYTES:
                    raise Wrong(path, "is larger than any delivery")
                if not name.endswith("/"):
                    files[path] = archive.read(member)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise Wrong(name, f"cannot be unpacked: {error}") from None
    return files


def _passed_over(path: str, delivered: set[str]) -> str:
    """The folder above a path that some tool made, with its slash; empty if there is none."""
    names = path.split("/")
    for depth in range(1, len(names)):
        folder = "/".join(names[:depth])
        if folder not in delivered and passed_over(folder):
            return folder + "/"
    return ""


def main(arguments: list[str]) -> int:
    """Check a delivery; 0 if it is what was delivered, 1 if not, 2 for wrong usage."""
    rest, head = list(arguments), None
    if "--head" in rest[:-1]:
        at = rest.index("--head")
        head = rest[at + 1]
        del rest[at : at + 2]
    if len(rest) > 1 or (rest and rest[0].startswith("-")):
        sys.stderr.write("usage: verify.py [ZIP or FOLDER] [--head HASH]\n")
        return 2
    place = Path(rest[0]) if rest else Path(__file__).resolve().parent.parent
    try:
        files = read(place)
        lines = check(files, head)
    except Wrong as wrong:
        _say(f"NOT valid: {wrong}")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {place}: {error.strerror or error}\n")
        return 2
    for line in lines:
        _say(f"ok: {line}")
    for line in notes(files):
        _say(f"note: {line}")
    _say(summary(files, head))
    return 0


def _say(line: str) -> None:
    """Print a line, whatever letters the names of files have and the terminal lacks or obeys."""
    encoding = sys.stdout.encoding or "utf-8"
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
