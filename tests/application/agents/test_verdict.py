"""The verdict is a function of evidence."""

from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.inspection import StaticFinding
from application.agents.verdict import verdict, with_evidence
from domain.documents import Confidence, Finding, Report, Severity
from domain.status import Verdict

CODE = "const a = 1;\nconst b = 2;\n"

findings = st.builds(
    Finding,
    title=st.sampled_from(["a", "b", "c", "d"]),
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Confidence),
    path=st.sampled_from(["a.ts", "gone.ts"]),
    line=st.integers(1, 9),
    quote=st.sampled_from(["const a = 1;", "const  b\n= 2;", "const c", "=", " "]),
    explanation=st.just("x"),
    fix=st.just("y"),
)


def judged(*found: Finding) -> Verdict:
    report, _ = with_evidence(Report("s", found), {"a.ts": CODE})
    return verdict(report, (), {"a.ts"})[0]


@forall(st.lists(findings, max_size=8))
def test_only_findings_with_evidence_are_kept_at_their_real_line(found):
    report, dropped = with_evidence(Report("s", tuple(found)), {"a.ts": CODE})
    lines = CODE.splitlines()
    for finding in report.findings:
        assert "".join(finding.quote.split()) in "".join(lines[finding.line - 1].split())
    real = [
        f
        for f in found
        if f.path == "a.ts" and "".join(f.quote.split()) in {"consta=1;", "constb=2;"}
    ]
    assert dropped == len(found) - len(real)


@forall(st.lists(findings, max_size=8), findings)
def test_more_findings_never_turn_fail_into_pass(found, another):
    if judged(*found) is Verdict.FAIL:
        assert judged(*found, another) is Verdict.FAIL


@forall(st.lists(findings, max_size=8))
def test_the_rule_is_the_documented_one(found):
    report, _ = with_evidence(Report("s", tuple(found)), {"a.ts": CODE})
    serious = any(
        f.severity in {"critical", "high"} and f.confidence in {"high", "medium"}
        for f in report.findings
    )
    mediums = sum(f.severity == "medium" and f.confidence == "high" for f in report.findings)
    failed = verdict(report, (), {"a.ts"})[0] is Verdict.FAIL
    assert failed == (serious or mediums >= 3)


def test_an_error_of_a_parser_fails():
    broken = StaticFinding("a.ts", 1, "syntax", "Broken.")
    decided, reasons = verdict(Report("s"), (broken,), {"a.ts"})
    assert decided is Verdict.FAIL
    assert reasons == ("Static check: a.ts:1: Broken.",)
