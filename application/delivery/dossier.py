"""The folder `documents` of a delivery: what was decided, by whom, and how to check it.

Invariant: everything in it follows from the log up to the version that is delivered, and from the
files that the log names; the manifest lists every file of the delivery but itself.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from application.agents.points import reading_in
from application.delivery import checker
from application.delivery.agent_trace import agent_trace
from application.delivery.changelog import Changelog, changelog_markdown, changelog_of
from application.delivery.guide import guide_of
from application.delivery.kit import SETTINGS, kit_of
from application.delivery.letter import letter_html, letter_markdown, letter_of
from application.delivery.manifest import bill_of_materials, is_declaration
from application.delivery.script import script
from application.delivery.trace import trace_markdown, trace_of
from application.delivery.words import language_for
from application.delivery.writings import Writings
from domain import events as e
from domain.content import Content
from domain.recorded import Recorded
from domain.status import Verdict

FOLDER: Final = checker.FOLDER

README: Final = """\
# How this code came to be

- `brief.md`, `spec.md`, `plan.md`, `tests.md`: what was asked for and approved, step by step
- `trace.md` (`trace.json`): from each point of the brief to requirements, tests, tasks and files
- `agent-trace.json`: which agent, with which model, wrote which lines of the source files, in which
  attempt (Agent Trace 0.1.0); its paths begin in `code`, its `urn:uuid:` are events of `log.jsonl`
- `security_review.md`, `code_review.md` (`reviews.json`): both reviews with their evidence
- `letter.md`, `letter.html` (to print): a page for whoever will run it
- `bom.json`: the packages that the code declares (CycloneDX 1.6)
- `log.jsonl`: everything that happened to the feature, as CloudEvents. **The whole conversation is
  in it: give this folder only to people who may read that.**
- `manifest.json`: every file with its size and SHA-256
- `verify.py`: checks all of this with Python 3.8 or later: `python documents/verify.py`.
  What tools leave beside the files is named and is no fault; any other file that was added is one.
  What the check can show, and what it cannot, stands at the top of the program.
"""


CHANGED: Final = """\
- `changelog.md`: what changed since the round before, and how much stayed as it was
"""

NOT_PASSED: Final = """\
**This code did not pass its reviews.** A reviewer called something grave that could not be
checked, or left open what was asked; `security_review.md` and `code_review.md` say what. Whoever
runs this service allows it to be handed out all the same: have somebody read it before it is run.

