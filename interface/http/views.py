"""What reads answer with, where a row and the texts of its events come together.

Invariant: a document's text is the text of the event whose hash and version the row names; the two
are put together here and nowhere stored together.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.download import markdown_of
from application.ports import Recorded
from domain import documents as d
from domain import events as e
from domain.pipeline import AGENT_OF
from domain.runs import Tokens
from domain.status import Agent, Gate, Recommendation, Status, Step, Verdict
from projections.breadcrumb import Crumb
from projections.dashboard import DashboardRow
from projections.feature import Checkpoint, FeatureRow, Origin, Written
from projections.message import MessageRow, Role
from projections.run import RunRow


class Document(Struct, frozen=True):
    """A document as people see and approve it."""

    markdown: str
    content_sha256: str
    version: int
    """Of the event that recorded it."""
    by: str
    at: datetime
    verdict: Verdict | None = None
    """Of a review, as code computed it."""
    reasons: tuple[str, ...] = ()
    """Why a review came to its verdict."""


class Documents(Struct, frozen=True):
    """All that was written so far; null is not written yet, or does not count any more."""

    brief: Document | None = None
    spec: Document | None = None
    plan: Document | None = None
    tests: Document | None = None
    security_review: Document | None = None
    code_review: Document | None = None


class ApprovalView(Struct, frozen=True):
    """A person's yes that still counts."""

    gate: Gate
    content_sha256: str
    version: int
    by: str
    at: datetime


class Advised(Struct, frozen=True):
    """What the alignment reviewer recommends at the gate. The person decides."""

    gate: Gate
    verdict: Recommendation
    reasons: tuple[str, ...]
    summary: str
    lost: tuple[str, ...] = ()
    """Ids that the document before had and this one has not."""
    added: tuple[str, ...] = ()


class Failed(Struct, frozen=True):
    """Why it failed, and what to do next."""

    step: Step
    code: str
    reason: str
    next: str
    """`retry`, `replay` to an earlier checkpoint, or `settings`."""
    advice: str = ""


class FileItem(Struct, frozen=True):
    """A generated file."""

    path: str
    size: int
    """Bytes."""
    sha256: str


class Working(Struct, frozen=True):
    """A step that waits for a worker, or runs."""

    step: Step
    agent: Agent
    due_since: int
    """The version that made it due."""
    attempt: int | None
    """The number of the attempt that runs; null while it waits."""


class FeatureView(Struct, frozen=True):
    """Everything about one feature."""

    id: UUID
    title: str
    status: Status
    version: int
    epoch: int
    created_at: datetime
    updated_at: datetime
    breadcrumb: tuple[Crumb, ...]
    actions: tuple[str, ...]
    """What its owner may do now, from the lifecycle table."""
    deliverables: Documents
    approvals: tuple[ApprovalView, ...]
    recommendation: Advised | None
    failure: Failed | None
    in_progress: tuple[Working, ...]
    """Steps that wait for a worker, or run."""
    files: tuple[FileItem, ...]
    cost_usd: Decimal
    tokens: Tokens
    forked_from: Origin | None = None


class MessageView(Struct, frozen=True):
    """One message of the conversation."""

    message_id: UUID
    version: int
    role: Role
    at: datetime
    by: str
    text: str
    question: d.Question | None = None
    brief_markdown: str | None = None
    """A brief that the agent proposes, to be confirmed."""
    error: str | None = None
    """Why there is no answer: a code; `text` says it in words."""
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)


class EventView(Struct, frozen=True):
    """An event as it stands in the log."""

    position: int
    version: int
    event_id: UUID
    type: str
    schema_version: int
    actor: str
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    payload: e.FeatureEvent
    hash: str
    previous_hash: str


class FeaturePage(Struct, frozen=True):
    """A page of features, newest first."""

    items: tuple[DashboardRow, ...]
    next_cursor: str | None


class MessagePage(Struct, frozen=True):
    """A page of the visible conversation, oldest first."""

    items: tuple[MessageView, ...]
    next_cursor: str | None


class CheckpointPage(Struct, frozen=True):
    """A page of places to go back to, oldest first."""

    items: tuple[Checkpoint, ...]
    next_cursor: str | None


class RunPage(Struct, frozen=True):
    """A page of agent runs, oldest first."""

    items: tuple[RunRow, ...]
    next_cursor: str | None


class FilePage(Struct, frozen=True):
    """A page of generated files, by path."""

    items: tuple[FileItem, ...]
    next_cursor: str | None


class EventPage(Struct, frozen=True):
    """A page of the log, oldest first."""

    items: tuple[EventView, ...]
    next_cursor: str | None


class CloudEvent(Struct, frozen=True, omit_defaults=True):
    """A line of the exported log, as CloudEvents 1.0 have it (JSON format)."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    sequence: str
    """The version, as the Sequence extension has it: to be compared as text."""
    position: int
    schemaversion: int
    actor: str
    correlationid: UUID
    hash: str
    previoushash: str
    data: e.FeatureEvent
    causationid: UUID | None = None


def texts_needed(row: FeatureRow) -> set[int]:
    """The versions whose texts a feature's page shows."""
    written = row.deliverables
    documents = [getattr(written, name) for name in written.__struct_fields__]
    versions = {document.version for document in documents if document}
    versions |= {part.version for part in (row.recommendation, row.failure) if part}
    if row.files_version is not None:
        versions.add(row.files_version)
    return versions


