"""The whole pipeline of agents with the demo model behind the real adapter, brief by brief.

What the harness checks, and what its parsers read, is accepted at the first try.
"""

import hashlib
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.freezing import Frozen, changed_since, texts_of
from application.agents.perform import perform
from application.agents.step_inputs import Message, StepInputs
from application.agents.table import agent_configs_of
from application.running.computing import Here
from domain import documents as d
from domain.comments import Comment, CommentKind
from domain.content import Content
from domain.events import FileWritten
from domain.feature import Feature
from domain.impact import Base, ImpactKind, impact_of
from domain.parts import LOOSE, parts_of
from domain.reading import reading_of
from domain.runs import Attempt
from domain.status import Gate, Recommendation, Status, Step, Verdict
from infrastructure.anthropic.model import AnthropicModel
from infrastructure.demo_model import DemoModel
from infrastructure.inspection import Inspector
from tests.demo_model.asking import EXAMPLES, STRANGE
from tests.given import holding

KEY = "sk-ant-demo"
PERSON = str(UUID(int=1))
TOOL_LIBRARY = next(path for path in EXAMPLES if path.stem == "tool-library")


class DemoDesk:
    """A context without ledger: every question goes to the demo model over HTTP."""

    def __init__(self, model: AnthropicModel) -> None:
        self._model = model
        self._inspector = Inspector(Here())
        self.stored: dict[str, bytes] = {}
        self.written: list[str] = []

    async def ask(self, request):
        return await self._model.ask(
            request,
            KEY,
            idempotency_key="k",
            on_text=lambda _: None,
            on_draft=lambda _: None,
            on_progress=lambda: None,
        )

    async def store(self, content):
        digest = hashlib.sha256(content).hexdigest()
        self.stored[digest] = content
        return digest

    def accepted(self, file):
        self.written.append(file.path)

    async def inspect(self, files, packages, plan=None):
        return await self._inspector.inspect(None, files, packages, plan)

    async def notes(self, files, plan=None):
        return await self._inspector.notes(None, files, plan)

    async def beside(self, files, paths):
        return await self._inspector.beside(None, files, paths)

    async def compute(self, work, *args):
        return work(*args)

    def show(self, kind, **what):
        pass


@pytest.fixture
async def model(servers):
    async with DemoModel(pace=0.0) as running:
        yield running


@pytest.fixture
async def context(model):
    adapter = AnthropicModel(base_url=model.url)
    yield DemoDesk(adapter)
    await adapter.close()


class Pipeline:
    """Steps in their order, each with what the ones before have brought."""

    def __init__(self, context: DemoDesk, material: StepInputs) -> None:
        self.context = context
        self.material = material

    async def do(self, step: Step):
        outcome = await perform(
            step, Attempt(step, 1, 1), self.material, self.context, agent_configs_of()
        )
        return outcome.command

    async def documents(self) -> None:
        for gate in Gate:
            made = await self.do(Step(gate.value))
            self.material = holding(self.material, gate, made.document, made.markdown)

    async def do_commented(self, gate: Gate, *comments: Comment) -> None:
        """The document of a gate, written, and then once more with comments."""
        first = (await self.do(Step(gate.value))).document
        before = self.material.previous
        self.material = replace(self.material, previous={gate: first}, comments=comments)
        made = await self.do(Step(gate.value))
        assert [one.comment for one in made.answered] == [*comments]
        assert all(one.changed for one in made.answered), made.answered
        named = {name for one in made.answered for name in one.changed}
        now = parts_of(made.document)
        loose = {name for name, part in parts_of(first).items() if now.get(name) != part}
        # Criteria go with their requirement, and FR-3 is that of AC-5.
        assert {name for name in loose if not name.startswith("AC-")} <= named | LOOSE | {"FR-3"}
        material = replace(self.material, previous=before, comments=())
        self.material = holding(material, gate, made.document, made.markdown)

    async def files(self) -> None:
        made = await self.do(Step.IMPLEMENT)
        texts = {file.path: self.context.stored[file.sha256].decode() for file in made.files}
        self.material = replace(self.material, files=texts)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_goes_through_every_agent_at_the_first_try(context, model, path):
    brief = path.read_text()
    pipeline = Pipeline(context, StepInputs(brief=brief))
    await pipeline.documents()
    left_out = {s for x in pipeline.material.spec.out_of_scope for s in x.sources}
    for step in (Step.ALIGN_SPEC, Step.ALIGN_PLAN, Step.ALIGN_TESTS):
        advice = await pipeline.do(step)
        assert advice.document.recommendation is Recommendation.APPROVE
        assert set(advice.lost) <= left_out
    assert (await pipeline.do(Step.TITLE)).by_model
    await pipeline.files()
    for step in (Step.SECURITY_REVIEW, Step.CODE_REVIEW):
        review = await pipeline.do(step)
        assert (review.verdict, review.dropped_findings) == (Verdict.PASS, 0)
        assert review.document.findings
    assert {entry.outcome for entry in model.requests} == {"answered"}
    implementing = [e for e in model.requests if e.agent == "implementer"]
    assert len(model.requests) == 9 + len(implementing)
    assert len(implementing) < 6


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_a_proposed_brief_leads_to_the_same_things(context, path):
    brief = f"{path.read_text()}\n\nGo ahead."
    talk = StepInputs(conversation=(Message("user", brief, PERSON),))
    reply = await Pipeline(context, talk).do(Step.CONVERSE)
    assert reply.brief_markdown
    read = {p.id: p for p in reading_of(reply.brief_markdown).points}
    assert {p.id for p in reply.brief.must_haves} <= read.keys()
    assert len(read) > len(reply.brief.must_haves)
    proposed = await Pipeline(context, StepInputs(brief=reply.brief_markdown)).do(Step.SPEC)
    plain = await Pipeline(context, StepInputs(brief=path.read_text())).do(Step.SPEC)
    assert proposed.document.entities == plain.document.entities


