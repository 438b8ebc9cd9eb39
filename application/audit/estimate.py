"""What work will roughly cost: from what like work has cost, and from the length of what goes in.

Invariant: never less than nothing, and never less for a longer input. Where nothing is recorded it
says so: then it rests on list prices and on the lengths that answers typically have. Where the
price of a model is not known there is no estimate, rather than a wrong one.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.prices import ModelPrice, rounded, unpriced
from application.agents.table import AGENTS
from application.execution.model_access import DEMO_MODEL
from domain.pipeline import STEPS, PipelineStep
from domain.runs import Tokens
from domain.status import Agent, Input, Step

NEWEST: Final = 10
"""Recorded runs of a step and model that an estimate rests on at most."""
CHARACTERS_PER_TOKEN: Final = 4
"""Of English and of code, roughly. Used only where no run is recorded."""


class Basis(StrEnum):
    """What an estimate rests on."""

    NOTHING = "nothing"
    """No agent works before a person decides again: it costs nothing."""
    DEMO = "demo"
    """The demo model answers, which costs nothing."""
    RUNS = "runs"
    """Runs of the same agents and models, recorded for this tenant."""
    PRICES = "prices"
    """List prices, the length of what goes in, and the typical length of answers."""
    RUNS_AND_PRICES = "runs_and_prices"
    """Recorded runs for some agents, list prices for the others."""
    UNPRICED = "unpriced"
    """Nothing: the price of a model that would work is not known, so that there is no estimate."""


class Ahead(Struct, frozen=True):
    """A step that will be carried out."""

    step: Step
    agent: Agent
    model: str
    fixed: int
    """Characters of every request, whatever it is about."""
    length: int
    """Characters of the approved documents that go in."""


class PastStep(Struct, frozen=True):
    """A step that was carried out."""

    step: Step
    model: str
    cost_usd: Decimal
    """At today's prices, with the attempts before it that brought no result."""
    length: int | None
    """Characters of the approved documents that went in; None if they are gone."""


class StepEstimate(Struct, frozen=True):
    """What one step will roughly cost."""

    step: Step
    agent: Agent
    model: str
    low_usd: Decimal | None
    """None, and `high_usd` too, if no price of the model is known."""
    high_usd: Decimal | None
    runs: int
    """Recorded runs that this rests on; with 0 on list prices."""


class Estimate(Struct, frozen=True):
    """What the work until a person decides again, or until the end, will roughly cost."""

    basis: Basis
    low_usd: Decimal | None
    """None, and `high_usd` too, if the price of one of the models is not known."""
    high_usd: Decimal | None
    runs: int
    """Recorded runs that it rests on."""
    steps: tuple[StepEstimate, ...]
    """In the order in which they begin. Sums to the whole."""
    unpriced: tuple[str, ...] = ()
    """Models that would work and whose price is not known."""


class Typical(NamedTuple):
    """Few and many: how much a step writes, how often it asks, what it reads of work ahead."""

    output: tuple[int, int]
    """Tokens of all its answers together."""
    requests: tuple[int, int] = (1, 2)
    unwritten: tuple[int, int] = (0, 0)
    """Tokens of what it reads that other steps write first."""


def _typical(row: PipelineStep) -> Typical:
    agent = AGENTS[row.agent]
    # Texts that exist now are measured; the step just before it has not written its own yet.
    fresh = [
        AGENTS[STEPS[before].agent].output
        for before in STEPS
        if STEPS[before].result in row.due_after and not _FRESH.isdisjoint(row.reads)
    ]
    few, many = zip((0, 0), *fresh, strict=True)
    return Typical(agent.output, agent.requests, (sum(few), sum(many)))


_FRESH: Final = frozenset({Input.DELIVERABLE, Input.FILES})
"""Inputs that the step before has written."""
TYPICAL: Final[Mapping[Step, Typical]] = {step: _typical(row) for (step, _), row in STEPS.items()}


