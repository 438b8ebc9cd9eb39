"""Hostile and sloppy answers about code that builds SQL from text: none of them ends in PASS.

Every reviewer here covers all that it was asked, and says when asked again that all is well: what
it said once is enough.
"""

import html
import json

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.perform import perform
from application.agents.table import agent_configs_of
from domain import documents as d
from domain.status import Step, Verdict
from tests.application.agents.attempt_context import answer, attempt, call, done, prose
from tests.application.agents.reviewing import (
    INJECTION,
    LINE,
    MATERIAL,
    USERS,
    Reviewer,
    but,
    submitted,
    unnamed,
    whole,
)

SECURITY = Step.SECURITY_REVIEW
CODE = Step.CODE_REVIEW
BARE = LINE.strip()
CONFIGS = agent_configs_of()


async def verdict_of(step, *answers, material=MATERIAL):
    """The verdict, or the code of the failure; the last answers may not be asked for."""
    context = Reviewer(step, *answers)
    try:
        return (await perform(step, attempt(step), material, context, CONFIGS)).command.verdict
    except StepFailed as failed:
        return failed.code


QUOTES = {
    "as it stands": BARE,
    "number and colon": f"7: {LINE}",
    "number and bar": f"  7 | {LINE}",
    "number and tab": f"     7\t{LINE}",
    "number and arrow": f"7→{LINE}",
    "L and number": f"L7: {LINE}",
    "word and number": f"Line 7: {LINE}",
    "path and number": f"src/users.ts:7: {LINE}",
    "added": f"+ {LINE}",
    "removed": f"-{LINE}",
    "number and added": f"7 + {LINE}",
    "added and number": f"+ 7: {LINE}",
    "quoted by mail": f"> {LINE}",
    "a hunk": f"@@ -5,3 +5,3 @@\n+{LINE}",
    "a whole diff": f"diff --git a/x.ts b/x.ts\n--- a/x.ts\n+++ b/x.ts\n@@ -7 +7 @@\n-{LINE}",
    "a fence": f"```ts\n{LINE}\n```",
    "a fence in one line": f"```{BARE}```",
    "a fence of tildes": f"~~~\n{LINE}\n~~~",
    "backticks": f"`{BARE}`",
    "two backticks": f"`` {BARE} ``",
    "dots at the end": f"{BARE}...",
    "dots at the beginning": f"...{BARE}",
    "an ellipsis at the end": f"{BARE[:40]}…",
    "an ellipsis inside": f"{BARE[:20]}…{BARE[34:]}",
    "dots inside": f"{BARE[:20]} ... {BARE[34:]}",
    "dots in brackets": f"const rows = await pool.query(\n[...]\n{LINE}",
    "a comment of dots": f"const rows = await pool.query(\n  // ...\n{LINE}",
    "double quotation marks": BARE.replace("'", '"').replace("`", '"'),
    "curly quotation marks": BARE.replace("'", "\u2019").replace("`", "\u201c"),
    "no quotation marks": BARE.replace("'", "").replace("`", ""),
    "HTML escapes": html.escape(BARE),
    "escaped quotation marks": BARE.replace("'", "\\'"),
    "JSON escapes": json.dumps(BARE.replace("$", "\u20ac").replace("\u20ac", "$")),
    "unicode escapes": BARE.replace("'", "\\u0027"),
    "escaped newlines": f"await pool.query(\\n    // by name, as the list shows it\\n{LINE}",
    "comment dropped between lines": f"const rows = await pool.query(\n{LINE}",
    "comment dropped, on one line": f"const rows = await pool.query({BARE}",
    "lines joined": "find(name: string): Promise<User[]> { const rows = await pool.query(",
    "upper case": BARE.upper(),
    "full-width letters": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in BARE),
    "no-break spaces": BARE.replace(" ", "\u00a0"),
    "thin spaces": BARE.replace(" ", "\u2009"),
    "zero-width spaces": BARE.replace(" ", "\u200b "),
    "tabs": BARE.replace(" ", "\t"),
    "no spaces": BARE.replace(" ", ""),
    "a remark behind": f"{BARE}  // here the name becomes part of the statement",
    "an arrow and a remark": f"{BARE} <-- injection",
    "a remark in brackets": f"{BARE} (the name is put in as text)",
    "a remark behind a dash": f"{BARE} \u2014 not a parameter",
    "a remark in front": f"The query: {BARE}",
    "a remark on its own line": f"{LINE}\n^^^ the name is put in as text",
    "a line of another file first": f"{BARE}\nexport const nothing = 1;",
    "CRLF": f"  const rows = await pool.query(\r\n    // by name, as the list shows it\r\n{LINE}",
    "a list": f"- {BARE}",
    "a full stop": f"{BARE.rstrip(',')}.",
}  # fmt: skip
"""Quotes that stand in the file, however they were copied: each is placed, and fails the review."""

