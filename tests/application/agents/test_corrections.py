"""Corrections go on while they bring something, and no longer."""

from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.corrections import MOST_CORRECTIONS, Corrections

FINDINGS = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), max_size=30)


def corrections(*told: str) -> int:
    """How many answers are corrected, of answers with these findings, a letter each."""
    corrections = Corrections()
    made = [corrections.deserved_by(list(findings)) for findings in told]
    return made.index(False) if False in made else len(made)


def test_fewer_findings_each_time_go_on() -> None:
    assert corrections("abcd", "bcd", "cd", "d") == 4


def test_the_same_findings_or_more_of_them_end_it() -> None:
    assert corrections("ab", "ab") == 1
    assert corrections("ab", "abc") == 1
    assert corrections("ab", "ba") == 1


def test_other_findings_mean_that_the_told_ones_are_mended() -> None:
    assert corrections("a", "b", "c") == 3


def test_going_in_circles_ends() -> None:
    assert corrections("a", "b", "a") == 2
    assert corrections("abc", "ab", "abc") == 2


def test_what_can_be_read_at_last_is_progress_however_much_is_found_in_it() -> None:
    corrections = Corrections()
    assert corrections.deserved_by(["a"], readable=False)
    assert corrections.deserved_by(["a", "b", "c"], readable=True)
    assert corrections.deserved_by(["b", "c"], readable=True)
    assert not corrections.deserved_by(["a"], readable=False)


@forall(FINDINGS)
def test_there_is_an_end(answers: list[list[str]]) -> None:
    corrections = Corrections()
    made = [corrections.deserved_by(findings) for findings in answers]
    assert sum(made) <= MOST_CORRECTIONS
