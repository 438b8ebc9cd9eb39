"""What reads answer with, where a row and the texts of its events come together.

Invariant: a document's text is the text of the event whose hash and version the row names; the two
are put together here and nowhere stored together.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import asdict

from application.agents.points import reading_in
from application.delivery.checker import README
from application.delivery.download import markdown_of
from application.delivery.names import file_name
from application.ports import Unread
from domain import events as e
from domain.lifecycle import EDITED_AT
from domain.pipeline import AGENT_OF
from domain.recorded import Recorded
from domain.runs import OURS
from interface.http.responses.as_of import FeatureSnapshot
from interface.http.responses.mending import mending_texts, mending_view
from interface.http.responses.structs import (
    Advised,
    ApprovalView,
    Document,
    Documents,
    EventView,
    Failed,
    FeatureView,
    FileItem,
    Fork,
    MessageView,
    Pausing,
    Proposal,
    RoundView,
    RunItem,
    StoppedWork,
    UnreadEvent,
    Working,
)
from projections.dashboard import DashboardRow
from projections.failure import REVIEW_FAILED, REVIEW_UNDECIDED
from projections.feature import FeatureRow, Pause, WrittenPart
from projections.message import MessageRow
from projections.run import RunRow


def texts_needed(row: FeatureRow) -> set[int]:
    """The versions whose texts a feature's page shows."""
    written = row.deliverables
    documents = [getattr(written, name) for name in written.__struct_fields__]
    versions = {document.version for document in documents if document}
    versions |= {part.version for part in (row.recommendation, row.failure) if part}
    versions |= {pause.version for pause in row.pauses.values()}
    versions |= mending_texts(row)
    others = (row.files_version, row.state.stopped, row.state.content.proposal)
    versions |= {version for version in others if version}
    return versions


def feature_view(
    seen: FeatureSnapshot,
    texts: Mapping[int, Recorded],
    forks: Iterable[DashboardRow] = (),
    *,
    gives_undecided: bool = False,
) -> FeatureView:
    """A feature's page, as it is or as it was.

    Args:
        seen: The feature.
        texts: The events at the versions that `texts_needed` names.
        forks: What was forked from it.
        gives_undecided: Whether code without a verdict may be downloaded as not passed.
    """
    row = seen.row
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
        actions=seen.actions,
        deliverables=Documents(**documents),
        approvals=tuple(
            ApprovalView(gate, given.content_sha256, given.version, given.by, given.at)
            for gate, given in row.approvals.items()
        ),
        recommendation=_advised(row, texts),
        failure=_failed(row, texts, gives_undecided=gives_undecided),
        in_progress=_working(row, texts),
        files=files_of(texts.get(row.files_version or 0)),
        cost_usd=row.cost_usd,
        tokens=row.tokens,
        forked_from=row.forked_from,
        forks=tuple(
            Fork(fork.id, fork.forked_from.version, fork.title, fork.status, fork.created_at)
            for fork in forks
            if fork.forked_from and fork.forked_from.version <= row.version
        ),
        awaiting=row.awaiting,
        present=seen.is_present,
        round=row.state.content.round,
        rounds=tuple(
            RoundView(number, one.status, one.ended)
            for number, one in enumerate(row.state.content.rounds, 1)
        ),
        mending=mending_view(row, texts),
        stopped=_stopped(row, texts),
        notes=_notes(texts.get(row.files_version or 0)),
        called=_called(texts.get(written.spec.version) if written.spec else None),
        pending_proposal=_proposal(row, texts),
    )


def _called(recorded: Recorded | None) -> str:
    if recorded is None or not isinstance(recorded.event, e.SpecWritten):
        return ""
    return file_name(recorded.event.document.title)


def _notes(recorded: Recorded | None) -> str:
    written = recorded is not None and isinstance(recorded.event, e.ImplementationCompleted)
    return getattr(recorded.event, "notes", "") if recorded and written else ""


def _proposal(row: FeatureRow, texts: Mapping[int, Recorded]) -> Proposal | None:
    version = row.state.content.proposal
    recorded = texts.get(version) if version is not None else None
    if recorded is None or not isinstance(recorded.event, e.AgentReplied):
        return None
    reply = recorded.event
    at, markdown = recorded.recorded_at, reply.brief_markdown or ""
    return Proposal(recorded.version, reply.message_id, at, markdown)


