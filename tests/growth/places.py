"""Every place that reads people's words, or a model's: each as a function of one text.

Invariant: a place reads all of its text, in the way that the service has it read.
"""

import io
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from application.agents.checklist import ReviewScope, ids_in, last_line, to_answer
from application.agents.checks.brief import brief_findings, with_real_sources, with_steady_ids
from application.agents.checks.characters import hidden
from application.agents.checks.code import file_findings
from application.agents.checks.facts import facts_of, holds, said_in
from application.agents.checks.fidelity import fidelity_notes
from application.agents.checks.lexing import comments, regions
from application.agents.checks.negation import excludes, says_no
from application.agents.checks.placeholders import placeholders
from application.agents.checks.plan import plan_findings
from application.agents.checks.residue import residue
from application.agents.checks.spec import spec_findings, with_history
from application.agents.checks.stack import stack_findings
from application.agents.checks.tests import tests_findings
from application.agents.exchange import said
from application.agents.failures import check_failed
from application.agents.first_points import first_points_of
from application.agents.heard import Heard, heard
from application.agents.input_fingerprint import fingerprint_of
from application.agents.inputs import inputs_of
from application.agents.inspection import StaticFinding
from application.agents.language import asked_in, in_language
from application.agents.markdown import code, fenced, inline
from application.agents.named_files import functions_in
from application.agents.paths import oversizes, printable, refusals
from application.agents.prompting import first_message, input_block, listed, to_json
from application.agents.render import (
    brief_markdown,
    plan_markdown,
    spec_markdown,
    tests_markdown,
)
from application.agents.step_inputs import Message, StepInputs
from application.agents.steps.alignment import lost_and_added
from application.agents.steps.file_buffer import FileBuffer
from application.agents.steps.reviews import ReviewedPart, judged, looked_at
from application.agents.submission import decoded
from application.agents.table import agent_configs_of
from application.agents.title import fallback_title, title_findings
from application.agents.told import tells_the_reviewer
from application.agents.tools import WRITE_FILES
from application.agents.weakness import weakness_named
from application.delivery.agent_trace import agent_trace
from application.delivery.attribution import attribution_of
from application.delivery.attributions import ground_of
from application.delivery.checker import MAKES
from application.delivery.diff import ComparedText, changes, differing, lines_of
from application.delivery.dossier import Finished, dossier
from application.delivery.guide import quoted
from application.delivery.history import RecordedLife
from application.delivery.manifest import bill_of_materials
from application.delivery.names import file_name
from application.delivery.structure import Piece, PieceKind, Structure
from application.delivery.trace import trace_markdown, trace_of
from application.delivery.why import (
    points_of_message,
    points_of_sentence,
    reason_for,
    standing_on,
)
from application.delivery.writings import Writing, writings_of
from application.execution.drafting import Draft
from application.ports import Block, ModelAnswer
from application.transparency.export import StoredEvent, cloud_event, read_line
from application.transparency.verifier import verify
from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.content import sha256_of
from domain.decider import decide
from domain.feature import Feature, fold
from domain.reading import reading_of
from domain.recorded import Recorded
from domain.runs import Tokens
from domain.status import Agent, Gate, Step
from infrastructure.audit.search import condition_of, values_of
from infrastructure.delivery.git_bundle import bundle_of
from infrastructure.demo_model.answering import Answered, agent_of, answered, counted
from infrastructure.demo_model.author import write
from infrastructure.demo_model.prompt import read_request
from infrastructure.demo_model.wire import events as wire_events
from infrastructure.demo_model.wire import message
from infrastructure.inspection.imports import package_name
from infrastructure.inspection.manifests import declared, manifest_findings
from infrastructure.inspection.relaxed import relaxed
from infrastructure.inspection.secrets import secret_findings
from infrastructure.inspection.sql_tokens import statements, without_data
from infrastructure.observability import logs
from infrastructure.observability.redaction import Redactor
from interface.http.audit.audit_filter import words_of
from interface.http.problems.table import HttpProblem
from interface.http.requests.body import decode
from interface.http.requests.cursors import Cursors
from interface.http.streaming.conversation import Said
from tests import given
from tests.delivered import SOURCES, Shop
from tests.demo_model.asking import reading, request
from tests.stored import stored_as_it_would_be

Place = Callable[[str], object]

AT: Final = datetime(2026, 11, 1, tzinfo=UTC)
NOBODY: Final = UUID(int=1)
AGENT_CONFIGS: Final = agent_configs_of({}, {}, "")
PAPERS: Final = {"brief_confirmed", *MAKES}
LONGEST_LINE: Final = 2_000
CURSORS: Final = Cursors([bytes(32)])


