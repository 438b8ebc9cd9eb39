"""One bad item stops no loop: what is at fault waits, is named, and is tried again."""

import asyncio
from collections.abc import AsyncIterator
from functools import reduce
from operator import or_
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from application.audit.events import EventFilter
from application.audit.expense import Expense, Fate
from application.ports import Unread, Unreadable, Why
from domain import commands as c
from domain import events as e
from domain.recorded import Recorded
from domain.status import Gate
from infrastructure.audit.changes import PostgresAudit
from infrastructure.audit.log import PostgresAuditLog
from infrastructure.audit.past_runs import PostgresPastRuns
from infrastructure.audit.usage import PostgresExpenses
from infrastructure.event_log import LogReader, PostgresEventLog, Registry
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.read_models import PostgresSource, Retrying, parked, projector, retry_parked
from infrastructure.read_models.certifying import PostgresCertifier
from infrastructure.read_models.parked import PAUSE_SECONDS
from infrastructure.sealing import MasterKey
from projections.catalogue import PROJECTIONS
from projections.dashboard import DASHBOARD
from tests.given import at_gate, drafted
from tests.integration.poison import POISONS, poisoned
from tests.integration.reading import MASTER, World, ring, world

OLDER = Registry(
    reduce(or_, (kind for kind in get_args(e.FeatureEvent) if kind is not e.FeatureRenamed))
)
"""What a version knew that had no renaming yet."""


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def test_a_feature_that_cannot_be_read_says_why_and_no_other_is_touched(there: World):
    bad, good = await poisoned(there)
    async with PostgresEventLog(there.url, "bp_api", ring()) as log:
        for name, feature_id in bad.items():
            with pytest.raises(Unreadable) as refused:
                await log.read(there.tenant, feature_id)
            assert refused.value.why is POISONS[name][1], name
            assert "Bad" not in str(refused.value)
            shown = await log.entries(there.tenant, feature_id)
            assert [one for one in shown if isinstance(one, Unread)], name
            assert {one.why for one in shown if isinstance(one, Unread)} == {POISONS[name][1]}
        for feature_id in good:
            assert len(await log.read(there.tenant, feature_id)) == 1
        # What was there before goes on being shown, up to the event that cannot be read.
        first, *_ = await log.entries(there.tenant, bad["many"])
        assert isinstance(first, Recorded)


async def test_a_projector_parks_what_it_cannot_read_and_applies_the_rest(there: World):
    bad, good = await poisoned(there)
    with capture_logs() as lines:
        await there.catch_up(there.projector(page=5))
    waiting = await parked(there.projecting)
    assert {one.feature_id for one in waiting} == {*bad.values()}
    assert len(waiting) == len(bad) * len(PROJECTIONS)
    told = [line for line in lines if line["event"].startswith("feature_parked")]
    assert len(told) == len(waiting), "each is told once"
    titles = [row.id for row in (await there.reads.features(there.tenant, limit=200)).items]
    assert {*good} <= {*titles}
    # A projector that starts anew finds them parked, and goes on.
    with capture_logs() as lines:
        last = await there.tell(drafted("Last"))
        await there.catch_up()
    assert (await there.reads.feature(there.tenant, last)).title == "Last"
    assert lines == []
    assert await retry_parked(there.projecting, there.source) == (0, len(waiting))


async def test_what_an_older_version_parked_goes_on_when_the_newer_one_starts(there: World):
    renamed = await there.tell(drafted("Before").do(c.RenameFeature("After")))
    other = await there.tell(drafted("Other"))
    older = PostgresSource(there.projecting, ring(), registry=OLDER)
    await there.catch_up(projector.Projector(there.projecting, older))
    assert {one.feature_id for one in await parked(there.projecting)} == {renamed}
    assert {row.title for row in (await there.reads.features(there.tenant)).items} == {
        "Before",
        "Other",
    }

    still = Retrying(there.projecting, older)
    assert await still.look() == 0
    waiting = await parked(there.projecting)
    assert {(one.tries, one.error) for one in waiting} == {
        (1, "UnknownEvent in feature_renamed of schema version 1")
    }
    again = [one.retry_at - one.at for one in waiting if one.retry_at]
    assert all(pause.total_seconds() >= PAUSE_SECONDS[0] for pause in again)
    assert await still.look() == 0
    assert {one.tries for one in await parked(there.projecting)} == {1}, "not before its time"

    newer = Retrying(there.projecting, there.source, applied=there.note_applied)
    assert await newer.look() == len(PROJECTIONS)
    assert await parked(there.projecting) == []
    assert (renamed, 2) in there.applied
    assert (await there.reads.feature(there.tenant, renamed)).title == "After"
    assert (await there.reads.feature(there.tenant, other)).title == "Other"


