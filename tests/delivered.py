"""Finished features in memory, and what is delivered of them: no database, the real bytes."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from hashlib import sha256
from uuid import UUID

from msgspec.structs import replace

from application.delivery.artifact_keys import artifact_key
from application.delivery.checker import rooted
from application.delivery.download import Download
from application.delivery.history import Histories
from application.features import Features
from application.ports import Metadata
from application.transparency.export import StoredEvent
from domain import commands as c
from domain import events as e
from domain.comments import Comment
from domain.status import Agent, Gate, Step, Verdict
from infrastructure.delivery.archive import ZipArchive
from infrastructure.delivery.git_bundle import GitBundle
from tests import given
from tests.fakes import Clock, MemoryArtifacts, MemoryLog, MemoryReceipts
from tests.stored import stored_as_it_would_be

DOCUMENTS = {Gate.SPEC: given.SPEC, Gate.PLAN: given.PLAN, Gate.TESTS: given.TESTS}
TENANT, FEATURE, PERSON = UUID(int=1), UUID(int=2), UUID(int=3)
SOURCES = {
    "README.md": b"# Tool library\n",
    "package.json": b'{"name":"tools","scripts":{"start":"node src/server.ts"},'
    b'"dependencies":{"express":"5.1.0","pg":"8.23.1"},'
    b'"devDependencies":{"typescript":"^5.9.0"}}\n',
    "src/server.ts": "console.log('Werkzeug für alle')\n".encode(),
    "tests/lend.test.ts": b"assert.ok(true)",
}
FILES = tuple(
    e.FileWritten(
        path,
        len(body),
        sha256(body).hexdigest(),
        Agent.CONTRACT_TEST if path.startswith("tests/") else Agent.IMPLEMENTER,
    )
    for path, body in SOURCES.items()
)


def with_files(events: Sequence[e.FeatureEvent]) -> list[e.FeatureEvent]:
    """The same life, whose implementations wrote `SOURCES`."""
    return [
        replace(event, files=FILES) if isinstance(event, e.ImplementationCompleted) else event
        for event in events
    ]


def finish(story: given.Story, first: Gate = Gate.SPEC) -> given.Story:
    """From a gate where it waits to the verdict."""
    steps = {Gate.SPEC: Step.PLAN, Gate.PLAN: Step.TESTS, Gate.TESTS: Step.IMPLEMENT}
    for gate in list(Gate)[list(Gate).index(first) :]:
        story.approve(gate).work(steps[gate])
    return story.work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW)


def gone_back() -> given.Story:
    """Finished, taken back to the plan's gate, and finished once more."""
    story = given.done()
    plan = next(n for n, ev in enumerate(story.events, 1) if isinstance(ev, e.PlanGenerated))
    return finish(story.do(c.ReplayFeature(plan)), Gate.PLAN)


def gone_back_and_forth() -> given.Story:
    """Finished, taken back to the plan's gate, and from there to the finished code again."""
    story = given.done()
    plan = next(n for n, ev in enumerate(story.events, 1) if isinstance(ev, e.PlanGenerated))
    end = len(story.events)
    return story.do(c.ReplayFeature(plan)).do(c.ReplayFeature(end))


def revised() -> given.Story:
    """Revised at the plan's gate, and finished from the second brief."""
    story = given.at_gate(Gate.PLAN).do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list"))
    return finish(story.work(Step.SPEC, salt="second"))


def commented_and_edited() -> given.Story:
    """Written anew with comments at every gate, then edited by the person, and finished."""
    story = given.at_gate(Gate.SPEC)
    after = {Gate.SPEC: Step.PLAN, Gate.PLAN: Step.TESTS, Gate.TESTS: Step.IMPLEMENT}
    for gate, step in after.items():
        shown = story.feature.content.deliverable(gate)
        assert shown is not None
        said = (Comment("Not so."), Comment("More.", "summary"))
        story.do(c.RequestRewrite(gate, shown.content_sha256, said))
        story.work(Step(gate.value), salt="anew")
        shown = story.feature.content.deliverable(gate)
        assert shown is not None
        document = DOCUMENTS[gate]
        edit = c.RecordEdit(gate, shown.content_sha256, shown.version, document, f"# My {gate}")
        story.do(edit).approve(gate).work(step)
    return story.work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW)


def changed() -> given.Story:
    """Finished, talked about, and finished again after something was changed."""
    story = given.done().do(c.PostMessage(given.MESSAGE, "also print a list"))
    story.work(Step.CONVERSE)
    story.do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list")).work(Step.SPEC, salt="second")
    return finish(story)


def changed_after_a_failure() -> given.Story:
    """Failed its code review, and finished with another brief instead of a retry."""
    story = given.in_review().work(Step.SECURITY_REVIEW)
    story.work(Step.CODE_REVIEW, verdict=Verdict.FAIL)
    story.do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list")).work(Step.SPEC, salt="second")
    return finish(story)


