"""What is computed about a change: how well, and what always holds."""

from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from domain.impact import ImpactKind, impact_of
from tests.impact.cases import KEPT_BACK, cases
from tests.impact.measure import base_of, measured, total

CASES = cases()
BY_HAND = [case for case in CASES if not case.app.by_demo]
ENOUGH = 0.9
MEASURED = measured()


def test_what_is_stale_is_found_and_little_else_is_called_so():
    score = total(MEASURED)
    assert min(score.precision, score.recall) >= ENOUGH


def test_what_surely_stays_holds_on_an_application_the_rules_were_not_fitted_to():
    score = total([one for one in MEASURED if one.case.app.name in KEPT_BACK])
    assert score.recall >= ENOUGH


@st.composite
def two_changes(draw):
    """An application, and a brief that changes some points, and one that changes more of them."""
    case = draw(st.sampled_from(BY_HAND))
    every = {**case.app.points}
    others = [one.points for one in CASES if one.app.name == case.app.name]
    few, many = dict(every), dict(every)
    for point in every:
        drawn = draw(st.sampled_from([None, None, "words", "gone", "other"]))
        if drawn is None:
            continue
        new = {
            "words": f"{every[point]} and a receipt",
            "gone": None,
            "other": draw(st.sampled_from(others)).get(point),
        }[drawn]
        for brief in (many, few) if draw(st.booleans()) else (many,):
            if new is None:
                del brief[point]
            else:
                brief[point] = new
    return case, few, many


@settings(max_examples=30)
@forall(two_changes())
def test_more_changes_never_make_less_stale_and_whoever_cites_a_changed_point_is(drawn):
    case, few, many = drawn
    less, more = impact_of(base_of(case), few), impact_of(base_of(case), many)
    for kind in ImpactKind:
        assert less.ids(kind) <= more.ids(kind), kind
        there = case.app.ids()[kind.value]
        assert more.ids(kind) | {*more.stays[kind]} == there
        assert not more.ids(kind) & {*more.stays[kind]}
    citing = {need.id for need in case.app.spec.requirements if {*need.sources} & {*more.points}}
    assert citing <= more.ids(ImpactKind.REQUIREMENTS)


@settings(max_examples=10)
@forall(two_changes())
def test_it_is_closed_and_each_thing_says_what_led_to_it(drawn):
    case, _, brief = drawn
    impact = impact_of(base_of(case), brief)
    owners = {file.path: file.task for file in case.app.plan.files}
    assert {owners[path] for path in impact.ids(ImpactKind.FILES)} == impact.ids(ImpactKind.TASKS)
    known = {*case.app.points, *brief}.union(*case.app.ids().values())
    for stale in (one for every in impact.stale.values() for one in every):
        assert stale.why
        assert known >= {*stale.why}


def test_the_same_brief_makes_nothing_stale():
    for case in {one.app.name: one for one in CASES}.values():
        impact = impact_of(base_of(case), case.app.points)
        assert impact.points == ()
        assert not any(impact.stale.values())


def test_what_is_named_beside_the_brief_is_stale_with_all_that_rests_on_it():
    case = next(one for one in CASES if one.app.name == "clinic")
    also = impact_of(base_of(case), case.app.points, ("FR-7", "app/main.ts", "tests/day.test.ts"))
    assert also.ids(ImpactKind.REQUIREMENTS) == {"FR-7"}
    assert also.ids(ImpactKind.CRITERIA) == {"AC-12", "AC-13"}
    assert {"app/main.ts", "app/domain/note.ts"} <= also.ids(ImpactKind.FILES)
    assert {"tests/day.test.ts", "tests/note.test.ts"} <= also.ids(ImpactKind.TESTS)