async def test_rows_of_a_newer_projector_hide_no_others_and_stop_no_older_one(there: World):
    newer = await there.tell(drafted("Newer"))
    good = await there.tell(drafted("Good"))
    await there.catch_up()
    there.sql(
        'update app.views set row = row || \'{"status": "paused", "created_at": "soon"}\''
        " where feature_id = %s and projection in ('dashboard', 'feature')",
        newer,
    )
    page = await there.reads.features(there.tenant)
    assert ([row.id for row in page.items], page.unread) == ([good], (newer,))
    with pytest.raises(Unreadable) as refused:
        await there.reads.feature(there.tenant, newer)
    assert refused.value.why is Why.NEWER

    for feature_id in (newer, good):
        await there.append(feature_id, 1, e.FeatureRenamed("Renamed"))
    await there.catch_up()
    assert {(p.feature_id, p.projection) for p in await parked(there.projecting)} == {
        (newer, "dashboard"),
        (newer, "feature"),
    }
    assert (await there.reads.feature(there.tenant, good)).title == "Renamed"
    # By itself it is left to the newer version; an operator may have it made anew.
    assert await Retrying(there.projecting, there.source).look() == 0
    assert await retry_parked(there.projecting, there.source) == (2, 0)
    assert (await there.reads.feature(there.tenant, newer)).title == "Renamed"


async def test_a_row_that_the_database_refuses_parks_its_feature_alone(there: World):
    def evolve(row, fact):
        made = DASHBOARD.evolve(row, fact)
        return replace(made, title="\0") if made and made.title == "poison" else made

    brittle = [replace(DASHBOARD, evolve=evolve), *PROJECTIONS[1:]]
    before = await there.tell(drafted("Before"))
    bad = await there.tell(drafted("poison"))
    after = await there.tell(drafted("After"))
    await there.catch_up(there.projector(brittle))
    (waiting,) = await parked(there.projecting)
    assert (waiting.feature_id, waiting.projection) == (bad, "dashboard")
    assert {row.id for row in (await there.reads.features(there.tenant)).items} == {before, after}
    assert (await there.reads.feature(there.tenant, bad)).title == "poison"
    rebuilt = there.rebuilder(brittle)
    await rebuilt.rebuild()
    assert {row.id for row in (await there.reads.features(there.tenant)).items} == {before, after}
    assert await retry_parked(there.projecting, there.source) == (1, 0)


async def test_a_projector_waits_for_what_it_does_not_understand_and_says_so_once(there: World):
    calls = 0

    class Broken:
        async def page(self, *_: object) -> object:
            nonlocal calls
            calls += 1
            raise ZeroDivisionError

    broken = projector.Projector(there.projecting, Broken())
    stop = asyncio.Event()
    with capture_logs() as lines:
        running = asyncio.create_task(broken.run(stop))
        while calls < 2:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert [line["event"] for line in lines] == ["read_models_wait"]


async def test_lists_usage_audit_export_and_certificates_go_on(there: World):
    bad, good = await poisoned(there)
    working = await there.tell(at_gate(Gate.SPEC))
    await there.catch_up()
    reading = there.reading

    entries = await PostgresAuditLog(reading, ring()).entries(
        there.tenant, EventFilter(problems=True), beyond=None, limit=500, ascending=False
    )
    assert entries.entries == []
    every = await PostgresAuditLog(reading, ring()).entries(
        there.tenant, EventFilter(), beyond=None, limit=500, ascending=False
    )
    assert {one.feature_id for one in every.entries} == {*bad.values(), *good, working}

    certifier = PostgresCertifier(reading, ring())
    for feature_id in (*good, working):
        made = await certifier.certify(there.tenant, feature_id)
        assert made is not None
        assert (made.equal, made.unread_from) == (True, None)
    for name, feature_id in bad.items():
        made = await certifier.certify(there.tenant, feature_id)
        assert made is not None
        assert made.unread_from is not None, name
        assert made.why == POISONS[name][1]
        assert made.events == made.unread_from - 1

    exports = PostgresStoredLog(reading, ring())
    audit = PostgresAudit(reading)
    for name, feature_id in bad.items():
        assert await audit.living(there.tenant, feature_id) is not None
        if name not in {"sealed", "data key", "master key"}:
            # What need not be understood is exported as it is.
            assert await exports.stored(there.tenant, feature_id, 0, 10)
        else:
            with pytest.raises(Unreadable):
                await exports.stored(there.tenant, feature_id, 0, 10)