async def test_a_revised_brief_keeps_its_points_and_gets_the_new_one(context):
    talk = StepInputs(conversation=(Message("user", TOOL_LIBRARY.read_text(), PERSON),))
    first = await Pipeline(context, talk).do(Step.CONVERSE)
    pipeline = Pipeline(context, StepInputs(brief=first.brief_markdown))
    await pipeline.documents()
    wish = "Please also keep a list of repairs. Each repair has a tool, a date and a cost."
    talk = replace(
        talk,
        conversation=(*talk.conversation, Message("user", wish, str(UUID(int=2)))),
        brief=first.brief_markdown,
        feature=Feature(content=Content(status=Status.SPEC_READY)),
        documents={Gate.SPEC: pipeline.material.spec},
    )
    second = await Pipeline(context, talk).do(Step.CONVERSE)
    assert second.brief.must_haves[:-1] == tuple(
        replace(p, sources=q.sources)
        for p, q in zip(first.brief.must_haves, second.brief.must_haves, strict=False)
    )
    assert second.brief.must_haves[-1].text == wish
    previous = {Gate.SPEC: pipeline.material.spec}
    revised = StepInputs(brief=second.brief_markdown, previous=previous)
    spec = (await Pipeline(context, revised).do(Step.SPEC)).document
    assert {r.id for r in pipeline.material.spec.requirements} <= {r.id for r in spec.requirements}
    assert "Repair" in {entity.name for entity in spec.entities}


async def test_a_second_round_writes_again_only_what_must_change(context):
    talk = StepInputs(conversation=(Message("user", TOOL_LIBRARY.read_text(), PERSON),))
    brief = (await Pipeline(context, talk).do(Step.CONVERSE)).brief_markdown
    first = Pipeline(context, StepInputs(brief=brief))
    await first.documents()
    await first.files()
    wish = "Please also keep a list of repairs. Each repair has a tool, a date and a cost."
    said = StepInputs(
        conversation=(*talk.conversation, Message("user", wish, str(UUID(int=2)))),
        brief=brief,
        feature=Feature(content=Content(status=Status.DONE)),
    )
    changed = await Pipeline(context, said).do(Step.CONVERSE)
    assert wish in changed.brief_markdown
    before = first.material
    second = Pipeline(
        context,
        StepInputs(
            brief=changed.brief_markdown,
            previous=before.documents,
            previous_files=before.files,
        ),
    )
    await second.documents()
    context.written.clear()
    await second.files()
    now = second.material.files
    kept = {requirement.id for requirement in before.spec.requirements}
    assert kept <= {requirement.id for requirement in second.material.spec.requirements}
    stays = {path for path in now if now[path] == before.files.get(path)}
    assert {"src/server.ts", "src/entities/tools.ts", "public/app.js"} <= stays
    assert set(context.written).isdisjoint(stays)
    assert {"src/entities/repairs.ts", "src/registry.ts", "db/schema.sql"} <= {*context.written}


