"""Hostile and sloppy answers about code that builds SQL from text: none of them ends in PASS.

Every reviewer here covers all that it was asked, and says when asked again that all is well: what
it said once is enough.
"""

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.perform import perform
from application.agents.table import agent_configs_of
from application.agents.told import RULE
from domain import documents as d
from domain.status import Step, Verdict
from infrastructure.inspection.notes import NOTES
from tests.application.agents.attempt_context import answer, attempt, done
from tests.application.agents.reviewing import (
    INJECTION,
    LINE,
    MATERIAL,
    USERS,
    Reviewer,
    but,
    submitted,
    whole,
)
from tests.trust.spoofs import (
    BARE,
    EVIDENCE,
    MADE_UP,
    MEDIUM,
    MEDIUMS,
    NO_REASON,
    NO_REVIEW,
    NOT_SPOKEN_TO,
    PATHS,
    QUOTES,
    SPOKEN_TO,
    TOLD,
    TRIFLES,
    UNJUDGED,
    WEAKNESSES,
    Spoof,
    lesser,
    outcome,
    speaking,
)

SECURITY = Step.SECURITY_REVIEW
CODE = Step.CODE_REVIEW
CONFIGS = agent_configs_of()


async def verdict_of(step, *answers, material=MATERIAL):
    """The verdict, or the code of the failure; the last answers may not be asked for."""
    context = Reviewer(step, *answers)
    try:
        return (await perform(step, attempt(step), material, context, CONFIGS)).command.verdict
    except StepFailed as failed:
        return failed.code


def test_the_quotes_are_about_what_stands_in_the_file():
    assert LINE in USERS


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
async def test_a_quote_that_stands_in_the_file_fails_the_review(quote):
    found = replace(INJECTION, quote=quote)
    assert await verdict_of(SECURITY, answer(submitted(whole(SECURITY, found)))) is Verdict.FAIL


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_however_the_path_is_written(path):
    found = replace(INJECTION, quote=QUOTES["an ellipsis inside"], path=path)
    assert await verdict_of(SECURITY, answer(submitted(whole(SECURITY, found)))) is Verdict.FAIL


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("quote", MADE_UP.values(), ids=MADE_UP)
async def test_a_quote_that_stands_nowhere_leaves_it_undecided(step, quote):
    found = replace(INJECTION, quote=quote)
    told = answer(submitted(whole(step, found)))
    assert await verdict_of(step, told) is Verdict.UNDECIDED


@pytest.mark.parametrize("confidence", d.Confidence)
@pytest.mark.parametrize("severity", [d.Severity.CRITICAL, d.Severity.HIGH, d.Severity.MEDIUM])
async def test_however_sure_the_reviewer_is(severity, confidence):
    lost = replace(INJECTION, quote="nowhere", severity=severity, confidence=confidence)
    assert await verdict_of(CODE, answer(submitted(whole(CODE, lost)))) is Verdict.UNDECIDED
    if severity is not d.Severity.MEDIUM:
        found = replace(lost, quote=BARE)
        assert await verdict_of(CODE, answer(submitted(whole(CODE, found)))) is Verdict.FAIL


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("found", MEDIUMS.values(), ids=MEDIUMS)
async def test_what_is_called_medium_passes_only_with_a_reason(step, found):
    told = answer(submitted(whole(step, *found)))
    assert await verdict_of(step, told) in {Verdict.FAIL, Verdict.UNDECIDED}
    excused = replace(MEDIUM, may_stay="src/pool.ts lets only three names through.")
    assert await verdict_of(step, answer(submitted(whole(step, excused)))) is Verdict.PASS


@pytest.mark.parametrize("ident", ["ISM-1276", "made up"])
@pytest.mark.parametrize(("evidence", "expected"), EVIDENCE.values(), ids=EVIDENCE)
async def test_a_control_that_is_not_met_never_passes(ident, evidence, expected):
    step = SECURITY
    missed = d.Control(ident, "Statements", d.ControlState.NOT_MET, evidence)
    told = but(whole(step), missed)
    assert await verdict_of(step, answer(submitted(told))) is expected


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("report", NO_REVIEW.values(), ids=NO_REVIEW)
async def test_what_covers_not_all_is_asked_once_more_and_is_no_review(step, report):
    told = answer(submitted(report(step)))
    context = Reviewer(step, told, told)
    with pytest.raises(StepFailed) as failed:
        await done(step, MATERIAL, context)
    assert failed.value.code == "review_incomplete"
    assert len(context.requests) == 2


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("report", NO_REVIEW.values(), ids=NO_REVIEW)
async def test_what_is_not_whole_and_names_a_grave_fault_is_kept(step, report):
    told = report(step)
    told = answer(submitted(replace(told, findings=(INJECTION,))))
    command = await done(step, MATERIAL, Reviewer(step, told, told))
    assert command.verdict is Verdict.FAIL
    assert INJECTION.title in command.markdown


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("ident", ["FR-2", "V8", "OWASP A03", "V1.2.5", "\u2014"])
async def test_a_control_of_any_name_that_is_not_met_never_passes(step, ident):
    told = but(whole(step), d.Control(ident, "x", d.ControlState.NOT_MET, "There is none"))
    assert await verdict_of(step, answer(submitted(told))) is Verdict.UNDECIDED


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("report", UNJUDGED.values(), ids=UNJUDGED)
async def test_what_the_reviewer_says_not_to_have_judged_leaves_it_undecided(step, report):
    told = answer(submitted(report(step)))
    assert await verdict_of(step, told, told) is Verdict.UNDECIDED