def changed_twice() -> given.Story:
    """Finished in a third round, the second of which gave up."""
    story = given.done().do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list"))
    story.do(given.start(story.feature, Step.SPEC))
    attempt = given.attempt_of(story, Step.SPEC)
    story.do(c.FailAttempt(attempt, given.RUN, "no_result", "It stopped.", "Again.", final=True))
    story.do(c.ReviseBrief("- BF-1 lend ladders")).work(Step.SPEC, salt="third")
    return finish(story)


def retried() -> given.Story:
    """Failed its code review once, and passed after a retry."""
    story = given.in_review().work(Step.SECURITY_REVIEW)
    story.work(Step.CODE_REVIEW, verdict=Verdict.FAIL).do(c.RetryFeature())
    story.work(Step.IMPLEMENT, salt="again")
    return story.work(Step.SECURITY_REVIEW, salt="again").work(Step.CODE_REVIEW, salt="again")


def mended() -> given.Story:
    """Failed its code review twice, was mended without a person each time, and passed."""
    story = given.in_review().reviewed("F-1", "F-2")
    story.work(Step.IMPLEMENT, salt="again").reviewed("F-1")
    return story.work(Step.IMPLEMENT, salt="and again").reviewed()


def looked_at_twice() -> given.Story:
    """Its security review came to no verdict, and passed when it was asked for again."""
    story = given.in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.UNDECIDED)
    story.work(Step.CODE_REVIEW).do(c.RetryFeature())
    return story.work(Step.SECURITY_REVIEW, salt="again")


def forked() -> given.Story:
    """A fork from another feature's plan, approved anew and finished."""
    parent = given.at_gate(Gate.PLAN)
    fork = parent.fork(len(parent.events)).approve(Gate.SPEC)
    return finish(fork, Gate.PLAN)


LIVES = {
    "forked": forked,
    "straight": given.done,
    "commented_and_edited": commented_and_edited,
    "changed": changed,
    "changed_after_a_failure": changed_after_a_failure,
    "changed_twice": changed_twice,
    "gone_back": gone_back,
    "gone_back_and_forth": gone_back_and_forth,
    "revised": revised,
    "retried": retried,
    "mended": mended,
    "looked_at_twice": looked_at_twice,
}


class Log(MemoryLog):
    """A log in memory that can be exported."""

    async def stored(
        self, tenant_id: UUID, feature_id: UUID, after: int, upto: int
    ) -> Sequence[StoredEvent]:
        return stored_as_it_would_be(self._stream(tenant_id, feature_id))[after:upto]


class Silence:
    """Nobody listens."""

    async def grown(self) -> None:
        return


class Shop:
    """Features of one tenant, with everything that delivers them."""

    def __init__(self, events: Sequence[e.FeatureEvent]) -> None:
        self.clock = Clock()
        self.log = Log(self.clock)
        self.artifacts = MemoryArtifacts()
        self.features = Features(self.log, MemoryReceipts(self.clock), Silence(), self.new_id)
        self.archive = ZipArchive(Download(self.features, self.artifacts, self.log))
        self.not_passed = ZipArchive(
            Download(self.features, self.artifacts, self.log, undecided=True)
        )
        self.bundle = GitBundle(Histories(self.features, self.artifacts))
        self._ids = 1_000
        for body in SOURCES.values():
            key = artifact_key(TENANT, FEATURE, sha256(body).hexdigest())
            self.artifacts.kept[key] = body
        self.tell(with_files(events))

    def new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids)

    def tell(self, events: Iterable[e.FeatureEvent], feature: UUID = FEATURE) -> None:
        """Append as it would have been recorded, by the person or by the agent."""
        for event in events:
            agent = getattr(event, "agent", None) or getattr(event, "attempt", None)
            name = agent if isinstance(agent, Agent) else agent and given.AGENT_OF[agent.step]
            actor = f"agent:{name}" if name else f"user:{PERSON}"
            stream = self.log._stream(TENANT, feature)  # noqa: SLF001
            self.log.events += self.log._record(  # noqa: SLF001
                feature, [(self.new_id(), event)], stream, Metadata(TENANT, actor, UUID(int=9))
            )
            self.clock.turn(60)

    async def zip(self, version: int | None = None) -> bytes:
        parcel = await self.archive(TENANT, FEATURE, version)
        return b"".join([chunk async for chunk in parcel.chunks()])

    async def git(self, version: int | None = None) -> bytes:
        parcel = await self.bundle(TENANT, FEATURE, version)
        return b"".join([chunk async for chunk in parcel.chunks()])


def unzipped(body: bytes) -> dict[str, bytes]:
    """All files of a delivered zip, by their path in its folder."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        top = rooted(archive.namelist())
        return {name.removeprefix(top): archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files, in a folder of another name than they came in."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in files.items():
            archive.writestr(f"as-unpacked/{path}", body)
    return out.getvalue()