def pieces(text: str) -> tuple[str, ...]:
    """A text as a document holds it: lines of at most 2,000 characters."""
    size = LONGEST_LINE
    return tuple(text[at : at + size] for at in range(0, len(text), size)) or ("-",)


def brief(text: str) -> d.Brief:
    """The text in all the parts of a brief, each piece once."""
    lines = pieces(text)
    points = tuple(d.Point(f"BF-{n}", line) for n, line in enumerate(lines[::3][:60], start=1))
    return d.Brief(lines[0][:200], "Goal", lines[1::3], points, data=lines[2::3])


def spec(text: str) -> d.Spec:
    """The text in the lists of a specification."""
    lines = pieces(text)
    criteria = tuple(d.Criterion(f"AC-{n}", "a", x, "b") for n, x in enumerate(lines[::4], start=1))
    kinds = d.Field("state", f"one of: {lines[0][:1_900]}")
    fields = (d.Field("name", "short text"), kinds, *(d.Field(x[:40], x) for x in lines[1::4]))
    return d.Spec(
        title=lines[0][:200],
        summary="A summary.",
        requirements=(
            d.Requirement("FR-1", "A person", "Something", "Else", ("BF-1",), criteria),
            d.Requirement("FR-2", "A person", "A person adds a tool", "b", ("BF-9",), criteria[:1]),
        ),
        entities=(d.Entity("Tool", "One of them.", fields),),
        bounds=lines[2::4],
        out_of_scope=tuple(d.Exclusion(x, ("BF-2",)) for x in lines[3::4]),
    )


def plan(text: str) -> d.Plan:
    """The text in the lists of a plan."""
    lines = pieces(text)
    files = tuple(d.PlannedFile(f"src/{n}.ts", x, "T-1") for n, x in enumerate(lines[::3]))
    return d.Plan(
        "A summary.",
        files[:400],
        (d.Task("T-1", lines[0][:200], ("FR-1",), tuple(f.path for f in files[:400])),),
        tuple(d.Decision(x, "because") for x in lines[1::3]),
        packages=lines[2::3],
    )


def tests(text: str) -> d.Tests:
    """The text as the content of a test."""
    return d.Tests(
        "A summary.",
        (d.TestFile("tests/a.test.ts", text or "-", ("FR-1", "AC-1")),),
        (d.Untestable("FR-2", pieces(text)[0]),),
    )


def report(text: str) -> d.Report:
    """The text in findings and controls."""
    lines = pieces(text)
    high = (d.Severity.HIGH, d.Confidence.HIGH)
    findings = tuple(
        d.Finding(x[:50], *high, "src/0.ts", n, x, "Why.", "Mend it.")
        for n, x in enumerate(lines[::2][:200], start=1)
    )
    controls = tuple(d.Control("V1", "a", d.ControlState.NOT_MET, x) for x in lines[1::2])
    return d.Report("A summary.", findings, controls)