async def test_comments_are_complied_with_at_the_first_try_and_nothing_else_changes(context, model):
    pipeline = Pipeline(context, StepInputs(brief=TOOL_LIBRARY.read_text()))
    await pipeline.do_commented(
        Gate.SPEC,
        Comment("Only on weekdays.", "FR-1", CommentKind.WRONG),
        Comment("Print the list of tools.", "", CommentKind.ADD),
        Comment("Remove it, nobody needs that.", "FR-2", CommentKind.WRONG),
        Comment("Say it shorter.", "AC-5", CommentKind.WRONG),
        Comment("Warmer words, please."),
    )
    spec = pipeline.material.spec
    assert "Only on weekdays." in spec.requirements[0].response
    assert "FR-2" in spec.superseded
    assert spec.requirements[-1].response == "Print the list of tools."
    await pipeline.do_commented(
        Gate.PLAN,
        Comment("Begin with it.", "T-2", CommentKind.WRONG),
        Comment("In two languages.", "README.md", CommentKind.ADD),
        Comment("Back it up every night.", "", CommentKind.ADD),
    )
    path = "tests/schema.test.ts"
    await pipeline.do_commented(Gate.TESTS, Comment("Also empty ones.", path), Comment("Fine."))
    await pipeline.files()
    assert (await pipeline.do(Step.CODE_REVIEW)).verdict is Verdict.PASS
    assert {entry.outcome for entry in model.requests} == {"answered"}


class LaterRound(Pipeline):
    """The steps of a round that goes on from a finished application."""

    def __init__(self, first: Pipeline, brief: str) -> None:
        before = first.material
        assert before.spec
        assert before.plan
        assert before.tests
        self._before = before
        planned = {file.path for file in before.plan.files}
        code = {path: text for path, text in before.files.items() if path in planned}
        self._files = tuple(
            FileWritten(path, len(text), hashlib.sha256(text.encode()).hexdigest())
            for path, text in code.items()
        )
        self._was, self._now = texts_of(before.points, reading_of(brief).points)
        self._base = Base(self._was, before.spec, before.plan, before.tests, code)
        super().__init__(
            first.context,
            StepInputs(brief=brief, previous=before.documents, previous_files=before.files),
        )

    async def do(self, step: Step):
        known = changed_since(
            self._base, self.material.spec, self.material.plan, self.material.tests
        )
        self.impact = impact_of(self._base, self._now, known)
        standing = Frozen(self._base, self.impact, self._files)
        self.material = replace(self.material, standing=standing)
        made = await super().do(step)
        self.last = made
        return made


CHANGED = {
    "a field less": ("cake-orders", "the number of guests, ", ""),
    "a renamed field": ("volunteer-rota", "name, phone,", "name, mobile,"),
    "a new thing": (
        "volunteer-rota",
        "statistics.",
        "statistics.\n- **BF-90** For each van: plate, seats",
    ),
}


@pytest.mark.parametrize("change", CHANGED)
async def test_a_later_round_of_the_demo_holds_to_what_stays(context, model, change):
    name, old, new = CHANGED[change]
    brief = next(path for path in EXAMPLES if path.stem == name).read_text()
    # With ids, as the analyst proposes it: an id stays with its point.
    marked = "\n".join(f"- **{p.id}** {p.text}" for p in reading_of(brief).points)
    assert old in marked
    later = marked.replace(old, new)
    first = Pipeline(context, StepInputs(brief=marked))
    await first.documents()
    await first.files()
    model.requests.clear()
    second = LaterRound(first, later)
    await second.documents()
    context.written.clear()
    await second.files()
    before, now = first.material.files, second.material.files
    other = {path for path in now if now[path] != before.get(path)}
    asked = {one.id for one in second.last.also_changed}
    fresh = {path for path in now if path not in before}
    stale = second.impact.ids(ImpactKind.FILES) | second.impact.ids(ImpactKind.TESTS)
    tests = {one.id for one in second.material.tests.also_changed}
    assert other <= stale | asked | tests | fresh
    assert set(context.written) <= other
    assert {entry.outcome for entry in model.requests} == {"answered"}
    needs = {need.id: need for need in first.material.spec.requirements}
    frozen = second.impact.stays[ImpactKind.REQUIREMENTS]
    spec = second.material.spec
    also = {one.id for one in spec.also_changed}
    assert {n.id: n for n in spec.requirements if n.id in frozen and n.id not in also} == {
        ident: needs[ident] for ident in frozen if ident not in also
    }


@pytest.mark.parametrize(
    ("agent", "fault"),
    [
        ("spec", "wrong_ids"),
        ("spec", "prose_instead_of_tool"),
        ("spec", "empty_answer"),
        ("spec", "truncated_tool"),
        ("spec", "malformed_json"),
        ("planner", "missing_file"),
        ("planner", "wrong_ids"),
        ("contract_test", "wrong_ids"),
        ("contract_test", "placeholder"),
        ("implementer", "bad_paths"),
        ("implementer", "missing_file"),
        ("implementer", "placeholder"),
        ("implementer", "truncated_tool"),
        ("implementer", "malformed_json"),
        ("implementer", "prose_instead_of_tool"),
        ("title", "wrong_ids"),
    ],
)
async def test_one_spoilt_answer_is_mended(context, model, agent, fault):
    model.script(agent, [fault])
    pipeline = Pipeline(context, StepInputs(brief=TOOL_LIBRARY.read_text()))
    await pipeline.documents()
    await pipeline.do(Step.TITLE)
    await pipeline.files()
    planned = {file.path for file in pipeline.material.plan.files}
    assert planned <= set(pipeline.material.files)
    assert [e.fault for e in model.requests if e.fault] == [fault]


