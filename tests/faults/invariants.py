"""What must hold after any fault, read from the log, the queue, the store and the model's ledger.

Invariant: nothing here is read from the processes that were broken, only from what they left.
"""

from collections import Counter, defaultdict
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from application.delivery.artifact_keys import artifact_key
from domain import events as e
from domain.feature import Feature, evolve, fold
from domain.lifecycle import LIFECYCLE
from domain.recorded import Recorded
from domain.runs import Attempt, Tokens
from domain.status import Step
from infrastructure.artifacts import FolderStore
from infrastructure.demo_model import ServedRequest  # noqa: TC001 - as everywhere in tests.
from infrastructure.event_log import verify_chain
from infrastructure.event_log.reader import LogReader
from infrastructure.postgres.database import Database
from tests.faults.service import Service, until

RESULTS: Final = (
    e.AgentReplied,
    e.SpecGenerated,
    e.PlanGenerated,
    e.TestsGenerated,
    e.RecommendationMade,
    e.FeatureTitled,
    e.ImplementationCompleted,
    e.SecurityReviewed,
    e.CodeReviewed,
)
BOUGHT: Final = frozenset({"answered", "disconnected", "stopped", "pending"})
"""Outcomes, as the model's server knows them, of requests that may have to be paid for."""


async def assert_invariants(service: Service) -> None:
    """All of them, for every feature of every user, once nothing is under way any more."""
    await at_rest(service)
    announced: dict[tuple[UUID, int], tuple[UUID, Attempt]] = {}
    spent: dict[tuple[UUID, Attempt], Tokens] = defaultdict(Tokens)
    ended: dict[tuple[UUID, Attempt], list[str]] = defaultdict(list)
    seen: Counter[UUID] = Counter()
    for user in service.users:
        for feature_id in user.features:
            events = await service.events(feature_id)
            assert [r.version for r in events] == [*range(1, len(events) + 1)]  # I3
            seen.update(r.event_id for r in events)
            # Each command that was answered stands in the log, once, however often it was sent.
            given = [v for feature, v in user.acknowledged if feature == feature_id]
            by_hand = [r for r in events if r.actor.startswith("user:")]
            decided = [r.version for r in by_hand if not isinstance(r.event, e.MessagePosted)]
            assert sorted(given) == decided  # I1, I16
            _legal(events)
            await _files(service, events)
            for recorded in events:
                event = recorded.event
                if isinstance(event, e.StepStarted):
                    key = (event.task_id, event.attempt.number)
                    assert key not in announced
                    announced[key] = (feature_id, event.attempt)
                elif (attempt := getattr(event, "attempt", None)) is not None:
                    spent[feature_id, attempt] += event.run.tokens
                    ended[feature_id, attempt].append(recorded.type)
    assert not [each for each, times in seen.items() if times > 1]  # I2
    await _chained(service)
    _paid(service, announced, spent, ended)
    await _followed(service)


async def at_rest(service: Service) -> None:
    """Wait until no step is due, queued or under way: I11."""

    def open_tasks() -> list[tuple[Any, ...]]:
        return service.rows(
            "SELECT step, status, attempt, error FROM app.tasks"
            " WHERE status IN ('queued', 'running') AND feature_id = ANY (%s)",
            service.features(),
        )

    async def over() -> bool:
        return not open_tasks() and not [f for f in service.features() if await due(service, f)]

    await until(over, "nothing is open")


async def due(service: Service, feature_id: UUID) -> list[Step]:
    """The steps that the feature still waits for."""
    return [*fold(recorded.event for recorded in await service.events(feature_id)).due]


def _legal(events: list[Recorded]) -> None:
    """Only legal transitions (I10), one result for each step that was due (I7), of the attempt that
    was under way (I9), and nothing left that is due or under way (I11)."""
    feature = Feature()
    results: Counter[tuple[Step, int]] = Counter()
    for recorded in events:
        event = recorded.event
        where = f"{recorded.type} at version {recorded.version}"
        sources = LIFECYCLE[type(event)].sources
        assert feature.status in sources or _second(event), where
        if isinstance(event, RESULTS):
            step = event.attempt.step
            assert feature.running.get(step) == event.attempt, where
            results[step, feature.due[step]] += 1
        if isinstance(event, e.StepStarted):
            step = event.attempt.step
            assert step in feature.due, where
            assert step not in feature.running, where
            assert event.attempt.number == feature.attempts.get(step, 0) + 1, where
        feature = evolve(feature, event)
    assert not [each for each, times in results.items() if times > 1]
    assert not feature.due, f"{feature.status} and still due: {feature.due}"
    assert not feature.running