def near(text: str) -> d.Report:
    """Findings that quote the text nearly, each in a way of its own."""
    given = report(text).findings
    ways: tuple[Callable[[str], str], ...] = (
        lambda x: x[:-1] + "\u2603",
        lambda x: "\u2603" + x[1:],
        lambda x: "...".join(x[at : at + 40] for at in range(0, len(x), 40)),
        lambda x: "\n".join(f"{n}: {x[n * 30 : n * 30 + 29]}" for n in range(len(x) // 30 + 1)),
        lambda x: x[::-1],
    )
    findings = (
        replace(finding, quote=ways[n % len(ways)](finding.quote)[:LONGEST_LINE] or "-")
        for n, finding in enumerate(given)
    )
    return d.Report("A summary.", tuple(findings))


def _material(text: str) -> StepInputs:
    return StepInputs(
        brief=text,
        conversation=(Message("user", text, str(NOBODY)),),
        documents={Gate.SPEC: spec(text), Gate.PLAN: plan(text), Gate.TESTS: tests(text)},
        files={"src/0.ts": text},
        previous={Gate.SPEC: spec(text[::-1])},
        reports={Step.SECURITY_REVIEW: report(text)},
    )


def _asked(agent: str, text: str) -> Mapping[str, Any]:
    """What the demo model is told by the harness, for each agent."""
    said = [{"id": "1", "role": "user", "text": text}]
    files = [{"path": "src/a.ts", "content": text}]
    match agent:
        case "ba":
            return {"conversation": [*said, {"id": "2", "role": "user", "text": "go ahead"}]}
        case "spec" | "title":
            return {"brief": text}
        case "alignment_review":
            return {"gate": "spec", "brief": text, "deliverable": text}
        case "planner":
            return {"spec": spec(text)}
        case "contract_test":
            return {"spec": spec(text), "plan": plan(text)}
        case "implementer":
            return {"spec": spec(text), "plan": plan(text), "tests": tests(text)}
        case _:
            return {"spec": spec(text), "plan": plan(text), "files": files}


def _author(agent: str) -> Place:
    def place(text: str) -> object:
        body = json.dumps(request(agent, **_asked(agent, text))).encode()
        assert agent_of(body) == agent
        answer = answered(body, "ok")
        assert isinstance(answer, Answered)
        streamed = sum(len(event) for event in wire_events(answer, "0" * 64))
        return streamed, message(answer, "0" * 64), counted(body)

    return place


def _at_a_gate(text: str) -> object:
    """The demo model is asked about a document that stands."""
    asked = [{"id": "1", "role": "user", "text": text}]
    given = {"status": "spec_ready", "brief": text, "deliverable": text, "conversation": asked}
    return write(reading("ba", **given)), write(
        reading(
            "ba",
            **{**given, "conversation": [{"id": "1", "role": "user", "text": f"change {text}"}]},
        )
    )


def _request(text: str) -> object:
    """A request to the demo model whose text stands there unescaped."""
    messages = [{"role": "user", "content": text}] * 2
    return read_request(json.dumps({"model": "m", "messages": messages, "system": text}).encode())


def _call(value: object) -> Block:
    raw = msgspec.Raw(json.dumps(value, ensure_ascii=False).encode())
    return Block("tool_use", id="1", name=WRITE_FILES.name, input=raw)


def _submitted(text: str) -> object:
    order = {"files": [{"path": "src/0.ts", "content": text}]}
    return [decoded(_call(x), d.Spec) for x in (order, text, msgspec.to_builtins(spec(text)))]


def _written(text: str) -> object:
    bench = FileBuffer(plan("a"), tests("assert FR-1"), {"src/0.ts": text}, lambda *_: None)
    return bench.take([_call({"files": [{"path": "src/0.ts", "content": text}]})])


def _drafted(text: str) -> object:
    draft = Draft()
    raw = json.dumps({"a": text, text[:100]: [text[:1000]]})
    return [draft.read(raw[at : at + 50]) for at in range(0, len(raw), 50)]


def _compared(text: str) -> object:
    """A text with itself in other orders: what a diff takes longest over."""
    half = len(text) // 2
    lines = text.splitlines(keepends=True)
    Random(1).shuffle(lines)  # noqa: S311 - the same order every time.
    turned = (
        "".join(lines),
        text[half:] + text[:half],
        "".join(reversed(lines)),
        text.replace("a", "\n"),
        text[::-1],
    )
    return [
        changes(
            {"a.md": ComparedText("0", text.encode("utf-8", "replace"))},
            {"a.md": ComparedText("1", other.encode("utf-8", "replace"))},
        )
        for other in turned
    ]


def _reviewed(text: str) -> object:
    files = {"src/0.ts": text}
    static = tuple(StaticFinding("src/0.ts", 1, "syntax", x) for x in pieces(text))
    asked = ReviewScope("code_review", {"V1": "a"}, paths=("src/0.ts",))
    told = json.dumps({"findings": pieces(text), "summary": text, text[:40]: text})
    said = heard(Heard(report(text)), [told.encode()], text)
    alike = heard(Heard(near(text)), [], text)
    return [
        *(judged((ReviewedPart(asked, one),), files, static, "Review") for one in (said, alike)),
        looked_at(said, asked, files),
        to_answer("code_review", report(text)),
        (ids_in(text), last_line(text), functions_in(text)),
    ]


def _inspected(text: str) -> object:
    planned = pieces(text)
    package = json.dumps({"scripts": {"install": text}, "dependencies": {text: "1"}})
    return [
        *secret_findings("a.ts", text),
        *(len(part) for part in statements(without_data(text))),
        declared(text),
        relaxed(text),
        *manifest_findings("package.json", package, planned),
        package_name(text),
    ]


def _traced(text: str) -> object:
    files = [e.FileWritten(f"src/{n}.ts", 1, "0" * 64, Agent.IMPLEMENTER) for n in range(20)]
    trace = trace_of(text, spec(text), plan(text), tests(text), files)
    return trace_markdown(trace)


def _billed(text: str) -> object:
    package = json.dumps(
        {"dependencies": {text: text, **dict.fromkeys(text.split(), "1")}}
    ).encode()
    return bill_of_materials(NOBODY, text, AT, {"package.json": package}, pieces(text))


def _life(text: str) -> list[Recorded]:
    """A finished feature whose documents and talk are the text."""
    documents = {
        e.SpecGenerated: spec,
        e.PlanGenerated: plan,
        e.TestsGenerated: tests,
        e.SecurityReviewed: report,
        e.CodeReviewed: report,
    }
    events: list[e.FeatureEvent] = []
    for event in given.done().events:
        match event:
            case e.MessagePosted():
                events.append(replace(event, text=text))
            case e.BriefConfirmed():
                events.append(replace(event, brief=text))
            case _ if type(event) in documents:
                made = documents[type(event)](text)
                events.append(replace(event, document=made, markdown=text))
            case _:
                events.append(event)
    return Shop(events).log.events


def _delivered(text: str) -> object:
    told = _life(text)
    parts = {MAKES.get(one.type, "brief"): one for one in told if one.type in PAPERS}
    log = b"".join(
        msgspec.json.encode(cloud_event(one)) + b"\n" for one in stored_as_it_would_be(told)
    )
    bodies = dict.fromkeys((sha256(body).hexdigest() for body in SOURCES.values()), text.encode())
    return dossier(Finished(NOBODY, told[-1].version, parts), log, writings_of(tuple(told)), bodies)


def _explained(text: str) -> object:
    """Why the lines of a file are there that was the text, and then was written anew."""
    told = tuple(_life(text))
    places = {one.type: one.version for one in told}
    kinds = ("brief_confirmed", "spec_generated", "plan_generated", "tests_generated")
    code = places["implementation_completed"]
    ground = ground_of(told, (*(places[kind] for kind in kinds), code))
    files = {"a": f"{text}\nmore", "b": text}
    for number, name in enumerate(files, 1):
        ground.writings.by_version[number] = Writing(
            number, NOBODY, AT, "agent:implementer", 1, files={"src/server.ts": name},
            bases=(number - 1,) * (number > 1),
        )  # fmt: skip
    bodies = {name: body.encode() for name, body in files.items()}
    pieces = (
        Piece(PieceKind.EXPORT, text, "src/server.ts", 1, 9),
        Piece(PieceKind.TEST, text, "tests/lend.test.ts", 1, 9),
    )
    whole = attribution_of(
        ground.trace, ground.points, Structure(pieces), ground.writings, 2, bodies, ground.plans
    )
    return (
        reason_for(whole, "src/server.ts", 1),
        standing_on(whole, points_of_sentence(whole, text)),
        points_of_message(whole, text),
        agent_trace(NOBODY, AT, ground.writings, 2, bodies, {"src/server.ts": "b"}),
    )


def _bundled(text: str) -> object:
    bodies = {sha256(body).hexdigest(): body for body in SOURCES.values()}
    return bundle_of(RecordedLife(tuple(_life(text)), bodies, "Growing"))


def _exported(text: str) -> object:
    clear = msgspec.json.encode({"text": text})
    stored = StoredEvent(
        1, NOBODY, NOBODY, 1, NOBODY, "message_posted", 1, clear, clear, None, None, NOBODY, None,
        text, AT, b"", b"\0" * 32,
    )  # fmt: skip
    line = msgspec.json.encode(cloud_event(stored))
    return read_line(line), verify([line])


def _redacted(text: str) -> object:
    redactor = Redactor(["a-known-secret"])
    return redactor.text(text), redactor.shapes(text), redactor.value({text: [text, {"a": text}]})


def _logged(text: str) -> object:
    stream = io.StringIO()
    logger = logging.getLogger("growth")
    kept = logging.getLogger().handlers[:], logging.getLogger().level
    for json_lines in (True, False):
        logs.configure(json_lines=json_lines, stream=stream)
        structlog.get_logger("growth").warning("said", text=text)
        logger.warning("%s", text)
    logging.getLogger().handlers[:], level = kept
    logging.getLogger().setLevel(level)
    return stream.getvalue()


def _body(text: str) -> object:
    bodies = (
        {"text": text[:20_000]},
        {"brief": text[:40_000]},
        {"text": "a", text: 1},
        {text: text},
        {"text": [text]},
        text,
    )
    for value in bodies:
        for kind in (Said, c.ConfirmBrief):
            with suppress(HttpProblem):
                decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), kind)
    with suppress(HttpProblem):
        decode(text.encode("utf-8", "replace"), Said)
    return None