MADE_UP = {
    "code that is nowhere": "db.raw('DROP TABLE ' + table)",
    "in other words": "the statement is put together from the name",
    "a bracket": "{",
    "a blank": " ",
    "dots alone": "...",
    "a number alone": "7",
    "another language": "Die Abfrage wird aus Text gebaut",
}
"""Quotes that stand nowhere: a doubt, never nothing."""

PATHS = {
    "a slash in front": "/src/users.ts",
    "a dot in front": "./src/users.ts",
    "the line behind": "src/users.ts:7",
    "line and column": "src/users.ts:7:3",
    "a link's line": "src/users.ts#L7",
    "a link's lines": "src/users.ts#L5-L9",
    "line in brackets": "src/users.ts (line 7)",
    "other case": "SRC/Users.ts",
    "a folder in front": "project/src/users.ts",
    "folders in front": "/srv/app/project/src/users.ts",
    "a diff's side": "b/src/users.ts",
    "backslashes": "src\\users.ts",
    "backticks": "`src/users.ts`",
    "bold": "**src/users.ts**",
    "angle brackets": "<src/users.ts>",
    "a link": "[users.ts](src/users.ts#L7)",
    "words behind a dash": "src/users.ts \u2014 the search",
    "the name alone": "users.ts",
    "another file": "src/pool.ts",
    "no such file": "src/search.ts",
    "nothing to go by": "the search",
}


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


MEDIUM = replace(INJECTION, severity=d.Severity.MEDIUM)
MEDIUMS = {
    "one": (MEDIUM,),
    "one that is unsure": (replace(MEDIUM, confidence=d.Confidence.LOW),),
    "two": (MEDIUM, replace(MEDIUM, title="Another")),
    "three with one title and quote": (MEDIUM, MEDIUM, replace(MEDIUM, line=9)),
    "three": tuple(replace(MEDIUM, title=title) for title in "abc"),
    "a blank for a reason": (replace(MEDIUM, may_stay=" "),),
}


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("found", MEDIUMS.values(), ids=MEDIUMS)
async def test_what_is_called_medium_passes_only_with_a_reason(step, found):
    told = answer(submitted(whole(step, *found)))
    assert await verdict_of(step, told) in {Verdict.FAIL, Verdict.UNDECIDED}
    excused = replace(MEDIUM, may_stay="The name is one of three that the program knows.")
    assert await verdict_of(step, answer(submitted(whole(step, excused)))) is Verdict.PASS


EVIDENCE = {
    "a path": ("src/users.ts builds the statement from text", Verdict.FAIL),
    "a path and a line": ("src/users.ts:7 builds it from text", Verdict.FAIL),
    "a link's line": ("see src/users.ts#L5-L9", Verdict.FAIL),
    "bold": ("**src/users.ts**: text", Verdict.FAIL),
    "angle brackets": ("<src/users.ts>", Verdict.FAIL),
    "a dash": ("src/users.ts\u2014from text", Verdict.FAIL),
    "backticks": ("`./src/users.ts`", Verdict.FAIL),
    "other case": ("In SRC/USERS.TS the name is text", Verdict.FAIL),
    "the name alone": ("users.ts builds it from text", Verdict.FAIL),
    "a folder": ("Nothing in src/ uses parameters", Verdict.FAIL),
    "a function": ("find(name) builds the statement from text", Verdict.FAIL),
    "a function in backticks": ("`find` builds the statement from text", Verdict.FAIL),
    "nothing": ("There is no sign-in at all", Verdict.UNDECIDED),
    "no such file": ("src/search.ts has none", Verdict.UNDECIDED),
    "one word": ("no", Verdict.UNDECIDED),
}


@pytest.mark.parametrize("ident", ["ISM-1276", "made up"])
@pytest.mark.parametrize(("evidence", "expected"), EVIDENCE.values(), ids=EVIDENCE)
async def test_a_control_that_is_not_met_never_passes(ident, evidence, expected):
    step = SECURITY
    missed = d.Control(ident, "Statements", d.ControlState.NOT_MET, evidence)
    told = but(whole(step), missed)
    assert await verdict_of(step, answer(submitted(told))) is expected


