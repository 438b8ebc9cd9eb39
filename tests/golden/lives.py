"""Whole lives that golden logs are made of: together they hold an event of every type."""

from decimal import Decimal
from uuid import UUID

from application.ports import Metadata
from application.transparency.export import StoredEvent
from domain import commands as c
from domain import events as e
from domain.runs import Run, Tokens
from domain.status import Gate, Step, Verdict
from tests.fakes import Clock, MemoryLog
from tests.given import (
    FILES,
    RUN,
    Story,
    answer,
    at_gate,
    attempt_of,
    done,
    drafted,
    in_review,
    start,
)
from tests.golden.filled import filled
from tests.golden.shapes import kinds
from tests.stored import stored_as_it_would_be

TENANT = UUID("0190a000-0000-7000-8000-000000000001")
FEATURE = UUID("0190a000-0000-7000-8000-000000000002")
COMMAND = UUID("0190a000-0000-7000-8000-000000000003")


def lives() -> dict[str, Story]:
    """Each life by its name."""
    talked = drafted("Grüße \U0001f41b").do(c.PostMessage(UUID(int=5), "hello"))
    talked.work(Step.CONVERSE).do(c.RenameFeature("Another"))
    replayed = at_gate(Gate.PLAN)
    replayed.do(c.ReplayFeature(replayed.feature.content.spec.version))
    revised = at_gate(Gate.SPEC).work(Step.ALIGN_SPEC).work(Step.TITLE)
    revised.do(c.ReviseBrief("- BF-2 other")).work(Step.SPEC)
    failed = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL).work(Step.CODE_REVIEW)
    failed.do(c.RetryFeature())
    changed = done().do(c.PostMessage(UUID(int=5), "and a list")).work(Step.CONVERSE)
    changed.do(c.ReviseBrief("- BF-1 lend\n- BF-2 print a list")).work(Step.SPEC, salt="second")
    mended = in_review().reviewed("F-1", "F-2").work(Step.IMPLEMENT).reviewed("F-1", "F-2")
    mended.do(c.RetryFeature()).work(Step.IMPLEMENT).reviewed()
    running = drafted("Running").do(c.ConfirmBrief("- lend"))
    running.do(start(running.feature, Step.SPEC))
    deleted = at_gate(Gate.SPEC).do(c.DeleteFeature())
    stopped = at_gate(Gate.TESTS).approve(Gate.TESTS)
    stopped.do(start(stopped.feature, Step.IMPLEMENT))
    cut = attempt_of(stopped, Step.IMPLEMENT)
    stopped.do(c.StopWork("Too dear.")).do(c.DiscardRun(cut, RUN, "superseded", FILES))
    stopped.do(c.ResumeWork()).work(Step.IMPLEMENT, salt="resumed")
    parent = at_gate(Gate.PLAN)
    forked = parent.fork(parent.feature.version, "Forked").approve(Gate.SPEC)
    told = {
        "done": done(),
        "everything-else": with_troubles(),
        "forked": forked,
        "talked": talked,
        "replayed": replayed,
        "changed": changed,
        "revised": revised,
        "failed-and-retried": failed,
        "mended": mended,
        "running": running,
        "deleted": deleted,
        "stopped": stopped,
    }
    held = {type(event) for life in told.values() for event in life.events}
    # An event that nobody has told a life of yet is told by itself, made up from its shape.
    alone = {tag: kind for tag, kind in kinds().items() if kind not in held}
    begun = e.FeatureCreated("Whole")
    return {**told, **{tag: Story(begun, filled(kind)[0]) for tag, kind in alone.items()}}


def with_troubles() -> Story:
    """What the other lives have not: attempts that fail, answers too late, steps that give up."""
    story = drafted().do(c.PostMessage(UUID(int=5), "hello"))
    story.do(start(story.feature, Step.CONVERSE)).do(_failing(story, Step.CONVERSE, final=True))
    story.do(c.ConfirmBrief("- BF-1 lend")).do(start(story.feature, Step.SPEC))
    late = attempt_of(story, Step.SPEC)
    story.do(_failing(story, Step.SPEC, final=False)).do(start(story.feature, Step.SPEC))
    story.do(c.DiscardRun(late, Run(Tokens(700, 50), Decimal("0.0142"), 2.5, 3), "superseded"))
    story.do(answer(story.feature, Step.SPEC)).approve(Gate.SPEC)
    story.do(start(story.feature, Step.PLAN)).do(_failing(story, Step.PLAN, final=True))
    return story.do(c.RetryFeature()).work(Step.PLAN).do(c.RenameFeature("Library"))


def _failing(story: Story, step: Step, *, final: bool) -> c.FailAttempt:
    attempt = attempt_of(story, step)
    return c.FailAttempt(attempt, RUN, "overloaded", "It was busy.", "Try again.", final, 2.5)


def stored(events: list[e.FeatureEvent]) -> list[StoredEvent]:
    """A life as a database would have stored it; the same bytes every time."""
    log = MemoryLog(Clock())
    stream = []
    for version, event in enumerate(events, start=1):
        cause = stream[-1].event_id if stream else None
        origin = Metadata(TENANT, "user:golden", COMMAND, cause)
        named = [(UUID(int=FEATURE.int + 1000 + version), event)]
        stream += log._record(FEATURE, named, stream, origin)  # noqa: SLF001 - no append is decided.
        log.events = stream
    return stored_as_it_would_be(stream)