def feature_view(row: FeatureRow, texts: Mapping[int, Recorded]) -> FeatureView:
    """A feature's page."""
    written = row.deliverables
    documents = {
        name: _document(getattr(written, name), texts) for name in written.__struct_fields__
    }
    return FeatureView(
        id=row.id,
        title=row.title,
        status=row.status,
        version=row.version,
        epoch=row.epoch,
        created_at=row.created_at,
        updated_at=row.updated_at,
        breadcrumb=row.breadcrumb,
        actions=row.actions,
        deliverables=Documents(**documents),
        approvals=tuple(
            ApprovalView(gate, given.content_sha256, given.version, given.by, given.at)
            for gate, given in row.approvals.items()
        ),
        recommendation=_advised(row, texts),
        failure=_failed(row, texts),
        in_progress=_working(row),
        files=files_of(texts.get(row.files_version or 0)),
        cost_usd=row.cost_usd,
        tokens=row.tokens,
        forked_from=row.forked_from,
    )


def files_of(recorded: Recorded | None) -> tuple[FileItem, ...]:
    """The files of an implementation, by path."""
    if recorded is None or not isinstance(recorded.event, e.ImplementationCompleted):
        return ()
    files = sorted(recorded.event.files, key=lambda file: file.path)
    return tuple(FileItem(file.path, file.size, file.sha256) for file in files)


def message_view(row: MessageRow, texts: Mapping[int, Recorded]) -> MessageView | None:
    """A message with its words; None if they are gone."""
    recorded = texts.get(row.version)
    if recorded is None:
        return None
    more: dict[str, Any] = {}
    match recorded.event:
        case e.MessagePosted(text=text):
            pass
        case e.AgentReplied(text=text, question=question, brief_markdown=brief):
            more = {"question": question, "brief_markdown": brief}
        case e.StepAbandoned(reason=text):
            pass
        case _:
            return None
    return MessageView(
        message_id=row.message_id,
        version=row.version,
        role=row.role,
        at=row.at,
        by=row.by,
        text=text,
        error=row.error,
        tokens=row.tokens,
        cost_usd=row.cost_usd,
        **more,
    )


def event_view(recorded: Recorded) -> EventView:
    """An event of the log."""
    return EventView(
        position=recorded.position,
        version=recorded.version,
        event_id=recorded.event_id,
        type=recorded.type,
        schema_version=recorded.schema_version,
        actor=recorded.actor,
        recorded_at=recorded.recorded_at,
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
        payload=recorded.event,
        hash=recorded.hash.hex(),
        previous_hash=recorded.previous_hash.hex(),
    )


def cloud_event(recorded: Recorded, public_url: str) -> CloudEvent:
    """An event as a line of the export."""
    return CloudEvent(
        specversion="1.0",
        id=recorded.event_id,
        source=f"{public_url.rstrip('/')}/api/features/{recorded.feature_id}",
        type=f"build-practical.{recorded.type}",
        subject=str(recorded.feature_id),
        time=recorded.recorded_at,
        datacontenttype="application/json",
        sequence=f"{recorded.version:010d}",
        position=recorded.position,
        schemaversion=recorded.schema_version,
        actor=recorded.actor,
        correlationid=recorded.correlation_id,
        hash=recorded.hash.hex(),
        previoushash=recorded.previous_hash.hex(),
        data=recorded.event,
        causationid=recorded.causation_id,
    )


def _working(row: FeatureRow) -> tuple[Working, ...]:
    running = row.running
    return tuple(
        Working(step, AGENT_OF[step], since, running[step].number if step in running else None)
        for step, since in row.due.items()
    )


def _document(written: Written | None, texts: Mapping[int, Recorded]) -> Document | None:
    if written is None or written.version not in texts:
        return None
    event = texts[written.version].event
    reasons = event.reasons if isinstance(event, e.SecurityReviewed | e.CodeReviewed) else ()
    return Document(
        markdown=markdown_of(event),
        content_sha256=written.content_sha256,
        version=written.version,
        by=written.by,
        at=written.at,
        verdict=written.verdict,
        reasons=reasons,
    )


def _advised(row: FeatureRow, texts: Mapping[int, Recorded]) -> Advised | None:
    advice = row.recommendation
    recorded = texts.get(advice.version) if advice else None
    if advice is None or recorded is None or not isinstance(recorded.event, e.RecommendationMade):
        return None
    made = recorded.event
    reasons = tuple(reason.text for reason in made.document.reasons)
    return Advised(
        advice.gate, advice.verdict, reasons, made.document.summary, made.lost, made.added
    )


def _failed(row: FeatureRow, texts: Mapping[int, Recorded]) -> Failed | None:
    failure = row.failure
    if failure is None:
        return None
    recorded = texts.get(failure.version)
    reason, advice = "", ""
    if recorded is not None and isinstance(recorded.event, e.FeatureFailed):
        reason, advice = recorded.event.reason, recorded.event.advice
    elif recorded is not None and isinstance(recorded.event, e.VerdictReached):
        reason = "The code did not pass its review. The review says what is wrong with it."
    return Failed(failure.step, failure.code, reason, failure.next, advice)