def estimate(
    ahead: Iterable[Ahead], past: Sequence[PastStep], agent_configs: AgentConfigs
) -> Estimate:
    """What the steps ahead will cost.

    Args:
        ahead: Steps in the order in which they begin.
        past: Recorded runs, the newest first.
        agent_configs: Who works, at which prices.
    """
    steps = tuple(_of_step(one, past, agent_configs) for one in ahead)
    missing = unpriced([one.model for one in steps], agent_configs.prices)
    return Estimate(
        basis=Basis.UNPRICED if missing else _basis(steps),
        low_usd=None if missing else _sum(one.low_usd for one in steps),
        high_usd=None if missing else _sum(one.high_usd for one in steps),
        runs=sum(one.runs for one in steps),
        steps=steps,
        unpriced=missing,
    )


def scaled(found: Estimate, shares: Mapping[Step, Decimal]) -> Estimate:
    """An estimate of work of which only a part is written anew; `high_usd` stays, for all is read.

    Args:
        found: The estimate of the whole work.
        shares: The part of each step's work that is stale, from 0 to 1; others count whole.
    """
    steps = tuple(
        replace(one, low_usd=rounded(one.low_usd * shares.get(one.step, Decimal(1))))
        if one.low_usd is not None
        else one
        for one in found.steps
    )
    if found.low_usd is None:
        return replace(found, steps=steps)
    return replace(found, steps=steps, low_usd=_sum(one.low_usd for one in steps))


def _sum(parts: Iterable[Decimal | None]) -> Decimal:
    return sum((part for part in parts if part is not None), Decimal(0))


def _of_step(one: Ahead, past: Sequence[PastStep], agent_configs: AgentConfigs) -> StepEstimate:
    if one.model == DEMO_MODEL:
        low = high = Decimal(0)
        return StepEstimate(one.step, one.agent, one.model, low, high, 0)
    price = agent_configs.prices.of(one.model)
    if price is None:
        return StepEstimate(one.step, one.agent, one.model, None, None, 0)
    like = [run for run in past if (run.step, run.model) == (one.step, one.model)][:NEWEST]
    if not like:
        low, high = _by_prices(one, price)
        return StepEstimate(one.step, one.agent, one.model, low, high, 0)
    costs = [run.cost_usd * _growth(one, run) for run in like]
    # One run tells little about the next one; ten tell how far they lie apart.
    doubt = Decimal(1) / (2 * len(like))
    low, high = rounded(min(costs) * (1 - doubt)), rounded(max(costs) * (1 + doubt))
    return StepEstimate(one.step, one.agent, one.model, low, high, len(like))


def _growth(one: Ahead, run: PastStep) -> Decimal:
    """How much more goes in than went into a run; what every request carries counts in both."""
    if run.length is None:
        return Decimal(1)
    return Decimal(one.fixed + one.length + 1) / Decimal(one.fixed + run.length + 1)


def _by_prices(one: Ahead, price: ModelPrice) -> tuple[Decimal, Decimal]:
    written = -(-(one.fixed + one.length) // CHARACTERS_PER_TOKEN)
    typical = TYPICAL[one.step]

    def cost(output: int, requests: int, unwritten: int) -> Decimal:
        # Each request after the first reads again what stands, from the provider's cache.
        longest = written + unwritten + (output // 2 if requests > 1 else 0)
        again = (requests - 1) * longest
        rates = price.rates(longest)
        return rounded(rates.cost(Tokens(written + unwritten, output, cache_read=again)))

    few, many = zip(typical.output, typical.requests, typical.unwritten, strict=True)
    return cost(*few), cost(*many)


def _basis(steps: Sequence[StepEstimate]) -> Basis:
    if not steps:
        return Basis.NOTHING
    paid = [one for one in steps if one.model != DEMO_MODEL]
    if not paid:
        return Basis.DEMO
    if all(one.runs for one in paid):
        return Basis.RUNS
    return Basis.RUNS_AND_PRICES if any(one.runs for one in paid) else Basis.PRICES
