"""A page folded in memory: what parks, what goes on, what is removed."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from infrastructure.read_models.cache import Cache
from infrastructure.read_models.fold import Batch, UnreadablePosition, touched_by
from infrastructure.read_models.views import Generations
from projections.dashboard import DASHBOARD
from projections.feature import FEATURE
from projections.message import MESSAGE
from tests.given import drafted
from tests.projections.given_events import TENANT, fact_of

ONE, TWO = UUID(int=11), UUID(int=12)


def facts(story, feature_id=ONE):
    return [fact_of(event, n, feature_id) for n, event in enumerate(story.events, 1)]


def brittle(row, fact):
    if isinstance(fact.event, e.FeatureRenamed):
        raise ZeroDivisionError
    return DASHBOARD.evolve(row, fact)


def rows_of(batch):
    return {(c.projection, c.feature_id): c.row for c in batch.changes()}


def test_features_of_one_page_do_not_touch_each_other():
    first = facts(drafted("One").do(c.RenameFeature("First")), ONE)
    second = facts(drafted("Two"), TWO)
    batch = Batch([DASHBOARD], {})
    batch.add([first[0], second[0], first[1]])
    rows = rows_of(batch)
    assert rows["dashboard", ONE].title == "First"
    assert rows["dashboard", TWO].title == "Two"
    assert batch.reached == {ONE: (TENANT, 2, 2), TWO: (TENANT, 1, 1)}


def test_rows_before_the_event_that_parks_are_kept_and_those_after_it_are_not_made():
    story = drafted("Before").do(c.RenameFeature("x")).do(c.ConfirmBrief("- lend"))
    batch = Batch([replace(DASHBOARD, evolve=brittle), FEATURE], {})
    batch.add(facts(story))
    rows = rows_of(batch)
    assert (rows["dashboard", ONE].title, rows["dashboard", ONE].version) == ("Before", 1)
    assert rows["feature", ONE].version == 3
    assert [(p.projection, p.version) for p in batch.parked] == [("dashboard", 2)]


def test_a_feature_that_parks_and_is_deleted_in_one_page_neither_waits_nor_stays():
    story = drafted("Secret").do(c.RenameFeature("x")).do(c.DeleteFeature())
    batch = Batch([replace(DASHBOARD, evolve=brittle)], {})
    batch.add(facts(story))
    assert rows_of(batch) == {("dashboard", ONE): None}
    assert batch.parked == []
    assert batch.waiting == set()


def test_a_feature_parked_before_is_passed_over():
    batch = Batch([DASHBOARD], {}, parked=[("dashboard", ONE)])
    batch.add(facts(drafted()))
    assert rows_of(batch) == {}
    assert batch.reached == {}


def test_an_unreadable_event_parks_its_feature_once_in_every_projection():
    batch = Batch([DASHBOARD, FEATURE], {})
    strange = UnreadablePosition(2, TENANT, ONE, 2, "UnknownEvent in feature_knighted")
    batch.add([*facts(drafted()), strange, replace(strange, version=3), *facts(drafted(), TWO)])
    assert {(p.projection, p.version) for p in batch.parked} == {("dashboard", 2), ("feature", 2)}
    assert rows_of(batch)["dashboard", TWO].version == 1


def test_only_features_that_a_projection_asks_for_are_loaded():
    wanted = touched_by([DASHBOARD, MESSAGE], facts(drafted()))
    assert wanted == {"dashboard": {ONE: TENANT}, "message": {}}


@pytest.mark.parametrize("kept", [1, 5])
def test_the_cache_holds_the_last_features_and_no_parked_one(kept):
    cache, generations = Cache(kept), Generations({"dashboard": 1}, 0)
    rows = {"dashboard": {UUID(int=n): {} for n in range(4)}}
    cache.keep(generations, rows, {("dashboard", UUID(int=3))})
    here, missing = cache.find(generations, {"dashboard": dict.fromkeys(rows["dashboard"], TENANT)})
    assert len(here["dashboard"]) == min(kept, 3)
    assert UUID(int=3) in missing["dashboard"]
    other = Generations({"dashboard": 2}, 0)
    assert cache.find(other, {"dashboard": {UUID(int=1): TENANT}})[0] == {"dashboard": {}}