def files_of(recorded: Recorded | None) -> tuple[FileItem, ...]:
    """The files of an implementation, by path."""
    return tuple(FileItem(file.path, file.size, file.sha256) for file in written_of(recorded))


def written_of(recorded: Recorded | None) -> Sequence[e.FileWritten]:
    """The files of an implementation as they were recorded: what to read first, then by path."""
    if recorded is None or not isinstance(recorded.event, e.ImplementationCompleted):
        return ()
    return sorted(recorded.event.files, key=lambda file: reading_order(file.path))


def reading_order(path: str) -> tuple[bool, str]:
    """Sorts paths, with `README.md` first."""
    return (path != README, path)


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


def run_item(row: RunRow) -> RunItem:
    """A run, with whose doing its end was."""
    return RunItem(**asdict(row), cause="ours" if row.error in OURS else None)


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


def unread_view(one: Unread) -> UnreadEvent:
    """An event of the log that cannot be read here."""
    return UnreadEvent(
        position=one.position,
        version=one.version,
        event_id=one.event_id,
        type=one.type,
        schema_version=one.schema_version,
        actor=one.actor,
        recorded_at=one.recorded_at,
        correlation_id=one.correlation_id,
        causation_id=one.causation_id,
        hash=one.hash.hex(),
        previous_hash=one.previous_hash.hex(),
        why=one.why,
    )


def _working(row: FeatureRow, texts: Mapping[int, Recorded]) -> tuple[Working, ...]:
    running = row.running
    return tuple(
        Working(
            step,
            AGENT_OF[step],
            since,
            running[step].number if step in running else None,
            _pausing(row.pauses.get(step), texts),
        )
        for step, since in row.due.items()
    )


def _stopped(row: FeatureRow, texts: Mapping[int, Recorded]) -> StoppedWork | None:
    told = texts.get(row.state.stopped) if row.state.stopped else None
    if told is None or not isinstance(told.event, e.WorkStopped):
        return None
    at, by, reason = told.recorded_at, told.actor, told.event.reason
    return StoppedWork(told.version, at, by, reason, row.state.held)


def _pausing(pause: Pause | None, texts: Mapping[int, Recorded]) -> Pausing | None:
    told = texts.get(pause.version) if pause else None
    if pause is None or told is None or not isinstance(told.event, e.AttemptFailed):
        return None
    return Pausing(told.event.reason, pause.until)


def _document(written: WrittenPart | None, texts: Mapping[int, Recorded]) -> Document | None:
    if written is None or written.version not in texts:
        return None
    event = texts[written.version].event
    return Document(
        markdown=markdown_of(event),
        content_sha256=written.content_sha256,
        version=written.version,
        by=written.by,
        at=written.at,
        verdict=written.verdict,
        reasons=getattr(event, "reasons", ()),
        edited=type(event) in EDITED_AT,
        answered=getattr(event, "answered", ()),
        reading=reading_in(event),
    )


def _advised(row: FeatureRow, texts: Mapping[int, Recorded]) -> Advised | None:
    advice = row.recommendation
    recorded = texts.get(advice.version) if advice else None
    if advice is None or recorded is None or not isinstance(recorded.event, e.RecommendationMade):
        return None
    made = recorded.event
    reasons = tuple(reason.text for reason in made.document.reasons)
    return Advised(
        advice.gate,
        advice.verdict,
        reasons,
        made.document.summary,
        made.lost,
        made.added,
        made.left_out,
        made.notes,
        made.cited,
    )


_REVIEWED = {
    REVIEW_FAILED: "The code did not pass its review. The review says what is wrong with it.",
    REVIEW_UNDECIDED: (
        "A review came to no verdict: the reviewer called something grave that stands nowhere in "
        "the files, or left open what was asked. The review says what."
    ),
}


def _failed(
    row: FeatureRow, texts: Mapping[int, Recorded], *, gives_undecided: bool
) -> Failed | None:
    failure = row.failure
    if failure is None:
        return None
    recorded = texts.get(failure.version)
    reason, advice = "", ""
    if recorded is not None and isinstance(recorded.event, e.FeatureFailed):
        reason, advice = recorded.event.reason, recorded.event.advice
    elif recorded is not None and isinstance(recorded.event, e.VerdictReached):
        reason = _REVIEWED[failure.code]
    download = gives_undecided and failure.code == REVIEW_UNDECIDED
    return Failed(failure.step, failure.code, reason, failure.next, advice, download)
