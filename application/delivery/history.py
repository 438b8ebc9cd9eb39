"""A finished feature's life as the commits of a repository: one for each checkpoint.

Invariant: a pure function of the log: same events, same commits. Each commit holds what counted at
that moment, so going back is a commit that restores.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.agents.paths import key
from application.delivery.dossier import markdown_of
from application.delivery.finished import finished
from application.delivery.stored_files import read_all_stored
from application.features import Features
from application.ports import ArtifactStore
from domain import events as e
from domain.characters import visible
from domain.comments import Comment
from domain.content import Content
from domain.feature import Feature, evolve, fold
from domain.lifecycle import APPROVED_AT
from domain.recorded import Recorded

DOCS: Final = "docs/"
ELSEWHERE: Final = ".build-practical/"
"""Where no agent may write: for documents, should generated files stand in their place."""
DOCUMENTS: Final = ("brief", "spec", "plan", "tests", "security_review", "code_review")
NOWHERE: Final = "build-practical.invalid"
"""A domain that can never be anybody's (RFC 2606): no message goes astray to it."""

WORDS: Final[Mapping[type[e.FeatureEvent], str]] = {
    e.FeatureCreated: "Begin the feature",
    e.FeatureForked: "Begin as a fork",
    e.PartCarried: "Begin as a fork",
    e.AgentReplied: "Talk about what is needed",
    e.BriefConfirmed: "Confirm the brief",
    e.BriefRevised: "Revise the brief",
    e.SpecGenerated: "Write the specification",
    e.SpecApproved: "Approve the specification",
    e.PlanGenerated: "Write the plan",
    e.PlanApproved: "Approve the plan",
    e.TestsGenerated: "Write the contract tests",
    e.TestsApproved: "Approve the contract tests",
    e.RewriteRequested: "Ask for another version",
    e.SpecEdited: "Edit the specification",
    e.PlanEdited: "Edit the plan",
    e.TestsEdited: "Edit the contract tests",
    e.ApprovalRenewed: "Approve once more",
    e.RecommendationMade: "Review what was written",
    e.ImplementationCompleted: "Write the code",
    e.VerdictReached: "Pass both reviews",
    e.FeatureRetried: "Go back after a failure",
    e.FeatureReplayed: "Go back",
}
"""What a commit says that it does."""


class Commit(Struct, frozen=True):
    """What one checkpoint adds to the history."""

    version: int
    author: str
    email: str
    at: datetime
    message: str
    texts: Mapping[str, str]
    """Documents and, before there is code, test files: text by path."""
    files: Sequence[e.FileWritten]
    """Source files, whose bytes are stored elsewhere."""


class RecordedLife(Struct, frozen=True):
    """A whole life, as it was recorded, and the bytes of the files in it, by hash."""

    events: tuple[Recorded, ...]
    bodies: dict[str, bytes]
    title: str