"""


class Finished(Struct, frozen=True):
    """A feature that passed its reviews, or is handed out without that, where it came to it."""

    feature_id: UUID
    version: int
    """Where its log ends in the delivery."""
    parts: Mapping[str, Recorded]
    """The event of each part that counts, by the names of `checker.PARTS`."""
    verdict: Verdict = Verdict.PASS
    content: Content = Content()
    before: Mapping[str, Recorded] = {}
    """The events of what the last finished round left, by the names of `changelog.PARTS`."""

    @property
    def title(self) -> str:
        """What the specification calls it: a rename later changes no delivery."""
        spec = self.parts["spec"].event
        assert isinstance(spec, e.SpecWritten)  # noqa: S101
        return spec.document.title

    @property
    def notes(self) -> str:
        """What the implementer tells the person; empty if it is nothing."""
        return self._implementation.notes

    @property
    def files(self) -> Sequence[e.FileWritten]:
        """The source files."""
        return self._implementation.files

    @property
    def _implementation(self) -> e.ImplementationCompleted:
        made = self.parts["implementation"].event
        assert isinstance(made, e.ImplementationCompleted)  # noqa: S101
        return made


def _is_read(path: str) -> bool:
    """Whether a source file is read for what starts the code."""
    return path == SETTINGS or is_declaration(path)


def dossier(
    finished: Finished, log: bytes, writings: Writings, bodies: dict[str, bytes]
) -> dict[str, bytes]:
    """Every file beside the code by its path in the delivery.

    Args:
        finished: What is delivered.
        log: Its exported log.
        writings: Who wrote its files.
        bodies: The bytes of the source files, and of what they were written on from, by hash.
    """
    brief, spec, plan, tests = (finished.parts[part].event for part in checker.PARTS[:4])
    assert isinstance(spec, e.SpecWritten)  # noqa: S101
    assert isinstance(plan, e.PlanWritten)  # noqa: S101
    assert isinstance(tests, e.TestsWritten)  # noqa: S101
    made = finished.parts["implementation"]
    sources = {f.path: bodies[f.sha256] for f in finished.files if _is_read(f.path)}
    trace = trace_of(
        markdown_of(brief),
        spec.document,
        plan.document,
        tests.document,
        finished.files,
        reading_in(brief),
    )
    bill = bill_of_materials(
        finished.feature_id,
        spec.document.title,
        made.recorded_at,
        {path: text for path, text in sources.items() if is_declaration(path)},
        plan.document.packages,
    )
    written = agent_trace(
        finished.feature_id,
        made.recorded_at,
        writings,
        made.version,
        bodies,
        {file.path: file.sha256 for file in finished.files},
    )
    language = language_for(markdown_of(brief))
    kit = kit_of(finished.feature_id, [file.path for file in finished.files], sources, language)
    letter = letter_of(finished.feature_id, finished.version, spec.document, kit, language)
    papers = {
        **{f"{part}.md": markdown_of(finished.parts[part].event) for part in checker.DOCUMENTED},
        "README.md": README if finished.verdict is Verdict.PASS else NOT_PASSED + README,
        "trace.md": trace_markdown(trace),
        "letter.md": letter_markdown(letter),
        "letter.html": letter_html(letter),
    }
    if finished.before:
        papers["changelog.md"] = changelog_markdown(_changelog(finished))
        papers["README.md"] += CHANGED
    files = {
        **{name: text.encode() for name, text in papers.items()},
        "trace.json": _json(trace),
        "agent-trace.json": written,
        "bom.json": bill,
        "log.jsonl": log,
        "reviews.json": _reviews(finished, log.splitlines()),
        "verify.py": script(),
    }
    guide = guide_of(
        spec.document.title, kit, finished.notes, language, passed=finished.verdict is Verdict.PASS
    )
    inside = {
        checker.README: guide.encode(),
        **kit.files,
        **{FOLDER + name: body for name, body in files.items()},
    }
    return {**inside, checker.MANIFEST: _manifest(finished, log, inside)}


def _changelog(finished: Finished) -> Changelog:
    before, now = (
        {part: recorded.event for part, recorded in parts.items()}
        for parts in (finished.before, finished.parts)
    )
    return changelog_of(finished.content, before, now)


def _reviews(finished: Finished, lines: Sequence[bytes]) -> bytes:
    """Both reviews, as the very log records them."""
    shown = {}
    for part in checker.REVIEWED:
        recorded = finished.parts[part]
        shown[part] = {
            "version": recorded.version,
            "by": recorded.actor,
            "at": recorded.recorded_at,
            "recorded": checker.review_of(checker.told(json.loads(lines[recorded.version - 1]))),
        }
    return _json(shown)


def _manifest(finished: Finished, log: bytes, inside: Mapping[str, bytes]) -> bytes:
    listed = [checker.listing(path, body) for path, body in inside.items()]
    listed += [
        {"path": checker.LAYOUT.code + f.path, "size": f.size, "sha256": f.sha256}
        for f in finished.files
    ]
    return checker.manifest_bytes(
        {
            "format": checker.FORMAT_NAME,
            "feature": str(finished.feature_id),
            "version": finished.version,
            "head": json.loads(log.splitlines()[-1])["hash"],
            "files": sorted(listed, key=lambda each: str(each["path"])),
            # As it was from the beginning, where there is nothing to say.
            **({} if finished.verdict is Verdict.PASS else {"verdict": str(finished.verdict)}),
        }
    )


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def markdown_of(event: e.FeatureEvent) -> str:
    """The text that people see of a document's event; empty if it has none."""
    match event:
        case e.BriefConfirmed(brief=brief) | e.BriefRevised(brief=brief):
            return brief
        case _:
            return getattr(event, "markdown", "")
