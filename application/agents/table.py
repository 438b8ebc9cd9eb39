"""The agents as one table: a row says all there is to know of an agent but what its step is for.

Invariant: every agent has exactly one row. The agents' configuration, the prompts' tools, the
performance of steps and the estimates are read from it; which step is whose is said by
`domain.pipeline.STEPS`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec import convert
from msgspec.structs import asdict, replace

from application.agents import tools as t
from application.agents.agent_config import (
    HAIKU,
    OPUS,
    SONNET,
    AgentConfig,
    AgentConfigs,
    AgentLimits,
)
from application.agents.prices import in_force, operators_table
from application.agents.steps.alignment import advise
from application.agents.steps.build import implement
from application.agents.steps.documents import write_plan, write_spec, write_tests
from application.agents.steps.reviews import review
from application.agents.steps.step_context import StepContext
from application.agents.steps.talk import converse
from application.agents.steps.title import name_feature
from domain import commands as c
from domain.status import Agent


class AgentRow(NamedTuple):
    """An agent: how it is called, what it does, what it typically takes."""

    entry: AgentConfig
    """Model, limits, prompt and tools. An operator may set the limits."""
    perform: Callable[[StepContext], Awaitable[c.AgentAnswer]]
    """Does one attempt of any of its steps."""
    output: tuple[int, int]
    """Few and many: tokens of all its answers to one step. Assumed, wide on purpose, and used only
    until the first run of a step is recorded; so with `requests`."""
    requests: tuple[int, int] = (1, 2)
    """Few and many: how often it asks for one step."""


AGENTS: Final[Mapping[Agent, AgentRow]] = {
    Agent.BA: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            8_000,
            4,
            180,
            "ba.md",
            visible_tokens=4_000,
            effort="medium",
            thinking="omitted",
            tools=(t.ASK_QUESTION, t.PROPOSE_BRIEF),
        ),
        converse,
        (100, 1_000),
    ),
    Agent.SPEC: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            32_000,
            8,
            900,
            "spec.md",
            effort="high",
            thinking="summarized",
            tools=(t.SUBMIT_SPEC,),
        ),
        write_spec,
        (2_000, 8_000),
    ),
    Agent.PLANNER: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            32_000,
            8,
            900,
            "planner.md",
            effort="high",
            thinking="summarized",
            tools=(t.SUBMIT_PLAN,),
        ),
        write_plan,
        (1_500, 6_000),
    ),
    Agent.CONTRACT_TEST: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            32_000,
            8,
            900,
            "contract_test.md",
            effort="high",
            thinking="summarized",
            tools=(t.SUBMIT_TESTS,),
        ),
        write_tests,
        (3_000, 12_000),
    ),
    Agent.IMPLEMENTER: AgentRow(
        AgentConfig(
            "opus",
            OPUS,
            128_000,
            60,
            3_600,
            "implementer.md",
            effort="medium",
            thinking="summarized",
            tools=(t.WRITE_FILES, t.REPORT_BLOCKED, t.TASK_DONE),
        ),
        implement,
        (8_000, 40_000),
        requests=(3, 30),
    ),
    Agent.SECURITY_REVIEW: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            16_000,
            5,
            900,
            "security_review.md",
            effort="high",
            thinking="summarized",
            tools=(t.SUBMIT_REVIEW,),
        ),
        review,
        (800, 4_000),
    ),
    Agent.CODE_REVIEW: AgentRow(
        AgentConfig(
            "sonnet",
            SONNET,
            16_000,
            5,
            900,
            "code_review.md",
            effort="high",
            thinking="summarized",
            tools=(t.SUBMIT_REVIEW,),
        ),
        review,
        (800, 4_000),
    ),
    Agent.ALIGNMENT_REVIEW: AgentRow(
        AgentConfig(
            "haiku",
            HAIKU,
            4_000,
            4,
            180,
            "alignment_review.md",
            visible_tokens=500,
            effort="medium",
            thinking="omitted",
            tools=(t.SUBMIT_RECOMMENDATION,),
        ),
        advise,
        (200, 1_000),
    ),
    Agent.TITLE: AgentRow(
        AgentConfig(
            "haiku",
            HAIKU,
            2_000,
            3,
            60,
            "title.md",
            visible_tokens=50,
            effort="low",
            thinking="omitted",
            tools=(t.SUBMIT_TITLE,),
        ),
        name_feature,
        (20, 200),
    ),
}


def agent_configs_of(
    agents: Mapping[str, Mapping[str, Any]] | None = None,
    prices: Mapping[str, Mapping[str, Any]] | None = None,
    prices_name: str = "",
) -> AgentConfigs:
    """The agents' configuration of the table, with what the operator set.

    Args:
        agents: Agent name to the fields of `AgentLimits` that differ, such as
            `{"spec": {"model": "…"}}`; values may be text, as they come from the environment.
        prices: Model name to `{"input": …, "output": …}`, beside or instead of the list prices;
            see `prices.operators_table`.
        prices_name: Version of the price table, recorded with every run; needed with `prices`.

    Raises:
        ValueError: an unknown agent, an unknown field, a value out of range, unnamed prices.
    """
    entries = {agent: row.entry for agent, row in AGENTS.items()}
    for name, fields in (agents or {}).items():
        entry = entries[Agent(name)]
        known = {field: getattr(entry, field) for field in AgentLimits.__struct_fields__}
        limits = convert({**known, **fields}, AgentLimits, strict=False)
        entries[Agent(name)] = replace(entry, **asdict(limits))
    return AgentConfigs(entries, operators_table(prices, prices_name) if prices else in_force())
