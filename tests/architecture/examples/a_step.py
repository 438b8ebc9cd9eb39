"""A step with a new agent: once the code is there, somebody writes a handbook for its users."""

from tests.architecture.examples import Edit

EN = "interface/web/src/lib/i18n/en.ts"

EDITS = (
    Edit(
        "domain/status.py",
        '    ALIGNMENT_REVIEW = "alignment_review"\n',
        '    HANDBOOK = "handbook"\n',
    ),
    Edit("domain/status.py", '    ALIGN_TESTS = "align_tests"\n', '    HANDBOOK = "handbook"\n'),
    Edit(
        "domain/documents.py",
        '''class AgentDocument(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something an agent hands over."""
''',
        '''

class Handbook(AgentDocument, frozen=True):
    """What the users of the finished software read."""

    title: Line
    chapters: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=40)]
''',
    ),
    Edit(
        "domain/events.py",
        '''class VerdictReached(Event, frozen=True, tag="verdict_reached"):
    """Both reviews are in: done if both pass, failed if either does not or came to no verdict."""

    verdict: Verdict
    security_review: Verdict
    code_review: Verdict
''',
        '''

class HandbookWritten(Event, frozen=True, tag="handbook_written"):
    """The handbook for the users of the finished software."""

    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown", "answered"})
    attempt: Attempt
    document: d.Handbook
    markdown: str
    content_sha256: str
    manifest_sha256: str
    run: Run
    reused_from: int | None = None
    answered: tuple[AnsweredComment, ...] = ()
''',
    ),
    Edit("domain/events.py", "    | VerdictReached\n", "    | HandbookWritten\n"),
    Edit(
        "domain/lifecycle.py",
        "    e.CodeReviewed: _row(S.REVIEW, STAYS),\n",
        "    e.HandbookWritten: _row(ALIVE, STAYS),\n",
    ),
    Edit(
        "domain/pipeline.py",
        "STEPS: Final[Mapping[tuple[Step, OutputMode], PipelineStep]] = {\n",
        """\
    (Step.HANDBOOK, FULL_CODE): PipelineStep(
        Agent.HANDBOOK,
        due_after=(e.ImplementationCompleted,),
        answer=c.RecordDocument,
        result=e.HandbookWritten,
        reads=(Input.SPEC, Input.FILES),
    ),
""",
    ),
    Edit(
        "application/agents/table.py",
        "from application.agents.steps.documents import write_plan, write_spec, write_tests\n",
        "from application.agents.steps.handbook import write_handbook\n",
    ),
    Edit(
        "application/agents/table.py",
        "AGENTS: Final[Mapping[Agent, AgentRow]] = {\n",
        """\
    Agent.HANDBOOK: AgentRow(
        AgentConfig("haiku", HAIKU, 8_000, 4, 300, "handbook.md", tools=(SUBMIT_HANDBOOK,)),
        write_handbook,
        (500, 3_000),
    ),
""",
    ),
    Edit(
        "application/agents/table.py",
        "from application.agents.steps.handbook import write_handbook\n",
        "from application.agents.steps.handbook import SUBMIT_HANDBOOK\n",
    ),
    Edit(
        "application/agents/steps/handbook.py",
        "",
        '''"""The handbook of the finished software, for those who use it."""

from typing import Final

from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.tools import Tool
from domain import commands as c
from domain.documents import Handbook
from domain.runs import Run

SUBMIT_HANDBOOK: Final = Tool("submit_handbook", "Hand over the whole handbook, once.", Handbook)
_TASK = "Write the handbook, and hand it over with `submit_handbook`."


async def write_handbook(context: StepContext) -> c.RecordDocument:
    """The handbook of the code as it is."""

    async def check(handbook: Handbook) -> list[str]:
        return [] if all(handbook.chapters) else ["A chapter is empty."]

    handbook = await obtain(context.exchange(_TASK), SUBMIT_HANDBOOK, Handbook, check)
    return c.RecordDocument(
        attempt=context.attempt,
        run=Run(),
        document=handbook,
        markdown="\\n\\n".join((f"# {handbook.title}", *handbook.chapters)),
        manifest_sha256=context.manifest_sha256,
    )
''',
    ),
    Edit(
        "application/agents/prompts/handbook.md",
        "",
        """You write the handbook of a finished application for the people who use it.

## What you answer with

One call of `submit_handbook`.
""",
    ),
    Edit(
        EN,
        "		alignment_review: 'Alignment reviewer',\n",
        "		handbook: 'Handbook writer',\n",
    ),
    Edit(
        EN,
        "		align_tests: 'compares the tests with the specification',\n",
        "		handbook: 'writes the handbook',\n",
    ),
    Edit(
        EN,
        "		align_tests: 'comparing the tests with the specification',\n",
        "		handbook: 'writing the handbook',\n",
    ),
    Edit(
        EN,
        "		code_reviewed: 'finished the code review',\n",
        "		handbook_written: 'wrote the handbook',\n",
    ),
)

MOST_FILES = 9
