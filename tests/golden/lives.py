"""Whole lives that golden logs are made of: together they hold an event of every type."""

from uuid import UUID

from application.export import StoredEvent
from application.ports import Origin
from domain import commands as c
from domain import events as e
from domain.status import Gate, Step, Verdict
from tests.fakes import Clock, MemoryLog
from tests.given import Story, at_gate, done, drafted, in_review, start
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
    running = drafted("Running").do(c.ConfirmBrief("- lend"))
    running.do(start(running.feature, Step.SPEC))
    deleted = at_gate(Gate.SPEC).do(c.DeleteFeature())
    parent = at_gate(Gate.PLAN)
    forked = parent.fork(parent.feature.version, "Forked").approve(Gate.SPEC)
    return {
        "done": done(),
        "forked": forked,
        "talked": talked,
        "replayed": replayed,
        "revised": revised,
        "failed-and-retried": failed,
        "running": running,
        "deleted": deleted,
    }


def stored(events: list[e.FeatureEvent]) -> list[StoredEvent]:
    """A life as a database would have stored it; the same bytes every time."""
    log = MemoryLog(Clock())
    stream = []
    for version, event in enumerate(events, start=1):
        cause = stream[-1].event_id if stream else None
        origin = Origin(TENANT, "user:golden", COMMAND, cause)
        named = [(UUID(int=FEATURE.int + 1000 + version), event)]
        stream += log._record(FEATURE, named, stream, origin)  # noqa: SLF001 - no append is decided.
        log.events = stream
    return stored_as_it_would_be(stream)