def _query(text: str) -> object:
    with suppress(HttpProblem):
        CURSORS.of(NOBODY, "events").after(text)
    for words, meanings in ((text[:200], []), ("a", [text]), ("a", [f"a={text}"])):
        with suppress(HttpProblem):
            for number, word in enumerate(words_of(words, meanings)):
                condition_of(number, word)
                values_of(number, word)
    return None


def _decided(text: str) -> object:
    feature = fold(decide(c.CreateFeature("A title"), Feature()))
    said = fold(decide(c.PostMessage(NOBODY, text), feature), feature)
    return decide(c.ConfirmBrief(f"A list.\n{text}"), said), sha256_of(text)


def _paths(text: str) -> object:
    paths = [text, *text.split()[:200]]
    sizes = oversizes({text: text})
    return refusals(paths), sizes, [printable(x) for x in paths]


def _answered(text: str) -> object:
    blocks = tuple(Block("text", text=x) for x in (text, *pieces(text)))
    return said(ModelAnswer(blocks, "end_turn", Tokens(), "m"))


def _checked(text: str) -> object:
    points = reading_of(text).points
    old, new, planned = spec(text[::-1]), spec(text), plan(text)
    return (
        spec_findings(new, points, old),
        with_history(new, old),
        fidelity_notes(new, reading_of(text).points, old, reading_of(text[::-1]).points),
        [holds(fact, said_in(text)) for fact in facts_of(text)[:1]],
        plan_findings(planned, new),
        tests_findings(tests(text), new, planned),
        brief_findings(brief(text)),
        with_steady_ids(brief(text), reading_of(text).points),
        brief_markdown(brief(text), reading_of(text).points),
        with_real_sources(brief(text), {text}),
        file_findings("src/0.ts", text, planned, tests(text)),
        *(list(placeholders(name, text)) for name in ("a.ts", "a.sql", "a.html", "a.py", "a.md")),
        *(list(comments(name, text)) for name in ("a.ts", "a.css")),
        *(list(check("a.ts", text)) for check in (hidden, residue, regions)),
        check_failed(text, [text]),
    )