@pytest.mark.parametrize(
    ("fault", "code"), [("wrong_ids", "check_failed"), ("prose_instead_of_tool", "no_result")]
)
async def test_the_same_fault_twice_ends_the_step(context, model, fault, code):
    model.script("spec", [fault, fault])
    with pytest.raises(StepFailed) as failed:
        await Pipeline(context, StepInputs(brief="Keep a list of my books.")).do(Step.SPEC)
    assert failed.value.code == code


async def test_a_review_told_to_fail_fails_by_its_evidence(context, model):
    pipeline = Pipeline(context, StepInputs(brief=TOOL_LIBRARY.read_text()))
    await pipeline.documents()
    await pipeline.files()
    model.script("code_review", ["review_fail"])
    review = await pipeline.do(Step.CODE_REVIEW)
    assert (review.verdict, review.dropped_findings) == (Verdict.FAIL, 0)


SLOW = ("many", "bullets", "sql-words")
"""Tried by the campaign: each takes ten seconds."""


@pytest.mark.parametrize(
    "brief",
    [
        pytest.param(brief, id=name, marks=(pytest.mark.campaign,) if name in SLOW else ())
        for name, brief in STRANGE.items()
    ],
)
async def test_a_strange_brief_still_becomes_files_that_pass_every_check(context, brief):
    pipeline = Pipeline(context, StepInputs(brief=brief))
    await pipeline.documents()
    await pipeline.do(Step.TITLE)
    await pipeline.files()
    # Files that carry a text for their reviewer pass no review, whoever wrote it.
    spoken_to = brief == STRANGE["injection"]
    secure = (await pipeline.do(Step.SECURITY_REVIEW)).verdict
    assert secure is (Verdict.UNDECIDED if spoken_to else Verdict.PASS)
    assert (await pipeline.do(Step.CODE_REVIEW)).verdict is Verdict.PASS
    talk = StepInputs(conversation=(Message("user", f"{brief}\n\nGo ahead.", PERSON),))
    assert (await Pipeline(context, talk).do(Step.CONVERSE)).brief_markdown


async def test_a_specification_of_another_model_still_becomes_files(context):
    spec = d.Spec(
        title="Repairs",
        summary="Customers ask, the owner answers.",
        requirements=tuple(
            d.Requirement(
                f"FR-{n}", "owner", "says so", "it is so", ("BF-1",),
                (d.Criterion(f"AC-{n}", "a", "b", "c"),),
            )
            for n in (1, 2)
        ),
        entities=(d.Entity("Order", "An order.", (d.Field("order id", "uuid"),)),),
    )  # fmt: skip
    pipeline = Pipeline(
        context, StepInputs(brief="- I mend bicycles.", documents={Gate.SPEC: spec})
    )
    for gate in (Gate.PLAN, Gate.TESTS):
        made = await pipeline.do(Step(gate.value))
        pipeline.material = holding(pipeline.material, gate, made.document)
    assert [u.id for u in pipeline.material.tests.untestable] == ["AC-1", "FR-2"]
    await pipeline.files()
    assert "src/entities/orders.ts" in pipeline.material.files


async def test_a_mistake_that_a_brief_asks_for_fails_its_review_and_is_mended_in_its_file(context):
    brief = (
        "# Tools\n\nKeep a list of tools. Each tool has a name. The demo model makes a mistake.\n"
    )
    pipeline = Pipeline(context, StepInputs(brief=brief))
    await pipeline.documents()
    first = await pipeline.do(Step.IMPLEMENT)
    texts = {file.path: context.stored[file.sha256].decode() for file in first.files}
    pipeline.material = replace(pipeline.material, files=texts)
    review = await pipeline.do(Step.SECURITY_REVIEW)
    assert review.verdict is Verdict.FAIL
    [fault] = review.faults
    assert fault.paths == ("public/app.js",)
    may_change = (*fault.paths, *review.beside)
    pipeline.material = replace(
        pipeline.material,
        files={},
        previous_files=texts,
        reports={Step.SECURITY_REVIEW: review.document},
        may_change=may_change,
        frozen={f.path: f for f in first.files if f.path not in may_change},
    )
    second = await pipeline.do(Step.IMPLEMENT)
    changed = {one.path for one in second.files} - {
        one.path for one in second.files if one in first.files
    }
    assert changed == {"public/app.js"}
    texts = {file.path: context.stored[file.sha256].decode() for file in second.files}
    pipeline.material = replace(pipeline.material, files=texts, previous_files={}, may_change=())
    assert (await pipeline.do(Step.SECURITY_REVIEW)).verdict is Verdict.PASS