def _second(event: e.FeatureEvent) -> bool:
    """Whether it comes with another event, which alone is judged by the status before both."""
    return isinstance(event, e.VerdictReached | e.FeatureFailed | e.StepAbandoned | e.StepStarted)


async def _files(service: Service, events: list[Recorded]) -> None:
    """Every file that the log names is there, with its hash: I12."""
    store = FolderStore(service.folder / "artifacts")
    async with store:
        for recorded in events:
            if isinstance(recorded.event, e.ImplementationCompleted):
                for file in recorded.event.files:
                    key = artifact_key(recorded.tenant_id, recorded.feature_id, file.sha256)
                    body = await store.get(key)
                    assert len(body) == file.size
                    assert sha256(body).hexdigest() == file.sha256


async def _chained(service: Service) -> None:
    """The chain of every stream verifies up to its head, times never decreasing: I13, I17."""
    heads = service.rows(
        "SELECT tenant_id, stream_id, version, head_hash FROM es.streams"
        " WHERE stream_id = ANY (%s)",
        service.features(),
    )
    async with Database(service.stack.dsn, "bp_projector", max_size=1) as database:
        reader = LogReader(database)
        for tenant_id, stream_id, version, head in heads:
            rows = await reader.of_feature_raw(tenant_id, stream_id)
            assert verify_chain(rows, head=(version, bytes(head))) == version


def _paid(
    service: Service,
    announced: dict[tuple[UUID, int], tuple[UUID, Attempt]],
    spent: dict[tuple[UUID, Attempt], Tokens],
    ended: dict[tuple[UUID, Attempt], list[str]],
) -> None:
    """No request that the log did not announce (I6), none bought twice but by a fault, and each
    such one visible (I8), and what the log says was used is what the model's server counted (I19).
    """
    asked: dict[tuple[UUID, Attempt], list[ServedRequest]] = defaultdict(list)
    bought: dict[tuple[UUID, str], list[tuple[ServedRequest, tuple[UUID, Attempt]]]] = defaultdict(
        list
    )
    for entry in service.requests:
        task, number = UUID(entry.idempotency_key[:36]), entry.idempotency_key.split("-")[5]
        assert (task, int(number)) in announced, f"not announced: {entry.agent}"
        about = announced[task, int(number)]
        asked[about].append(entry)
        if entry.outcome in BOUGHT and entry.fault != "cut_hard":
            bought[task, entry.sha256].append((entry, about))
    surplus = [each for many in bought.values() for each in many[:-1]]
    assert len(surplus) <= service.faults, [entry for entry, _ in surplus]
    for entry, about in surplus:
        assert ended[about], f"bought again, and the log does not say so: {entry}"
    lost = 0
    for about, entries in asked.items():
        log = spent[about]
        least = sum(x.input_tokens + x.output_tokens for x in entries if x.outcome == "answered")
        most = sum(x.input_tokens + x.output_tokens for x in entries)
        used = log.input + log.cache_read + log.cache_write + log.output
        if used < least:
            lost += 1
            assert set(ended[about]) <= {"attempt_failed", "run_discarded"}, (about, ended[about])
        else:
            assert used <= most, (about, ended[about], used, [x.outcome for x in entries])
    assert lost <= service.faults, "more is unaccounted for than was broken"


async def _followed(service: Service) -> None:
    """The read models stand at the end of each stream: I4."""
    if not service.running("projector"):
        return
    heads = dict(
        service.rows(
            "SELECT s.stream_id, s.version FROM es.streams s WHERE NOT EXISTS (SELECT FROM"
            " es.events e WHERE e.stream_id = s.stream_id AND e.type = 'feature_deleted')"
        )
    )

    apart = dict.fromkeys(service.unreadable)

    def shown() -> bool:
        rows = service.rows(
            "SELECT v.feature_id, v.version FROM app.views v"
            " JOIN app.positions p USING (projection, generation)"
            " WHERE v.projection = 'feature' AND p.active"
        )
        return dict(rows) | apart == heads | apart

    await until(shown, "the read models stand at the log's end")