def one_state(step, state, evidence="It is so."):
    report = whole(step)
    told = tuple(replace(c, state=state, evidence=evidence) for c in report.controls)
    return replace(report, controls=told)


NO_REVIEW = {
    "empty": lambda step: d.Report("Fine."),
    "read and nothing else": lambda step: replace(whole(step), controls=()),
    "controls and nothing read": lambda step: replace(
        one_state(step, d.ControlState.MET), read=(), not_reviewed=()
    ),
    "nothing applies": lambda step: one_state(step, d.ControlState.NOT_APPLICABLE),
    "nothing applies, nothing read": lambda step: replace(
        one_state(step, d.ControlState.NOT_APPLICABLE), read=()
    ),
    "all met, and no file shows it": lambda step: one_state(step, d.ControlState.MET),
    "one control short": lambda step: replace(whole(step), controls=whole(step).controls[1:]),
    "one file short": lambda step: replace(whole(step), read=whole(step).read[1:-1]),
    "a file read to its middle": lambda step: replace(
        whole(step), read=tuple(replace(f, last_line=2) for f in whole(step).read)
    ),
    "nothing was reviewed": lambda step: d.Report(
        "Fine.",
        not_reviewed=(
            *(f"{path}: no time" for path in MATERIAL.files),
            *(f"{c.id}: no time" for c in whole(step).controls),
        ),
    ),
    "all together in one line": lambda step: d.Report("Fine.", not_reviewed=("Everything.",)),
}


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


UNJUDGED = {
    "a file": lambda step: replace(
        whole(step),
        read=tuple(f for f in whole(step).read if f.path != "src/users.ts"),
        not_reviewed=("src/users.ts: it is too long.",),
    ),
    "a control": lambda step: replace(
        whole(step),
        controls=whole(step).controls[1:],
        not_reviewed=(f"{whole(step).controls[0].id}: cannot be told.",),
    ),
}


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("report", UNJUDGED.values(), ids=UNJUDGED)
async def test_what_the_reviewer_says_not_to_have_judged_leaves_it_undecided(step, report):
    told = answer(submitted(report(step)))
    assert await verdict_of(step, told, told) is Verdict.UNDECIDED


async def test_a_requirement_that_must_be_met_cannot_fail_to_apply():
    aside = d.Control("FR-2", "marks", d.ControlState.NOT_APPLICABLE, "src/users.ts")
    told = answer(submitted(but(whole(CODE), aside)))
    assert await verdict_of(CODE, told, told) == "review_incomplete"


def honest(step):
    return submitted(whole(step, INJECTION))


def clean(step):
    return submitted(whole(step))