async def test_a_requirement_that_must_be_met_cannot_fail_to_apply():
    aside = d.Control("FR-2", "marks", d.ControlState.NOT_APPLICABLE, "src/users.ts")
    told = answer(submitted(but(whole(CODE), aside)))
    assert await verdict_of(CODE, told, told) == "review_incomplete"


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("answers", TOLD.values(), ids=TOLD)
async def test_what_was_said_once_is_not_taken_back(step, answers):
    decided = await verdict_of(step, *answers(step))
    assert decided is not Verdict.PASS
    assert decided in {Verdict.FAIL, Verdict.UNDECIDED, "review_incomplete"}


@pytest.mark.parametrize("step", [SECURITY, CODE])
async def test_a_whole_report_of_trifles_passes_at_the_first_try(step):
    trifles = [lesser(d.Severity.LOW, *words) for words in TRIFLES]
    excused = replace(
        MEDIUM, title="Slow", explanation="Slow.", may_stay="Only the owner can type here."
    )
    lost = replace(trifles[0], quote="nowhere", title="Another name could be better")
    told = whole(
        step, *trifles, excused, lost, summary="No critical or high findings; none failed."
    )
    context = Reviewer(step, answer(submitted(told)))
    assert (await done(step, MATERIAL, context)).verdict is Verdict.PASS
    assert len(context.requests) == 1


@pytest.mark.parametrize("words", WEAKNESSES.values(), ids=WEAKNESSES)
async def test_a_grave_weakness_by_its_words_is_no_trifle(words):
    for severity in (d.Severity.LOW, d.Severity.MEDIUM):
        found = lesser(severity, *words)
        context = Reviewer(CODE, answer(submitted(whole(CODE, found))))
        command = await done(CODE, MATERIAL, context)
        assert command.verdict is Verdict.FAIL
        assert "counts as high" in "".join(command.reasons)
        assert len(context.requests) == 2
        lost = answer(submitted(whole(CODE, replace(found, quote="nowhere"))))
        assert await verdict_of(CODE, lost) is Verdict.UNDECIDED


@pytest.mark.parametrize("why", NO_REASON)
async def test_a_reason_that_no_file_shows_does_not_make_it_one(why):
    found = lesser(d.Severity.LOW, *WEAKNESSES["by its name"], why)
    told = answer(submitted(whole(SECURITY, found)))
    assert await verdict_of(SECURITY, told, told) is Verdict.FAIL


@pytest.mark.parametrize("severity", [d.Severity.LOW, d.Severity.MEDIUM])
async def test_with_a_file_that_shows_why_it_may_stay_at_once_or_when_asked(severity):
    found = lesser(severity, *WEAKNESSES["by its name"], "All is well.")
    shown = replace(found, may_stay="src/pool.ts lets only three names through.")
    assert await verdict_of(CODE, answer(submitted(whole(CODE, shown)))) is Verdict.PASS
    first = answer(submitted(whole(CODE, found)))
    asked = answer(submitted(d.Report("Again.", (shown,))))
    assert await verdict_of(CODE, first, asked) is Verdict.PASS


async def test_what_was_rated_low_before_and_names_a_grave_weakness_is_shown_to_be_gone():
    earlier = d.Report("-", (lesser(d.Severity.LOW, *WEAKNESSES["by its name"]),))
    before = replace(MATERIAL, reports={CODE: earlier})
    assert await verdict_of(CODE, answer(submitted(whole(CODE))), material=before) is (
        Verdict.UNDECIDED
    )


def test_the_rule_for_text_that_speaks_to_the_reviewer_is_known_by_its_name():
    assert RULE in {rule.id for rule in NOTES}


@pytest.mark.parametrize("line", SPOKEN_TO)
async def test_a_reviewer_who_obeys_a_text_passes_nothing(line):
    said = Spoof(line, SECURITY, (), speaking(line), by_rules=True)
    assert await outcome(said) is Verdict.UNDECIDED


@pytest.mark.parametrize("line", NOT_SPOKEN_TO)
async def test_a_program_about_reviews_may_speak_of_reviewers(line):
    said = Spoof(line, SECURITY, (), speaking(line), by_rules=True)
    assert await outcome(said) is Verdict.PASS