async def spent(there: World) -> list[Expense]:
    pages = PostgresExpenses(there.reading).between(there.tenant, None, None)
    return [one async for page in pages for one in page]


async def test_what_was_spent_is_told_although_one_expense_cannot_be_read(there: World):
    good = await there.tell(at_gate(Gate.SPEC))
    bad = await there.tell(at_gate(Gate.SPEC))
    await there.catch_up()
    before = await spent(there)
    there.sql("alter table es.events disable trigger append_only")
    there.sql(
        "update es.events set payload = convert_to(replace(convert_from(payload, 'UTF8'),"
        " '\"attempt\"', '\"attempts\"'), 'UTF8') where stream_id = %s and type = 'spec_generated'",
        bad,
    )
    there.sql(
        "update app.views set row = '{}' where projection = 'feature' and feature_id = %s", bad
    )
    after = await spent(there)
    assert [one for one in after if one.feature_id == good] == [
        one for one in before if one.feature_id == good
    ]
    assert Fate.UNREAD in {one.fate for one in after if one.feature_id == bad}
    assert await PostgresPastRuns(there.reading).recent(there.tenant)


async def test_followers_of_the_log_get_every_header(there: World):
    bad, good = await poisoned(there)
    headers = await LogReader(there.projecting).after(0, 500)
    assert {header.feature_id for header in headers} == {*bad.values(), *good}
    (resumed,) = [h for h in headers if h.type == "feature_retried"]
    assert resumed.resume == ("dance",)


async def test_a_damaged_payload_that_resumes_steps_is_a_header_all_the_same(there: World):
    story = drafted().do(c.ConfirmBrief("- lend"))
    feature_id = await there.tell(story)
    there.sql("alter table es.events disable trigger append_only")
    there.sql(
        r"update es.events set type = 'feature_retried', payload = '\xff' where stream_id = %s"
        " and version = 2",
        feature_id,
    )
    last = (await LogReader(there.projecting).after(0, 500))[-1]
    assert last.resume == ("unreadable",)


def test_an_event_of_a_later_version_is_never_read_in_part() -> None:
    registry = Registry()
    clear = b'{"content_sha256":"a","recommendation":null,"override":false,"quorum":2}'
    with pytest.raises(Exception, match="fields that are not known"):
        registry.decode("spec_approved", 1, clear, None)
    carried = {
        "part": "brief",
        "parent_version": 1,
        "by": "user:x",
        "at": "2026-01-01T00:00:00Z",
        "event": {
            "type": "brief_confirmed",
            "brief": "b",
            "content_sha256": "a",
            "epoch": 1,
            "draft": True,
        },
    }
    with pytest.raises(Exception, match="fields that are not known"):
        registry.decode("part_carried", 1, msgspec.json.encode(carried), None)


async def test_a_damaged_signing_key_is_passed_over_and_replaced(there: World):
    from infrastructure.identity.signing_keys import SigningKeys  # noqa: PLC0415 - of this test alone.

    keys = SigningKeys(there.reading, MasterKey([MASTER]))
    (first,) = await keys.load()
    second = await keys.rotate()
    there.sql(r"update app.signing_keys set sealed = '\x00' where kid = %s", first.kid)
    assert [key.kid for key in await keys.load()] == [second.kid]
    there.sql(r"update app.signing_keys set sealed = '\x00'")
    (third,) = await keys.load()
    assert third.kid not in {first.kid, second.kid}
    assert [key.kid for key in await keys.load()] == [third.kid]
