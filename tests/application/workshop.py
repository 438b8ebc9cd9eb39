"""A whole pipeline in memory: the one write path, the queue, and a runner with agents of ours."""

from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from application.agents.agent_config import AgentConfigs
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.agents.table import agent_configs_of
from application.due_steps import due_steps
from application.execution.attempt import AttemptAdapters
from application.execution.load_inputs import InputLoader
from application.execution.model_access import Choice, Providers
from application.execution.runner import Runner
from application.features import Features
from application.ports import (
    Block,
    Claim,
    DueStep,
    Metadata,
    ModelAnswer,
    ModelRequest,
)
from application.running.computing import Here
from domain import commands as c
from domain.feature import Feature
from domain.recorded import Recorded
from domain.runs import Attempt, Tokens
from domain.status import Agent, Gate, Step
from tests.bench.instant import REQUEST, instant
from tests.fakes import Clock, MemoryArtifacts, MemoryLedger, MemoryLog, MemoryReceipts, MemoryTasks

USED = Tokens(10, 5)


class Model:
    """Answers `ok`, or does what it was told to, once each; remembers what reached it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.script: list[Any] = []

    async def ask(self, request: ModelRequest, api_key: str, **more: Any) -> ModelAnswer:
        self.requests.append(more["idempotency_key"])
        if self.script:
            act = self.script.pop(0)
            if isinstance(act, BaseException):
                raise act
            await act()
        return ModelAnswer((Block("text", "ok"),), "end_turn", USED, request.model)

    async def check_key(self, api_key: str) -> bool | None:
        return None


class Silence:
    """Live messages that nobody receives, kept; how often steps came and went is counted."""

    def __init__(self) -> None:
        self.signals_of_work = 0
        self.cancellations = 0
        self.said: list[Mapping[str, Any]] = []

    async def say(self, tenant_id: UUID, feature_id: UUID, body: Mapping[str, Any]) -> None:
        self.said.append(body)

    async def grown(self) -> None:
        return

    async def due(self) -> None:
        self.signals_of_work += 1

    async def cancelled(self) -> None:
        self.cancellations += 1

    @asynccontextmanager
    async def watch(self, tenant_id: UUID, feature_id: UUID | None):
        yield self._nothing()

    @asynccontextmanager
    async def watch_log(self):
        yield self._nothing()

    async def _nothing(self):
        return
        yield


class Keys:
    """The tenant's key, if there is one."""

    def __init__(self, key: str | None = "sk-ant-canary") -> None:
        self.key = key

    async def reveal(self, tenant_id: UUID, claim: Claim) -> str | None:
        return self.key


class NothingFound:
    """An inspection that is always content."""

    async def notes(self, whose: Any, files: Mapping[str, str], plan: Any = None) -> tuple[()]:
        return ()

    async def beside(self, whose: Any, files: Mapping[str, str], paths: Sequence[str]) -> tuple[()]:
        return ()

    async def inspect(
        self, whose: Any, files: Mapping[str, str], packages: Any, plan: Any = None
    ) -> tuple[()]:
        return ()


class Workshop:
    """One tenant, one feature at a time, everything in memory."""

    def __init__(
        self,
        *,
        agents: Any = instant,
        key: str | None = "sk-ant-canary",
        mending_rounds: int = 0,
    ) -> None:
        self.clock = Clock()
        self.tasks = MemoryTasks(self.clock)
        self.receipts = MemoryReceipts(self.clock)
        self.log = MemoryLog(self.clock, self.tasks, self.receipts)
        self.ledger = MemoryLedger(self.tasks, self.log)
        self.model = Model()
        self.artifacts = MemoryArtifacts()
        self.tenant, self.feature, self.person = uuid7(), uuid7(), f"user:{uuid7()}"
        self.live = Silence()
        self.features = self.another_process()
        tools = AttemptAdapters(self.ledger, self.artifacts, NothingFound(), self.live)
        providers = Providers(Choice.ANTHROPIC, Keys(key), self.model, None, agent_configs_of())
        self.runner = Runner(
            self.features,
            self.tasks,
            providers,
            InputLoader(self.features, self.log, self.artifacts, Here()),
            tools,
            agents=agents,
            backoff_seconds=(10.0, 60.0, 300.0),
            mending_rounds=mending_rounds,
        )
        self._read = 0
        self.stopping = False

    def another_process(self) -> Features:
        """A write path with a memory of its own."""
        return Features(self.log, self.receipts, self.live, uuid7)

    async def do(self, command: c.FeatureCommand) -> None:
        await self.features.do(
            self.feature,
            command,
            tenant_id=self.tenant,
            actor=self.person,
            correlation_id=uuid7(),
        )

    async def state(self) -> Feature:
        return await self.features.load(self.tenant, self.feature)

    async def fan_out(self, times: int = 1) -> None:
        """What relay and consumers do: every event since the last time, `times` over."""
        fresh, self._read = self.log.events[self._read :], len(self.log.events)
        steps = [due for each in fresh for due in _due(each)]
        for _ in range(times):
            await self.tasks.enqueue(steps)

    async def claim(self, *agents: Agent) -> list[Claim]:
        await self.fan_out()
        wanted = agents or tuple(Agent)
        return list(await self.tasks.claim("w", wanted, limit=16, lease_seconds=60.0))

    async def run(self, claim: Claim) -> None:
        await self.runner.run(claim, lambda: None, lambda: self.stopping)

    async def settle(self, *, times: int = 1) -> None:
        """Work until nothing is queued."""
        while True:
            await self.fan_out(times)
            claims = await self.tasks.claim("w", tuple(Agent), limit=16, lease_seconds=60.0)
            if not claims:
                return
            for claim in claims:
                await self.run(claim)

    async def drafted(self) -> "Workshop":
        await self.do(c.CreateFeature("Tools"))
        return self

    async def confirmed(self) -> "Workshop":
        await self.drafted()
        await self.do(c.ConfirmBrief("- BF-1 lend tools"))
        return self

    async def approve(self, gate: Gate) -> None:
        shown = (await self.state()).content.deliverable(gate)
        assert shown is not None
        await self.do(c.Approve(gate, shown.content_sha256))

    async def finished(self, *, times: int = 1) -> "Workshop":
        await self.confirmed()
        for gate in Gate:
            await self.settle(times=times)
            await self.approve(gate)
        await self.settle(times=times)
        return self

    def types(self) -> list[str]:
        return [each.type for each in self.log.events]


def _due(each: Recorded) -> tuple[DueStep, ...]:
    origin = Metadata(each.tenant_id, each.actor, each.correlation_id)
    return due_steps(each.feature_id, each.version - 1, [(each.event_id, each.event)], origin)


async def twice(
    step: Step,
    attempt: Attempt,
    material: StepInputs,
    context: AttemptContext,
    agent_configs: AgentConfigs,
) -> StepOutcome:
    """An agent of two turns."""
    await context.ask(ModelRequest("claude-sonnet-5-5", 2, (), ({"role": "user", "content": "1"},)))
    return await instant(step, attempt, material, context, agent_configs)


__all__ = ["REQUEST", "USED", "Metadata", "Workshop", "twice"]
