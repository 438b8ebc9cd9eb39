"""The past by property: looking back shows what was shown when it was the present."""

from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from domain.status import Gate
from interface.http import pasts as module
from interface.http.pasts import Pasts
from projections.feature import FEATURE
from projections.message import MESSAGE
from projections.past import Looking, Past
from projections.run import RUN
from tests.domain.test_feature_properties import MOVES, lived
from tests.examples import examples
from tests.given import Story, at_gate
from tests.projections.given_events import FEATURE_ID, TENANT, all_rows_after, facts_of


def past_of(facts) -> Past | None:
    looking = Looking()
    for fact in facts:
        looking.add(fact)
    return looking.past()


@settings(max_examples=examples(80), deadline=None)
@forall(st.lists(MOVES, max_size=60), st.integers(0, 10_000))
def test_what_is_seen_of_a_version_is_what_was_shown_then(moves, pick):
    facts = facts_of(lived(moves)[0].events)
    version = 1 + pick % len(facts)
    past = past_of(facts[:version])
    then = all_rows_after(facts[:version])
    if not then[FEATURE.name]:
        assert past is None
        return
    row = then[FEATURE.name][""]
    assert past.feature == row
    assert past.feature.version == version
    shown = {i: m for i, m in then[MESSAGE.name].items() if row.shows(m.version)}
    assert past.messages == tuple(shown[item] for item in sorted(shown))
    assert set(past.runs) == set(then[RUN.name].values())
    assert [run.version for run in past.runs] == sorted(run.version for run in past.runs)


def test_a_version_is_remembered_until_others_were_looked_at_or_it_was_deleted(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 2)
    facts = facts_of(at_gate(Gate.SPEC).events)
    pasts = Pasts()
    first, second, third = (past_of(facts[:version]) for version in (1, 2, 3))
    for past in (first, second):
        pasts.keep(TENANT, past)
    assert pasts.find(TENANT, FEATURE_ID, 1) is first
    pasts.keep(TENANT, third)
    assert pasts.find(TENANT, FEATURE_ID, 2) is None
    assert pasts.find(FEATURE_ID, FEATURE_ID, 1) is None
    pasts.forget(FEATURE_ID)
    assert pasts.find(TENANT, FEATURE_ID, 1) is None


def test_there_is_nothing_before_the_beginning():
    assert past_of(facts_of(Story().events)) is None


def test_a_fork_shows_its_documents_under_the_names_of_those_who_wrote_them():
    story = at_gate(Gate.SPEC)
    fork = story.fork(story.feature.checkpoints[-1].version)
    row = past_of(facts_of(fork.events)).feature
    parent = past_of(facts_of(story.events)).feature
    assert row.deliverables.spec.content_sha256 == parent.deliverables.spec.content_sha256
    assert row.forked_from is not None
    assert row.cost_usd == 0
