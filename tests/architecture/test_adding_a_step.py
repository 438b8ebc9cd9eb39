"""What a new step and a new event cost whoever adds them: made in a copy of the tree, and checked.

The copy gets the example patches, the pages and shapes that are made from the code are made anew,
and all that holds the tables to being complete runs there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.examples import a_step, an_event, apply, files_of
from tests.architecture.pages import PROJECT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", ".svelte-kit", "generated", "images", "dist", "__pycache__",
    ".*_cache", ".hypothesis",
)  # fmt: skip
MADE_ANEW = (
    ("-m", "interface.cli", "openapi"),
    ("-m", "interface.cli", "docs"),
    ("-m", "tests.golden.write"),
)
CHECKS = (
    "tests/architecture/test_steps.py",
    "tests/architecture/test_lifecycle.py",
    "tests/architecture/test_web_lifecycle.py",
    "tests/architecture/test_generated.py",
    "tests/golden/test_golden_logs.py",
    "tests/integration/test_event_log_registry.py",
    "tests/test_added.py",
)
ADDED = '''"""The step and the event of the examples are alive in this copy."""

import json

import pytest

from application.agents.perform import perform
from application.agents.table import AGENTS, agent_configs_of
from application.agents.tools import schema_of
from application.execution.reuse import recorded_again
from domain import commands as c
from domain import events as e
from domain.documents import Handbook
from domain.errors import NotNow
from domain.lifecycle import actions_at
from domain.pipeline import AGENT_OF, DISPENSABLE
from domain.runs import Attempt
from domain.status import Agent, Status, Step
from infrastructure.demo_model.author import write
from infrastructure.demo_model.prompt import read_request
from infrastructure.nats.announcement import tags_for
from tests.application.agents import attempt_context as s
from tests.given import drafted, given, in_review


def test_the_step_is_due_is_worked_on_and_need_not_be_paid_for_twice():
    story = in_review()
    assert Step.HANDBOOK in story.feature.due
    assert Step.HANDBOOK in DISPENSABLE
    assert "implementation_completed" in tags_for(Agent.HANDBOOK)
    story.work(Step.HANDBOOK)
    written = story.events[-1]
    assert isinstance(written, e.HandbookWritten)
    assert Step.HANDBOOK not in story.feature.due
    assert story.feature.recorded[written.manifest_sha256] == story.feature.version
    again = recorded_again(written, written.attempt, story.feature.version)
    assert again.reused_from == story.feature.version
    story.work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW)
    assert story.feature.status is Status.DONE


async def test_its_agent_hands_over_what_is_recorded():
    handbook = Handbook("Repairs", ("Ask for a repair.",))
    context = s.ScriptedContext(s.answer(s.call("submit_handbook", handbook)))
    step = Step.HANDBOOK
    made = await perform(step, Attempt(step, 1, 1), s.BEFORE_REVIEW, context, agent_configs_of())
    assert made.command.document == handbook
    assert made.command.markdown.startswith("# Repairs")


def test_the_demo_model_answers_for_it():
    (tool,) = AGENTS[AGENT_OF[Step.HANDBOOK]].entry.tools
    body = {
        "model": "demo-model",
        "max_tokens": 1000,
        "system": "# Agent: handbook",
        "messages": [{"role": "user", "content": "Write."}],
        "tools": [{"name": tool.name, "input_schema": schema_of(tool.takes)}],
    }
    (call,) = write(read_request(json.dumps(body).encode())).blocks
    assert json.loads(call.raw).keys() == {"title", "chapters"}


def test_a_draft_is_put_aside_and_nothing_else_is():
    story = drafted().do(c.PutAside())
    assert story.feature.status is Status.PUT_ASIDE
    assert "confirm" not in actions_at(Status.PUT_ASIDE)
    given(in_review()).when(c.PutAside()).refused(NotNow)
'''


def test_a_step_with_a_new_agent_is_written_in_at_most_nine_files() -> None:
    assert len(files_of(a_step.EDITS)) <= a_step.MOST_FILES == 9


def test_an_event_with_a_new_status_is_written_in_at_most_six_files() -> None:
    assert len(files_of(an_event.EDITS)) <= an_event.MOST_FILES == 6


@pytest.mark.slow
@pytest.mark.servers  # It makes the generated pages anew, by the program itself.
def test_with_these_edits_alone_everything_is_complete(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PROJECT, copy, ignore=LEFT_OUT)
    apply(a_step.EDITS, copy)
    apply(an_event.EDITS, copy)
    (copy / "tests" / "test_added.py").write_text(ADDED, encoding="utf-8")
    for arguments in MADE_ANEW:
        run(copy, *arguments)
    said = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS)
    assert " passed" in said


def run(copy: Path, *arguments: str) -> str:
    """What a program of the copy says; it has to succeed."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - our own programs.
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"
    return done.stdout
