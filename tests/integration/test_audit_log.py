"""The audit's questions on a real database: filters, causes with their requests, and expenses."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from application.agents.prices import in_force
from application.audit.events import PROBLEMS, AuditEntry, EventFilter, SearchTerm
from application.audit.expense import Expense, Fate
from application.audit.recompute import Recomputation
from application.audit.usage import Usages, WhatIf
from application.audit.waste import SpendingCause
from application.ports import DueStep, LedgerEntry, Metadata, ModelAnswer
from application.running.turns import Turns
from domain import commands as c
from domain import events as e
from domain.runs import Run, Tokens
from domain.status import Agent, Gate, Step, Verdict
from infrastructure.audit.log import PostgresAuditLog
from infrastructure.audit.usage import PostgresExpenses
from infrastructure.postgres.database import Database
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import DataKeys, KeyRing
from tests.given import at_gate, done, drafted, in_review, start
from tests.integration.reading import MASTER, USER, World, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


def audit(there: World) -> PostgresAuditLog:
    return PostgresAuditLog(there.reading, KeyRing(MasterKey([MASTER])))


async def found(there: World, *, ascending: bool = True, **wanted: object) -> list[AuditEntry]:
    """All entries, page by page."""
    every: list[AuditEntry] = []
    while True:
        answer = await audit(there).entries(
            there.tenant,
            EventFilter(**wanted),
            beyond=every[-1].position if every else None,
            limit=7,
            ascending=ascending,
        )
        page = answer.entries
        every += page
        if len(page) < 7:
            return every


async def test_filters_mean_what_they_say(there: World):
    one = await there.tell(done())
    failed = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL).work(Step.CODE_REVIEW)
    two = await there.tell(failed)
    await there.tell(drafted("Foreign"), tenant=uuid7())
    await there.catch_up()
    every = await found(there)
    assert {entry.feature_id for entry in every} == {one, two}
    assert [entry.position for entry in every] == sorted(entry.position for entry in every)
    assert await found(there, ascending=False) == every[::-1]
    assert every == [entry for entry in every if entry.hash]
    types = {entry.type for entry in every}
    for wanted in (("feature_created",), ("spec_generated", "plan_generated")):
        assert await found(there, types=wanted) == [x for x in every if x.type in wanted]
        assert await found(there, not_types=wanted) == [x for x in every if x.type not in wanted]
        rest = tuple(types - set(wanted))
        assert await found(there, not_types=rest) == await found(there, types=wanted)
    assert await found(there, feature_id=two) == [x for x in every if x.feature_id == two]
    middle = every[len(every) // 2].recorded_at
    early, late = await found(there, until=middle), await found(there, since=middle)
    assert early
    assert early + late == every
    assert await found(there, since=middle, until=middle + timedelta(microseconds=1))
    assert await found(there, actor=USER) == every
    assert await found(there, actor="user") == every
    assert await found(there, actor="agent") == []
    assert await found(there, actor="us") == []


async def test_problems_are_failures_and_verdicts_that_are_no_pass(there: World):
    await there.tell(done())
    bad = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL).work(Step.CODE_REVIEW)
    feature_id = await there.tell(bad)
    await there.catch_up()
    problems = await found(there, problems=True)
    assert {entry.feature_id for entry in problems} == {feature_id}
    assert {entry.type for entry in problems} <= PROBLEMS | {"verdict_reached"}
    assert "verdict_reached" in {entry.type for entry in problems}


async def test_oldest_first_ends_where_something_may_still_appear(there: World):
    await there.tell(drafted())
    assert await found(there) == []
    assert len(await found(there, ascending=False)) == 1
    await there.catch_up()
    assert len(await found(there)) == 1


async def test_a_command_is_traced_to_the_requests_it_led_to(there: World):
    story = drafted().do(c.ConfirmBrief("- BF-1 lend"))
    starting = start(story.feature, Step.SPEC)
    story.do(starting)
    command, system = uuid7(), Metadata(there.tenant, "agent:spec", uuid7())
    feature_id, ids = uuid7(), [uuid7() for _ in story.events]
    origins = [
        Metadata(there.tenant, USER, uuid7()),
        Metadata(there.tenant, USER, command),
        Metadata(there.tenant, "agent:spec", command, ids[1]),
    ]
    for version, (event, origin) in enumerate(zip(story.events, origins, strict=True)):
        await there.log.append(feature_id, [(ids[version], event)], expected=version, origin=origin)
    announced = story.events[2]
    assert isinstance(announced, e.StepStarted)
    ring = KeyRing(MasterKey([MASTER]))
    async with Database(there.url, "bp_worker", max_size=2) as working:
        ledger, tasks = PostgresLedger(working, DataKeys(working, ring)), PostgresTasks(working)
        due = DueStep(announced.task_id, there.tenant, feature_id, Step.SPEC, ids[1], 2, uuid7())
        await tasks.enqueue([due])
        (claim,) = await tasks.claim("w", tuple(Agent), limit=1, lease_seconds=60)
        first = LedgerEntry(announced.task_id, announced.attempt.number, 1, "a" * 64)
        await ledger.announce(there.tenant, feature_id, first, claim.fencing_token)
        answer = ModelAnswer((), "end_turn", Tokens(3, 4), "a-model", request_id="req_1")
        settled = msgspec.structs.replace(
            first, answer=msgspec.json.encode(answer), outcome="answered", tokens=Tokens(3, 4)
        )
        await ledger.settle(there.tenant, feature_id, settled)
        open_one = LedgerEntry(announced.task_id, announced.attempt.number, 2, "b" * 64)
        await ledger.announce(there.tenant, feature_id, open_one, claim.fencing_token)
        await ledger.announce(there.tenant, feature_id, open_one, claim.fencing_token)
    for named in (ids[1], ids[2]):
        tree = await audit(there).causation(there.tenant, feature_id, named)
        assert tree is not None
        assert (tree.correlation_id, tree.actor) == (command, USER)
        assert (tree.events, tree.calls, tree.tokens) == (2, 2, Tokens(3, 4))
        (root,) = tree.roots
        assert root.event.event_id == ids[1]
        (step,) = root.caused
        assert step.event.event_id == ids[2]
        answered, unknown = step.calls
        assert (answered.outcome, answered.request_id, answered.model) == (
            "answered",
            "req_1",
            "a-model",
        )
        assert (unknown.outcome, unknown.announced, unknown.settled_at) == (
            "outcome_unknown",
            2,
            None,
        )
    assert await audit(there).causation(uuid7(), feature_id, ids[1]) is None
    assert await audit(there).causation(there.tenant, feature_id, uuid7()) is None
    assert system.causation_id is None


def paid(event: e.FeatureEvent, usd: str) -> e.FeatureEvent:
    return msgspec.structs.replace(event, run=Run(Tokens(10, 1), Decimal(usd), 1.0, 1))


async def spend(there: World, events: Sequence[e.FeatureEvent], usd: str) -> UUID:
    feature_id = uuid7()
    for version, event in enumerate(events):
        spending = hasattr(event, "run") and hasattr(event, "attempt")
        await there.append(feature_id, version, paid(event, usd) if spending else event)
    return feature_id


async def spent(there: World, *asked: Any) -> list[Expense]:
    pages = PostgresExpenses(there.reading).between(*asked)
    return [expense async for page in pages for expense in page]


async def test_expenses_survive_revision_and_deletion_and_say_so(there: World):
    kept = at_gate(Gate.SPEC)
    revised = at_gate(Gate.SPEC).do(c.ReviseBrief("- BF-2 other")).work(Step.SPEC)
    deleted = at_gate(Gate.SPEC).do(c.DeleteFeature())
    first = await spend(there, kept.events, "0.10")
    second = await spend(there, revised.events, "0.20")
    third = await spend(there, deleted.events, "0.40")
    await spend(there, [], "9")
    await there.catch_up()
    expenses = await spent(there, there.tenant, None, None)
    fates = {}
    for expense in expenses:
        fates.setdefault(expense.feature_id, []).append(expense.fate)
    assert fates == {
        first: [Fate.COUNTS],
        second: [Fate.REPLACED, Fate.COUNTS],
        third: [Fate.DELETED],
    }
    assert {expense.agent for expense in expenses} == {"spec"}
    started = next(event for event in kept.events if isinstance(event, e.StepStarted))
    assert {expense.model for expense in expenses} == {started.manifest.model}
    usage = await Usages(PostgresExpenses(there.reading), Turns()).of(there.tenant, None, None)
    assert usage.total.cost_usd == Decimal("0.90")
    assert usage.total.superseded_usd == Decimal("0.60")
    by_cause = {share.name: share.spent.cost_usd for share in usage.by_cause}
    assert by_cause == {
        SpendingCause.IN_USE: Decimal("0.30"),
        SpendingCause.CHANGED: Decimal("0.60"),
    }
    usages = Usages(PostgresExpenses(there.reading), Turns())
    one = await usages.of_feature(there.tenant, second)
    assert {share.name: share.spent.runs for share in one.by_cause} == {
        SpendingCause.IN_USE: 1,
        SpendingCause.CHANGED: 1,
    }
    assert (await usages.of_feature(uuid7(), second)).total.runs == 0
    unknown = WhatIf(in_force(), "a-model-without-a-price")
    [row] = (await usages.of(there.tenant, None, None, unknown)).what_if
    assert (row.runs, row.recorded_usd, row.least_usd) == (4, Decimal("0.90"), None)
    assert usage.total.tokens == Tokens(40, 4)
    assert [share.name for share in usage.by_feature][:2] == sorted([str(second), str(third)])
    at = max(expense.at for expense in expenses)
    late = await spent(there, there.tenant, at, None)
    assert [expense.feature_id for expense in late] == [third]
    early = await spent(there, there.tenant, None, at)
    assert len(early) + len(late) == len(expenses)
    assert await spent(there, uuid7(), None, None) == []


async def test_what_was_spent_is_priced_anew_in_the_operators_role_and_nothing_is_written(
    there: World,
):
    await spend(there, at_gate(Gate.SPEC).events, "0.10")
    before = there.sql("select * from es.events order by position")
    sums = Recomputation(in_force())
    async for some in PostgresExpenses(there.projecting).between(there.tenant, None, None):
        sums.add(some)
    (row,) = sums.rows()
    assert (row.recorded_under, row.runs, row.recorded_usd) == ("prices-2026-11", 1, Decimal("0.1"))
    assert row.least_usd == row.most_usd == in_force().cost(Tokens(10, 1), row.model)
    assert there.sql("select * from es.events order by position") == before


async def test_filters_are_values_never_sql(there: World):
    await there.tell(drafted())
    await there.catch_up()
    for text in ("'; drop table es.events --", "%s", "user:%", "\\", "user'"):
        assert await found(there, actor=text) == []
        assert await found(there, types=(text,)) == []
    assert len(await found(there)) == 1


async def test_every_word_is_found_somewhere_in_what_is_not_sealed(there: World):
    tools = await there.tell(drafted("Tool library"))
    cakes = drafted("Cake orders").do(c.ConfirmBrief("- BF-1 a secret"))
    bakery = await there.tell(cakes.do(c.GiveUp(Step.SPEC, 2, "model_refused", "it hid", "retry")))
    await there.tell(drafted("Tool library"), tenant=uuid7())
    await there.catch_up()
    every = await found(there)

    async def of(*words: str, **meaning: tuple[str, ...]) -> list[AuditEntry]:
        given = tuple(SearchTerm(word) for word in words)
        means = tuple(SearchTerm(word, types=types) for word, types in meaning.items())
        return await found(there, words=given + means)

    assert {entry.feature_id for entry in await of("tool")} == {tools}
    assert await of("library", "tool") == await of("tool")
    assert await of("tool", "cake") == []
    assert {entry.type for entry in await of("cake", "confirmed")} == {"brief_confirmed"}
    assert {entry.type for entry in await of(bestätigt=("brief_confirmed",))} == {"brief_confirmed"}
    assert {entry.type for entry in await of("model_ref")} == {"feature_failed"}
    assert await of("secret") == await of("hid") == []
    assert await of(USER[:20]) == every
    assert await of("100%") == await of("_ake") == []
    for entry in every:
        assert await of(str(entry.event_id)) == [entry]
        assert await of(entry.hash[:16]) == [entry]
    assert {entry.feature_id for entry in await of(str(bakery))} == {bakery}
    said = (SearchTerm("you", actors=("user",)), SearchTerm("cake"))
    assert {entry.feature_id for entry in await found(there, words=said)} == {bakery}
    assert await found(there, words=(SearchTerm("you", actors=("agent",)),)) == []


async def test_a_search_ends_somewhere_and_says_where_to_go_on(there: World):
    await there.tell(drafted("Rare"))
    for _ in range(4):
        await there.tell(done())
    await there.catch_up()
    every = await found(there)
    short = PostgresAuditLog(there.reading, KeyRing(MasterKey([MASTER])), most=25)
    rare, beyond, calls = EventFilter(words=(SearchTerm("rare"),)), None, 0
    while True:
        answer = await short.entries(there.tenant, rare, beyond=beyond, limit=7, ascending=False)
        calls += 1
        if answer.looked_to is None:
            break
        assert answer.entries == []
        assert answer.looked_to in every
        beyond = answer.looked_to.position
    assert calls == len(every) // 25 + 1
    assert [(one.position, answer.titles[one.feature_id]) for one in answer.entries] == [
        (every[0].position, "Rare")
    ]
    # Where an index finds everything at once, nothing is cut.
    created = EventFilter(types=("feature_created",))
    whole = await short.entries(there.tenant, created, beyond=None, limit=7, ascending=False)
    assert (len(whole.entries), whole.looked_to) == (5, None)
