"""The verdict is a function of evidence, and fails closed."""

from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.checklist import ReviewScope
from application.agents.heard import Heard
from application.agents.inspection import StaticFinding
from application.agents.verdict import GRAVE, Examined, examined, verdict
from domain.documents import Confidence, Finding, Report, Severity
from domain.status import Verdict

CODE = "const a = 1;\nconst b = 2;\n"
ASKED = ReviewScope("code_review")
ORDER = (Verdict.FAIL, Verdict.UNDECIDED, Verdict.PASS)

findings = st.builds(
    Finding,
    title=st.sampled_from(["a", "b", "c", "d"]),
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Confidence),
    path=st.sampled_from(["a.ts", "gone.ts"]),
    line=st.integers(1, 9),
    quote=st.sampled_from(["const a = 1;", "const  b\n= 2;", "let c", "=", " "]),
    explanation=st.just("x"),
    fix=st.just("y"),
    may_stay=st.sampled_from(["", "It may."]),
)


def looked(*found: Finding) -> Examined:
    return examined(Heard(Report("s", found)), ASKED, {"a.ts": CODE})


def judged(*found: Finding) -> Verdict:
    return verdict(looked(*found), ())[0]


@forall(st.lists(findings, max_size=8))
def test_all_findings_are_kept_and_what_is_placed_stands_at_its_real_line(found):
    kept = looked(*found).report.findings
    lines = CODE.splitlines()
    for finding in kept:
        if finding.placed:
            assert "".join(finding.quote.split()) in "".join(lines[finding.line - 1].split())
            assert finding.path == "a.ts"
    real = {"consta=1;", "constb=2;"}
    assert {f.title for f in found} == {f.title for f in kept}
    for finding in found:
        stands = "".join(finding.quote.split()) in real
        if finding.path == "a.ts":
            assert any(f.title == finding.title and f.placed is stands for f in kept)


@forall(st.lists(findings, max_size=8), findings)
def test_more_findings_never_make_a_verdict_better(found, another):
    before, after = judged(*found), judged(*found, another)
    assert ORDER.index(after) <= ORDER.index(before) or (
        # Only the reason why a medium one may stay clears something: that it may.
        before is Verdict.UNDECIDED and another.severity is Severity.MEDIUM and another.may_stay
    )


@forall(st.lists(findings, max_size=8))
def test_nothing_grave_ever_passes(found):
    grave = [f for f in found if f.severity in GRAVE]
    if grave:
        assert judged(*found) is not Verdict.PASS
    if any(f.placed and f.severity in GRAVE for f in looked(*found).report.findings):
        assert judged(*found) is Verdict.FAIL


@forall(st.lists(findings, max_size=8))
def test_trifles_alone_pass(found):
    assert judged(*(replace(f, severity=Severity.LOW) for f in found)) is Verdict.PASS


def test_an_error_of_a_parser_fails():
    broken = StaticFinding("a.ts", 1, "syntax", "Broken.")
    decided, reasons = verdict(looked(), (broken,))
    assert decided is Verdict.FAIL
    assert reasons == ("Static check: a.ts:1: Broken.",)
