"""One leased step: announce the attempt, let the agent work, record what came of it.

Killed at any point this leaves one accepted result: the lease is checked in the transaction that
announces an attempt, in those that announce its requests and in the one that records; whoever lost
it is refused there. Delivery, leases, retries and the ledger end here; an agent knows nothing of
them.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import structlog
from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.failures import StepFailed, advice_of
from application.agents.input_fingerprint import fingerprint_of
from application.agents.perform import perform
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.agents.title import fallback_title
from application.execution.attempt import HAND_BACK_SECONDS, AttemptAdapters, LeasedAttempt
from application.execution.load_inputs import InputLoader
from application.execution.model_access import ModelAccess, Providers
from application.execution.retry import retry_while_unavailable
from application.execution.reuse import recorded_again
from application.features import CommandOutcome, Features, RememberedFeature
from application.ports import (
    Claim,
    Diverged,
    Effects,
    Groundless,
    LeaseLost,
    LedgerEntry,
    Metadata,
    ModelError,
    Tasks,
    TaskUpdate,
    Unavailable,
    Unreadable,
)
from domain import commands as c
from domain import events as e
from domain.errors import NotFound, Refused, Superseded
from domain.feature import Feature
from domain.pipeline import AGENT_OF
from domain.recorded import Recorded
from domain.runs import OURS, Attempt, InputFingerprint, Run, Tokens
from domain.status import Step

ATTEMPTS = 4
"""How often a step may fail by itself before the feature does. A worker that was stopped or lost is
no failure of the step's: the log tells them apart by their codes (`domain.runs.OURS`)."""
BACKOFF_SECONDS = (10.0, 60.0, 300.0)
"""Before the second, third and fourth attempt; up to a quarter more by chance, to spread them."""
LONGEST_WAIT_SECONDS = 3_600.0
"""A provider that asks for more patience than this has said no."""
LEASE_SECONDS = 5.0
"""How long a step stays with a worker that is silent."""

CRASHED_ALONE = "crashed_alone"
"""The code of a step that ended the process it ran in alone; the queue knows it by this name."""

log = structlog.get_logger(__name__)

Perform = Callable[
    [Step, Attempt, StepInputs, AttemptContext, AgentConfigs], Awaitable[StepOutcome]
]
"""How an agent does one attempt of a step: `application.agents.perform.perform`, but in tests."""


class PaidInNoLog(Groundless):
    """What was used for this attempt is said in the process's log: the log was set back."""


class Announced(NamedTuple):
    """An attempt that stands in the log."""

    attempt: Attempt
    event_id: UUID
    feature: Feature


class AttemptFailure(NamedTuple):
    """Why an attempt brought nothing, and whether another follows by itself."""

    code: str
    reason: str
    retryable: bool
    retry_after: float | None = None
    advice: str = ""
    """What a person can do once it is final, where it differs from what the code says."""

    def told(self, wait: float | None) -> str:
        """What people are told: `wait` is the pause before the next attempt, None without one."""
        if wait is None and self.advice:
            return self.advice
        asked = self.retry_after or 0.0
        pause = asked if asked > LONGEST_WAIT_SECONDS else None
        return advice_of(self.code, final=wait is None, pause_seconds=pause)


class Begun(NamedTuple):
    """What an attempt works with, once it stands in the log."""

    material: StepInputs
    provision: ModelAccess
    plan: InputFingerprint
    bought: Sequence[LedgerEntry]
    """What the ledger knows of attempts before."""
    announced: Announced