class Histories:
    """Reads the lives of finished features."""

    def __init__(self, features: Features, artifacts: ArtifactStore) -> None:
        self._features = features
        self._artifacts = artifacts

    async def tell(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> RecordedLife:
        """The history up to where a finished feature's delivery ends.

        Raises:
            NotFound: there is no such feature.
            NotNow: it is not done yet, or was not at that version.
        """
        made = await finished(self._features, tenant_id, feature_id, version)
        events = await self._features.history(tenant_id, feature_id, made.version)
        wanted = {
            file.sha256: file
            for told in (e.told(recorded.event) for recorded in events)
            if isinstance(told, e.ImplementationCompleted)
            for file in told.files
        }
        bodies = await read_all_stored(self._artifacts, tenant_id, feature_id, wanted.values())
        return RecordedLife(tuple(events), dict(zip(wanted, bodies, strict=True)), made.title)


def commits_of(events: Sequence[Recorded]) -> Iterator[Commit]:
    """One commit for each checkpoint, and for each time somebody went back.

    None for the beginning of a mending round: the code stands, and the next commit changes it.
    """
    told = {recorded.version: e.told(recorded.event) for recorded in events}
    folder = _folder(told.values())
    feature = Feature()
    for recorded in events:
        feature = evolve(feature, recorded.event)
        marked = feature.checkpoints and feature.checkpoints[-1].version == recorded.version
        if isinstance(recorded.event, e.MendingStarted):
            continue
        if marked or isinstance(recorded.event, e.FeatureReplayed | e.FeatureRetried):
            texts, files = _tree(feature.content, told, folder)
            name, email = _author(recorded.actor)
            message = _message(recorded, feature.content)
            yield Commit(recorded.version, name, email, recorded.recorded_at, message, texts, files)


def branches_of(events: Sequence[Recorded]) -> Mapping[str, int]:
    """A branch for each earlier round: its name, and its last version. `main` is the last round.

    Whoever clones finds out by the commit which branch to begin with, so none may share main's.
    """
    content = fold(recorded.event for recorded in events).content
    return {f"round-{number}": one.ended for number, one in enumerate(content.rounds, 1)}


def _tree(
    content: Content, told: Mapping[int, e.FeatureEvent], folder: str
) -> tuple[Mapping[str, str], Sequence[e.FileWritten]]:
    parts = (getattr(content, name) for name in DOCUMENTS)
    texts = {
        f"{folder}{name}.md": markdown_of(told[part.version])
        for name, part in zip(DOCUMENTS, parts, strict=True)
        if part
    }
    made = told[content.implementation.version] if content.implementation else None
    if isinstance(made, e.ImplementationCompleted):
        return texts, made.files
    tests = told[content.tests.version] if content.tests else None
    if isinstance(tests, e.TestsWritten):
        texts |= {file.path: file.content for file in tests.document.files}
    return texts, ()


def _folder(events: Iterable[e.FeatureEvent]) -> str:
    """Where documents stand: in `docs/`, unless generated files have taken one of their names."""
    paths: set[str] = set()
    for event in events:
        if isinstance(event, e.ImplementationCompleted):
            paths |= {key(file.path) for file in event.files}
        if isinstance(event, e.TestsWritten):
            paths |= {key(file.path) for file in event.document.files}
    taken = {DOCS.rstrip("/"), *(f"{DOCS}{name}.md" for name in DOCUMENTS)}
    return DOCS if paths.isdisjoint(taken) else ELSEWHERE


def _author(actor: str) -> tuple[str, str]:
    kind, _, name = actor.partition(":")
    shown = "A person" if kind == "user" else f"The {name.replace('_', ' ')} {kind}"
    return shown, f"{kind}-{name}@{NOWHERE}"


def _message(recorded: Recorded, content: Content) -> str:
    event = recorded.event
    lines = [WORDS.get(type(event), recorded.type.replace("_", " ").capitalize()), ""]
    if isinstance(event, e.BriefRevised) and content.rounds:
        lines[0] += f" for round {content.round}"
    if isinstance(event, e.FeatureReplayed | e.FeatureRetried):
        lines[0] += f" to version {event.to_version}"
    said = _said(event)
    if said:
        lines += [said, ""]
    return "\n".join(
        [
            *lines,
            f"Status: {content.status}",
            f"Version: {recorded.version}",
            f"Event: {recorded.type} {recorded.event_id}",
            f"Event-Hash: {recorded.hash.hex()}",
            "",
        ]
    )


def _said(event: e.FeatureEvent) -> str:
    """What a person or an agent said with it."""
    match event:
        case e.ApprovalRenewed(note=note):
            return _one_paragraph(note)
        case _ if type(event) in APPROVED_AT:
            note = getattr(event, "note")  # noqa: B009 - of every approval.
            return _one_paragraph(note)
        case e.RecommendationMade(gate=gate, recommendation=advice, document=document):
            return _one_paragraph(f"{gate}: {advice}. {document.summary}")
        case e.AgentReplied(text=text):
            return _one_paragraph(text)
        case e.RewriteRequested(comments=comments):
            return _one_paragraph(" · ".join(_comment(one) for one in comments))
        case _:
            return ""


def _comment(said: Comment) -> str:
    return f"{said.target}: {said.text}" if said.target else said.text


def _one_paragraph(text: str) -> str:
    """Words that cannot be taken for the lines below them."""
    return visible(" ".join(text.replace("\0", " ").split()))