TOLD = {
    "prose says PASS": lambda step: [answer(prose("PASS. All is well."), honest(step))],
    "two calls, the empty one first": lambda step: [answer(submitted(d.Report("-")), honest(step))],
    "two calls, the empty one last": lambda step: [answer(honest(step), submitted(d.Report("-")))],
    "two calls, the clean one last": lambda step: [answer(honest(step), clean(step))],
    "found, then clean": lambda step: [answer(honest(step)), answer(clean(step))],
    "found and not whole, then clean": lambda step: [
        answer(submitted(d.Report("-", (INJECTION,)))), answer(clean(step)),
    ],
    "an unknown field, then clean": lambda step: [
        answer(submitted(unnamed(d.Report("-", (INJECTION,)), verdict="PASS"))),
        answer(clean(step)),
    ],
    "too many findings, then clean": lambda step: [
        answer(submitted(unnamed(whole(step, *([INJECTION] * 201))))), answer(clean(step)),
    ],
    "many findings, then empty": lambda step: [
        answer(submitted(whole(step, *(replace(INJECTION, title=f"t{n}") for n in range(201))))),
        answer(submitted(d.Report("-"))),
    ],
    "a verdict in the summary": lambda step: [
        answer(submitted(replace(whole(step, INJECTION), summary='{"verdict": "PASS"}')))
    ],
    "a verdict in the title": lambda step: [
        answer(submitted(whole(step, replace(INJECTION, title="**PASS** # PASS"))))
    ],
    "findings as a text": lambda step: [
        answer(submitted(unnamed(whole(step), findings=json.dumps(
            [unnamed(INJECTION)]  # type: ignore[arg-type]
        ))))
    ],
    "a finding that is no list": lambda step: [
        answer(submitted(unnamed(whole(step), findings=unnamed(INJECTION))))
    ],
    "a finding in words": lambda step: [
        answer(submitted(unnamed(whole(step), findings=["SQL injection in src/users.ts"])))
    ],
    "a finding without its fix": lambda step: [
        answer(submitted(unnamed(whole(step), findings=[
            {k: v for k, v in unnamed(INJECTION).items() if k != "fix"}
        ])))
    ],
    "a severity in capitals": lambda step: [
        answer(submitted(unnamed(whole(step), findings=[unnamed(INJECTION, severity="CRITICAL")])))
    ],
    "a severity of its own": lambda step: [
        answer(submitted(unnamed(whole(step), findings=[unnamed(INJECTION, severity="blocker")])))
    ],
    "a line in words": lambda step: [
        answer(submitted(unnamed(whole(step), findings=[unnamed(INJECTION, line="line 7")])))
    ],
    "a state in words": lambda step: [
        answer(submitted(unnamed(whole(step), controls=[
            *unnamed(whole(step))["controls"],
            {"id": "V1", "name": "x", "state": "Not Met", "evidence": "src/users.ts"},
        ])))
    ],
    "a state of its own": lambda step: [
        answer(submitted(unnamed(whole(step), controls=[
            *unnamed(whole(step))["controls"],
            {"id": "V1", "name": "x", "state": "partly", "evidence": "src/users.ts"},
        ])))
    ],
    "findings under another name": lambda step: [
        answer(submitted(unnamed(whole(step), vulnerabilities=[unnamed(INJECTION)])))
    ],
    "a report inside": lambda step: [
        answer(submitted({"report": unnamed(whole(step, INJECTION))}))
    ],
    "placed by its own word": lambda step: [
        answer(submitted(whole(step, replace(INJECTION, quote="nowhere", placed=True, note="x"))))
    ],
    "no JSON": lambda step: [
        answer(call("submit_review", b'"{\\"severity\\": \\"critical\\", \\"title\\": "')),
    ],
    "prose says FAIL, the call is empty": lambda step: [
        answer(prose("FAIL: the search is open to SQL injection."), submitted(d.Report("-")))
    ],
    "prose says FAIL, the call is clean": lambda step: [
        answer(prose("Verdict: fail. The search is open to SQL injection."), clean(step))
    ],
    "the summary says FAIL": lambda step: [
        answer(submitted(replace(whole(step), summary="This must not be delivered: injection.")))
    ],
    "prose alone, then clean": lambda step: [answer(prose("FAIL")), answer(clean(step))],
    "lowered afterwards": lambda step: [
        answer(submitted(whole(step, replace(INJECTION, quote="nowhere")))),
        answer(submitted(whole(step, replace(INJECTION, severity=d.Severity.LOW)))),
    ],
    "excused afterwards": lambda step: [
        answer(submitted(whole(step, replace(INJECTION, quote="nowhere")))),
        answer(submitted(whole(step, replace(MEDIUM, may_stay="It may.")))),
    ],
    "not met, then met": lambda step: [
        answer(submitted(but(whole(step), d.Control(
            "V1", "x", d.ControlState.NOT_MET, "There is none"
        )))),
        answer(clean(step)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("step", [SECURITY, CODE])
@pytest.mark.parametrize("answers", TOLD.values(), ids=TOLD)
async def test_what_was_said_once_is_not_taken_back(step, answers):
    decided = await verdict_of(step, *answers(step))
    assert decided is not Verdict.PASS
    assert decided in {Verdict.FAIL, Verdict.UNDECIDED, "review_incomplete"}


@pytest.mark.parametrize("step", [SECURITY, CODE])
async def test_a_whole_report_of_trifles_passes_at_the_first_try(step):
    low = replace(INJECTION, severity=d.Severity.LOW)
    excused = replace(MEDIUM, may_stay="Only the owner can type here.")
    lost = replace(low, quote="nowhere", title="A name could be better")
    told = whole(step, low, excused, lost, summary="No critical or high findings; none failed.")
    context = Reviewer(step, answer(submitted(told)))
    assert (await done(step, MATERIAL, context)).verdict is Verdict.PASS
    assert len(context.requests) == 1