class Runner:
    """Carries out claims; one instance serves any number at once."""

    def __init__(
        self,
        features: Features,
        tasks: Tasks,
        providers: Providers,
        materials: InputLoader,
        tools: AttemptAdapters,
        *,
        agents: Perform = perform,
        backoff_seconds: Sequence[float] = BACKOFF_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        mending_rounds: int = 0,
    ) -> None:
        """Take what it works with.

        `mending_rounds` is how often code that failed its reviews is mended without a person.
        """
        self._features = features
        self._tasks = tasks
        self._providers = providers
        self._input_loader = materials
        self._tools = tools
        self._perform = agents
        self._backoff = backoff_seconds
        self._lease_seconds = lease_seconds
        self._mending_rounds = mending_rounds

    async def run(
        self, claim: Claim, on_progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        """Carry out a claim to its end.

        Args:
            claim: A leased task.
            on_progress: Called at every sign of life.
            stopping: Whether this process is being stopped. Cancelling this coroutine closes the
                model's stream; while stopping, the step goes back to the queue.
        """
        try:
            await self._run(claim, on_progress, stopping)
        except LeaseLost:
            # If nobody has it yet, it was we who slept, and no suspicion against the step.
            await self._hand_back(claim, "lease_lost")
        except PaidInNoLog:
            await self._hand_back(claim, "set_back")  # It may be due yet.
        except Unreadable as unreadable:
            # To a process that can read its feature, such as one of a newer version.
            feature, reason = str(claim.feature_id), str(unreadable)
            log.warning("step_put_off", step=claim.step, feature=feature, reason=reason)
            code = str(unreadable.why)
            await retry_while_unavailable(
                lambda: self._tasks.put_off(claim.task_id, claim.fencing_token, code)
            )
        except (Refused, Groundless, Diverged) as refusal:
            await self._cancel_task(claim, _code_of(refusal))

    async def _cancel_task(self, claim: Claim, code: str) -> None:
        await retry_while_unavailable(
            lambda: self._tasks.cancel_task(claim.task_id, claim.fencing_token, "cancelled", code)
        )

    async def _hand_back(self, claim: Claim, code: str) -> None:
        held = {claim.task_id: claim.fencing_token}
        await retry_while_unavailable(lambda: self._tasks.hand_back(held, error=code))

    async def crashed(self, claim: Claim, how: str) -> None:
        """Fail a step that ended the process it ran in, alone; what is known to be used is kept.

        Args:
            claim: What ran there, under a lease that is still ours.
            how: What is known of the end, in plain words.

        Raises:
            Unavailable: the database is away for long.
        """
        log.error("step_ended_its_process", step=claim.step, task=str(claim.task_id), how=how)
        reason = (
            f"The {claim.step} step ended the process that worked on it, was tried again in a "
            f"process of its own, and ended that one, too: {how}."
        )
        with contextlib.suppress(LeaseLost):
            try:
                await retry_while_unavailable(lambda: self._crashed(claim, reason))
            except (Refused, Groundless) as refusal:
                # It had come to its end before that, or what made it due is in no log any more.
                await self._cancel_task(claim, _code_of(refusal))

    async def _crashed(self, claim: Claim, reason: str) -> None:
        feature = await self._features.load(claim.tenant_id, claim.feature_id)
        attempt = feature.running.get(claim.step)
        if attempt is None:
            await self._give_up(claim, CRASHED_ALONE, reason)
            return
        known = await self._tools.ledger.entries(claim.tenant_id, claim.feature_id, claim.task_id)
        model = await self._model_of(claim, attempt)
        used = self._used(known, attempt, model)
        command = c.FailAttempt(
            attempt,
            used,
            CRASHED_ALONE,
            reason,
            advice_of(CRASHED_ALONE, final=True),
            final=True,
        )
        task = TaskUpdate(claim.task_id, claim.fencing_token, "failed", error=CRASHED_ALONE)
        await self._write(claim, command, Effects(task=task), claim.event_id, used)

    async def _model_of(self, claim: Claim, attempt: Attempt) -> str:
        for recorded in await self._since_due(claim):
            match recorded.event:
                case e.StepStarted(attempt=begun, manifest=inputs) if begun == attempt:
                    return inputs.model
        return ""

    def _used(self, known: Sequence[LedgerEntry], attempt: Attempt, model: str) -> Run:
        """What the ledger knows that an attempt used whose process is gone."""
        sent = [entry for entry in known if entry.attempt == attempt.number]
        tokens = sum((entry.tokens for entry in sent), Tokens())
        prices = self._providers.prices_of(model)
        cost = sum((prices.cost(entry.tokens, model) or Decimal(0) for entry in sent), Decimal(0))
        return Run(tokens, cost, 0.0, len(sent))

    async def _since_due(self, claim: Claim) -> Sequence[Recorded]:
        """What happened to the feature since the step became due."""
        return await self._features.since(claim.tenant_id, claim.feature_id, claim.version)

    async def _failures(self, claim: Claim) -> int:
        """How often the step has failed by itself, as the log tells it."""
        if claim.attempt == 1:
            return 0
        return sum(
            isinstance(recorded.event, e.AttemptFailed)
            and recorded.event.attempt.step is claim.step
            and recorded.event.code not in OURS
            for recorded in await retry_while_unavailable(lambda: self._since_due(claim))
        )

    async def _run(
        self, claim: Claim, on_progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        try:
            begun = await self._begin(claim)
        except (Groundless, Diverged):
            # Memory, or what was read, is of a log that was set back. Nothing was sent.
            begun = await self._begin(claim, anew=True)
        if begun is None:
            return
        material, provision, plan, bought, announced = begun
        reused = announced.feature.recorded.get(plan.sha256)
        if reused is not None:
            # The same inputs were answered before: what is recorded is not bought again.
            found = await self._features.texts(claim.tenant_id, claim.feature_id, [reused])
            again = recorded_again(found[reused].event, announced.attempt, reused)
            await self._record(claim, announced, again)
            return
        context = LeasedAttempt(
            self._tools,
            claim,
            announced.attempt,
            provision,
            bought,
            on_progress,
            lambda: self._tasks.heartbeat(
                "", {claim.task_id: claim.fencing_token}, (), self._lease_seconds
            ),
        )
        try:
            await self._work(claim, announced, material, context, provision)
        except asyncio.CancelledError:
            await asyncio.shield(self._cancelled(claim, announced, context, stopping()))
            raise

    async def _begin(self, claim: Claim, *, anew: bool = False) -> Begun | None:
        """Gather what the step needs and say that it begins; None if it cannot."""
        known = self._features.remembered(claim.tenant_id, claim.feature_id)
        if known is None or known.feature.version < claim.version or anew:
            # Otherwise what made the step due is folded already: it is due now or never again.
            known = await self._features.known(claim.tenant_id, claim.feature_id)
        feature = known.feature
        if feature.due.get(claim.step) != claim.version:
            raise Superseded
        material = await self._input_loader.load_inputs(
            claim.tenant_id, claim.feature_id, claim.step, feature
        )
        provision = await self._providers.provide(claim)
        if provision is None:
            await self._give_up(claim, "api_key_missing", "There is no API key to work with.")
            return None
        plan = fingerprint_of(claim.step, material, provision.agent_configs)
        bought: Sequence[LedgerEntry] = ()
        if claim.attempt > 1:
            bought = await self._tools.ledger.entries(
                claim.tenant_id, claim.feature_id, claim.task_id
            )
        announced = await self._announce(claim, known, plan, bought)
        return Begun(material, provision, plan, bought, announced)

    async def _announce(
        self,
        claim: Claim,
        known: RememberedFeature,
        plan: InputFingerprint,
        bought: Sequence[LedgerEntry],
    ) -> Announced:
        lost = known.feature.running.get(claim.step)
        start = c.StartStep(
            claim.step,
            claim.version,
            AGENT_OF[claim.step],
            claim.task_id,
            plan,
            lost=self._used(bought, lost, plan.model) if lost else Run(),
        )
        effects = Effects(
            task=TaskUpdate(claim.task_id, claim.fencing_token, "running"),
            rests_on=(known.feature.version, known.head),
        )
        written = await self._write(claim, start, effects, claim.event_id)
        attempt = written.feature.running[claim.step]
        return Announced(attempt, written.recorded[-1].event_id, written.feature)

    async def _work(
        self,
        claim: Claim,
        announced: Announced,
        material: StepInputs,
        context: LeasedAttempt,
        provision: ModelAccess,
    ) -> None:
        agent, agent_configs = AGENT_OF[claim.step], provision.agent_configs
        deadline = agent_configs[agent].deadline_seconds
        try:
            async with asyncio.timeout(deadline):
                outcome = await self._perform(
                    claim.step, announced.attempt, material, context, agent_configs
                )
        except TimeoutError:
            reason = f"The {agent} agent did not finish within {deadline:.0f} seconds."
            failure = AttemptFailure("deadline", reason, retryable=True)
        except StepFailed as failed:
            failure = AttemptFailure(
                failed.code, failed.reason, failed.retryable, failed.retry_after, failed.advice
            )
        except ModelError as error:
            failure = AttemptFailure(
                error.code, str(error), error.retryable, error.retry_after_seconds
            )
        except LeaseLost:
            # Refused before it was announced: what earlier turns used is not lost for that.
            log.info("announcement_refused", step=claim.step, task=str(claim.task_id))
            if context.run().turns:
                await self._discard(claim, announced, context, "lease_lost")
            raise
        except Unavailable as down:
            failure = AttemptFailure("unavailable", str(down), retryable=True)
        except Exception:
            # A defect of ours: seen by the operator, told to the user, bounded like any failure.
            log.exception("step_crashed", step=claim.step, task=str(claim.task_id))
            reason = "Something went wrong on our side. It is in the operator's log."
            failure = AttemptFailure("internal_error", reason, retryable=True)
        else:
            answer = outcome.with_run(context.run())
            await self._record(claim, announced, answer, context.files())
            return
        await self._fail(claim, announced, context, failure, material)

    async def _record(
        self,
        claim: Claim,
        announced: Announced,
        answer: c.AgentAnswer,
        files: tuple[e.FileWritten, ...] = (),
    ) -> None:
        """Record a result, or what it cost if it comes too late."""
        if isinstance(answer, c.RecordReview):
            answer = replace(answer, mending_rounds=self._mending_rounds)
        effects = Effects(task=TaskUpdate(claim.task_id, claim.fencing_token, "done"))
        cause, spent = announced.event_id, answer.run
        try:
            await retry_while_unavailable(lambda: self._write(claim, answer, effects, cause, spent))
        except NotFound:
            raise
        except (Refused, LeaseLost) as late:
            code = late.code if isinstance(late, Refused) else "lease_lost"
            await self._discarded(claim, announced, answer.run, code, files)
            raise

    async def _fail(
        self,
        claim: Claim,
        announced: Announced,
        context: LeasedAttempt,
        failure: AttemptFailure,
        material: StepInputs,
    ) -> None:
        run = context.run()
        wait = self._wait(failure, await self._failures(claim) + 1)
        if wait is None and claim.step is Step.TITLE:
            title = fallback_title(material.brief, material.points)
            answer = c.RecordTitle(announced.attempt, run, title, by_model=False)
            await self._record(claim, announced, answer)
            return
        failed = c.FailAttempt(
            announced.attempt,
            run,
            failure.code,
            failure.reason,
            failure.told(wait),
            final=wait is None,
            retry_after_seconds=round(wait or 0.0, 1),
            files=context.files(),
        )
        task = TaskUpdate(
            claim.task_id,
            claim.fencing_token,
            "failed" if wait is None else "queued",
            retry_after_seconds=wait or 0.0,
            error=failure.code,
        )
        cause, effects = announced.event_id, Effects(task=task)
        try:
            await retry_while_unavailable(lambda: self._write(claim, failed, effects, cause, run))
        except (Refused, LeaseLost):
            await self._discard(claim, announced, context, failure.code)
            raise

    def _wait(self, failure: AttemptFailure, failures: int) -> float | None:
        """Seconds until the next attempt after so many failures; None if there is none."""
        if not failure.retryable or failures >= ATTEMPTS:
            return None
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= LONGEST_WAIT_SECONDS else None
        seconds = self._backoff[min(failures, len(self._backoff)) - 1]
        return seconds * random.uniform(1.0, 1.25)  # noqa: S311  # Spreads retries; no secret.

    async def _cancelled(
        self,
        claim: Claim,
        announced: Announced,
        context: LeasedAttempt,
        stopping: bool,  # noqa: FBT001
    ) -> None:
        """Keep what was used. While stopping, hand the step back; otherwise it is not ours."""
        run = context.run()
        if not stopping:
            # Also when the database is away, as it is when the log is set back.
            await retry_while_unavailable(
                lambda: self._discard(claim, announced, context, "superseded")
            )
            return
        reason = "We restarted the program that worked on this. The step goes on by itself."
        failed = c.FailAttempt(
            announced.attempt,
            run,
            "worker_stopped",
            reason,
            "",
            final=False,
            files=context.files(),
        )
        task = TaskUpdate(claim.task_id, claim.fencing_token, "queued", error="worker_stopped")
        try:
            await retry_while_unavailable(
                lambda: self._write(claim, failed, Effects(task=task), announced.event_id, run),
                patience=HAND_BACK_SECONDS,
            )
        except (Refused, LeaseLost):
            await self._discard(claim, announced, context, "worker_stopped")

    async def _discard(
        self, claim: Claim, announced: Announced, context: LeasedAttempt, code: str
    ) -> None:
        await self._discarded(claim, announced, context.run(), code, context.files())

    async def _discarded(
        self,
        claim: Claim,
        announced: Announced,
        run: Run,
        code: str,
        files: tuple[e.FileWritten, ...],
    ) -> None:
        command = c.DiscardRun(announced.attempt, run, code, files)
        with contextlib.suppress(Superseded):  # The log says all of it already.
            await self._write(claim, command, Effects(), announced.event_id, run)

    async def _give_up(self, claim: Claim, code: str, reason: str) -> None:
        command = c.GiveUp(claim.step, claim.version, code, reason, advice_of(code, final=True))
        task = TaskUpdate(claim.task_id, claim.fencing_token, "failed", error=code)
        await self._write(claim, command, Effects(task=task), claim.event_id)

    async def _write(
        self,
        claim: Claim,
        command: c.FeatureCommand,
        effects: Effects,
        cause: UUID,
        spent: Run | None = None,
    ) -> CommandOutcome:
        """Write in answer to an event; log what was spent if that event is in no log."""
        actor = f"agent:{AGENT_OF[claim.step]}"
        origin = Metadata(claim.tenant_id, actor, claim.correlation_id, cause)
        try:
            return await self._features.write(claim.feature_id, command, origin, effects)
        except Groundless:
            if spent is None:
                raise
            log.error(  # noqa: TRY400 - no defect: the log was set back.
                "paid_in_no_log",
                feature=str(claim.feature_id),
                step=claim.step,
                task=str(claim.task_id),
                requests=spent.turns,
                tokens=spent.tokens.input + spent.tokens.output,
                cost_usd=str(spent.cost_usd),
            )
            raise PaidInNoLog from None


def _code_of(refusal: Exception) -> str:
    return refusal.code if isinstance(refusal, Refused) else "set_back"
