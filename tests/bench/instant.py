"""Agents that answer at once, with documents of the size that real ones write.

What is measured with them is everything but the model: log, leases, ledger, sealing, fan-out, read
models. They bypass the harness, not the runner.
"""

import asyncio
import random

from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.input_fingerprint import fingerprint_of
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.ports import ModelRequest
from domain import commands as c
from domain import documents as d
from domain.events import FileWritten
from domain.pipeline import AGENT_OF, GATE_OF
from domain.runs import Attempt, Run
from domain.status import Recommendation, Step, Verdict
from tests.given import PLAN, REPORT, SPEC, TESTS

WORDS = random.Random(20)  # noqa: S311  # The same text every time.
SYLLABLES = [
    "ta",
    "ko",
    "mi",
    "ren",
    "sol",
    "var",
    "que",
    "dat",
    "est",
    "ion",
    "pro",
    "com",
    "lin",
    "ser",
    "tra",
    "per",
    "acc",
    "sta",
    "fi",
    "ou",
]


def text(size: int) -> str:
    """Text that compresses about two to one, like prose or code."""
    words = ["".join(WORDS.choices(SYLLABLES, k=WORDS.randint(1, 4))) for _ in range(600)]
    out = ""
    while len(out) < size:
        out += " ".join(WORDS.choices(words, k=9)) + "\n"
    return out[:size]


BRIEF = text(1024)
DOCUMENT = {step: text(4096) for step in (Step.SPEC, Step.PLAN, Step.TESTS)}
REVIEW = text(1024)
FILES = [(f"src/module_{n:02d}.ts", text(2048).encode()) for n in range(20)]
RUN = Run()
REQUEST = ModelRequest(model="demo-model", max_tokens=1, system=(), messages=())


def request_of(step: Step, agent_configs: AgentConfigs) -> ModelRequest:
    """The one request of a step, to the model that its agent works with."""
    return replace(REQUEST, model=agent_configs[AGENT_OF[step]].model)


async def instant(
    step: Step,
    attempt: Attempt,
    material: StepInputs,
    context: AttemptContext,
    agent_configs: AgentConfigs,
) -> StepOutcome:
    """One ledger entry, then the answer."""
    await context.ask(request_of(step, agent_configs))
    sha = fingerprint_of(step, material, agent_configs).sha256
    match step:
        case Step.SPEC:
            return StepOutcome(c.RecordDocument(attempt, RUN, SPEC, DOCUMENT[step], sha))
        case Step.PLAN:
            return StepOutcome(c.RecordDocument(attempt, RUN, PLAN, DOCUMENT[step], sha))
        case Step.TESTS:
            return StepOutcome(c.RecordDocument(attempt, RUN, TESTS, DOCUMENT[step], sha))
        case Step.TITLE:
            return StepOutcome(c.RecordTitle(attempt, RUN, "Tool library"))
        case Step.IMPLEMENT:
            hashes = await asyncio.gather(*(context.store(body) for _, body in FILES))
            files = tuple(
                FileWritten(path, len(body), sha256)
                for (path, body), sha256 in zip(FILES, hashes, strict=True)
            )
            return StepOutcome(c.RecordImplementation(attempt, RUN, files, sha))
        case Step.SECURITY_REVIEW | Step.CODE_REVIEW:
            return StepOutcome(c.RecordReview(attempt, RUN, REPORT, REVIEW, sha, Verdict.PASS))
        case Step.ALIGN_SPEC | Step.ALIGN_PLAN | Step.ALIGN_TESTS:
            gate = GATE_OF[step]
            shown = material.feature.content.deliverable(gate)
            assert shown is not None
            advice = d.Alignment(Recommendation.APPROVE, (), "It is all there.")
            return StepOutcome(
                c.RecordRecommendation(attempt, RUN, gate, shown.content_sha256, advice, sha)
            )
        case Step.CONVERSE:
            raise AssertionError("nobody speaks in this benchmark")