def _shown(text: str) -> object:
    return (
        brief_markdown(brief(text)),
        spec_markdown(spec(text)),
        plan_markdown(plan(text)),
        tests_markdown(tests(text)),
        inline(text),
        code(text),
        fenced(text, text),
    )


def _prompted(text: str) -> object:
    material = _material(text)
    requests = []
    for step in (Step.CONVERSE, Step.SPEC, Step.PLAN, Step.IMPLEMENT, Step.CODE_REVIEW):
        inputs = inputs_of(step, material)
        requests.append(first_message(inputs, "0", "Task"))
        fingerprint_of(step, material, AGENT_CONFIGS)
    return (
        requests,
        input_block("a", to_json(text), "0"),
        input_block("a", text, "0"),
        listed([text]),
    )


def _set_up(text: str) -> object:
    names = ("package.json", "tsconfig.json", "README.md", ".env.example", "src/a.ts")
    return stack_findings(dict.fromkeys(names, text))


PLACES: Final[Mapping[str, Place]] = {
    "points of an earlier brief": first_points_of,
    "title": lambda text: (fallback_title(text, reading_of(text).points), title_findings(text)),
    "checks": _checked,
    "pages for people": _shown,
    "prompts": _prompted,
    "a tool call": _submitted,
    "files as they are written": _written,
    "a draft as it is written": _drafted,
    "an answer's prose": _answered,
    "advice at a gate": lambda text: lost_and_added(Gate.SPEC, _material(text)),
    "a review's evidence": _reviewed,
    "diff": _compared,
    "lines and hashes": lambda text: (lines_of(text), differing({text: "1"}, {text: "2"})),
    "static checks": _inspected,
    "trace of a delivery": _traced,
    "bill of materials": _billed,
    "papers of a delivery": _delivered,
    "why lines are there": _explained,
    "names and first page of a delivery": lambda text: (file_name(text), quoted(text)),
    "git history": _bundled,
    "export": _exported,
    "redaction": _redacted,
    "log lines": _logged,
    "body of a request": _body,
    "query of a request": _query,
    "paths": _paths,
    "how a project is set up": _set_up,
    "the language of a text": lambda text: (asked_in(text), in_language(text, "de")),
    "controls of a review": ids_in,
    "a decision": _decided,
    **{f"demo model as {agent}": _author(agent) for agent in (
        "ba", "spec", "title", "alignment_review", "planner", "contract_test", "implementer",
        "security_review", "code_review",
    )},
    "demo model at a gate": _at_a_gate,
    "demo model's request": _request,
    "what a sentence excludes": lambda text: (excludes(text), says_no(text)),
    "a weakness by its name": lambda text: (weakness_named(text, ""), weakness_named("", text)),
    "what a line tells the reviewer": tells_the_reviewer,
}  # fmt: skip
"""The registry. `test_growth.py` holds that nothing public which reads text is missing."""
