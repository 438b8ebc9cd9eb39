"""The truth is about things that are there."""

import pytest

from tests.impact.cases import KINDS, Case, cases

CASES = cases()


def _name(case: Case) -> str:
    return f"{case.app.name}: {case.name}"


def test_there_are_enough_changes_and_a_third_is_on_applications_of_others():
    assert len(CASES) >= 60
    assert sum(not case.app.by_demo for case in CASES) >= 20
    assert len({_name(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_truth_names_what_there_is(case):
    there = case.app.ids()
    assert all(case.truth[kind] <= there[kind] for kind in KINDS)
    owners = {file.path: file.task for file in case.app.plan.files}
    assert {owners[path] for path in case.truth["files"]} == set(case.truth["tasks"])
    assert case.points != case.app.points
    assert set(case.app.files) == there["files"]
