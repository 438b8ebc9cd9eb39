"""What a decision would roughly cost, asked before it is taken.

Invariant: nothing is recorded and no model is asked. What the decision would set going is decided
by the decider itself, on the feature as it stands, so that it refuses here what it refuses there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.prices import PriceTable
from application.agents.prompting import prompt_length, to_json
from application.audit.estimate import NEWEST, Ahead, Estimate, PastStep, estimate
from application.audit.past_runs import READS, PastRuns, RecordedRun
from application.execution.model_access import Choice, agent_configs_for
from application.identity.api_keys import KeyDescription
from domain import commands as c
from domain import events as e
from domain.decider import decide
from domain.errors import NotFound
from domain.feature import Feature, fold
from domain.lifecycle import WRITTEN_AT
from domain.pipeline import AGENT_OF, until_a_person
from domain.recorded import Recorded
from domain.status import Gate, Part, Step


class FeatureReader(Protocol):
    """Features and what was written for them (`application.features.Features`)."""

    async def load(self, tenant_id: UUID, feature_id: UUID) -> Feature:
        """The feature as it is now."""

    async def texts(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at these versions."""


class Keys(Protocol):
    """Whether a tenant has a key (`application.identity.api_keys.KeyVault`)."""

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored."""


class Estimates:
    """Estimates of what may be decided next."""

    def __init__(
        self,
        features: FeatureReader,
        experience: PastRuns,
        keys: Keys,
        choice: Choice,
        agent_configs: AgentConfigs,
    ) -> None:
        """Take what is known, and who would work for whom."""
        self._features = features
        self._experience = experience
        self._keys = keys
        self._choice = choice
        self._agent_configs = agent_configs

    async def of(
        self, tenant_id: UUID, feature_id: UUID, command: c.FeatureCommand, brief_length: int = 0
    ) -> Estimate:
        """What the work that a command sets going will cost, until a person decides again.

        Args:
            tenant_id: Whose.
            feature_id: Which.
            command: A decision that would make steps due; its texts do not matter.
            brief_length: Characters of the brief, if the decision is about one.

        Raises:
            Refused: the command would be refused.
            Unavailable: the database does not answer.
        """
        feature = await self._features.load(tenant_id, feature_id)
        return await self._estimate(tenant_id, feature_id, feature, command, brief_length)

    async def of_new(self, tenant_id: UUID, brief_length: int) -> Estimate:
        """What confirming a brief costs for a feature that is not there yet. Raises as `of`."""
        feature = fold(decide(c.CreateFeature(), Feature()))
        return await self._estimate(tenant_id, None, feature, c.ConfirmBrief("x"), brief_length)

    async def _estimate(
        self,
        tenant_id: UUID,
        feature_id: UUID | None,
        feature: Feature,
        command: c.FeatureCommand,
        brief_length: int,
    ) -> Estimate:
        after = fold(decide(command, feature), feature)
        steps = [s for s in until_a_person(_newly_due(feature, after)) if not _is_done(s, after)]
        if not steps:
            return estimate((), (), self._agent_configs)
        described = await self._keys.describe(tenant_id)
        agent_configs = agent_configs_for(
            self._choice, self._agent_configs, tenant_has_key=described.configured
        )
        lengths: dict[Part, int] = {}
        if feature_id is not None:
            standing = _standing(feature, after)
            known = await self._documents(tenant_id, feature_id, standing.values())
            lengths = {part: known.get(version, 0) for part, version in standing.items()}
        if isinstance(command, c.ConfirmBrief | c.ReviseBrief):
            lengths[Part.BRIEF] = brief_length
        ahead = [_ahead(step, agent_configs, lengths) for step in steps]
        past = await self._past(tenant_id, ahead, agent_configs.prices)
        found = estimate(ahead, past, agent_configs)
        taken_again = isinstance(command, c.ReplayFeature | c.RetryFeature) and feature.recorded
        if taken_again and found.low_usd is not None:
            # What is recorded for the same inputs is taken again, and then costs nothing.
            return replace(found, low_usd=Decimal(0))
        return found

    async def _past(
        self, tenant_id: UUID, ahead: Sequence[Ahead], prices: PriceTable
    ) -> list[PastStep]:
        wanted = {(one.step, one.model): NEWEST for one in ahead}
        runs: list[RecordedRun] = []
        for run in await self._experience.recent(tenant_id):
            left = wanted.get((run.step, run.model), 0)
            if left:
                wanted[run.step, run.model] = left - 1
                runs.append(run)
        versions: dict[UUID, set[int]] = {}
        for run in runs:
            versions.setdefault(run.feature_id, set()).update(run.reads or ())
        lengths: dict[UUID, Mapping[int, int]] = {}
        for feature_id, reads in versions.items():
            try:
                lengths[feature_id] = await self._documents(tenant_id, feature_id, reads)
            except NotFound:  # Its texts were deleted; what it cost was not.
                lengths[feature_id] = {}
        return [
            PastStep(run.step, run.model, costs, _went_in(run, lengths[run.feature_id]))
            for run in runs
            if (costs := _today(run, prices)) is not None
        ]

    async def _documents(
        self, tenant_id: UUID, feature_id: UUID, versions: Iterable[int]
    ) -> dict[int, int]:
        """How many characters of each document an agent reads; deleted ones are left out."""
        wanted = set(versions)
        if not wanted:
            return {}
        found = await self._features.texts(tenant_id, feature_id, wanted)
        return {version: _length(one.event) for version, one in found.items()}


def _today(run: RecordedRun, prices: PriceTable) -> Decimal | None:
    """What a run would cost at the prices in force; the most, where only its sum is known."""
    between = prices.between(run.tokens, run.model, run.requests)
    return between and between[1]


def _newly_due(before: Feature, after: Feature) -> list[Step]:
    return [step for step, version in after.due.items() if before.due.get(step) != version]


def _is_done(step: Step, after: Feature) -> bool:
    return step is Step.TITLE and after.titled


def _standing(feature: Feature, after: Feature) -> dict[Part, int]:
    """The documents that would stand, by version; what is not recorded yet is left out."""
    content = after.content
    made = {
        Part.BRIEF: content.brief,
        **{Part(gate.value): content.deliverable(gate) for gate in Gate},
    }
    return {part: d.version for part, d in made.items() if d and d.version <= feature.version}


def _ahead(step: Step, agent_configs: AgentConfigs, lengths: Mapping[Part, int]) -> Ahead:
    agent = AGENT_OF[step]
    entry = agent_configs[agent]
    length = sum(lengths.get(part, 0) for part in READS[step])
    return Ahead(step, agent, entry.model, prompt_length(agent, entry), length)


def _went_in(run: RecordedRun, lengths: Mapping[int, int]) -> int | None:
    if run.reads is None or not lengths.keys() >= {*run.reads}:
        return None
    return sum(lengths[version] for version in run.reads)


def _length(event: e.FeatureEvent) -> int:
    match event:
        case e.BriefConfirmed(brief=brief) | e.BriefRevised(brief=brief):
            return len(brief)
        case _ if type(event) in WRITTEN_AT:
            return len(to_json(getattr(event, "document")))  # noqa: B009 - of each of these.
        case _:
            return 0
