"""Reviews files by reading them. Invariant: a finding quotes a line that really is there."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import documents as d
from infrastructure.demo_model.author.controls import controls

LONGEST_QUOTE = 400
HEAD = re.compile(r'=== ("[^"\n]{1,300}") \(\d{1,9} lines\)')
INERT = re.compile(r"\\u003c(?=\s*+(?:/\s*+)?input\b)", re.IGNORECASE)
"""What stands for the sign that would open or close an input."""
CODE = (".ts", ".tsx", ".js", ".mjs", ".py", ".html", ".sql", ".svelte")


class Sign(Struct, frozen=True):
    """Something to be found in a line of code."""

    pattern: re.Pattern[str]
    title: str
    severity: d.Severity
    explanation: str
    fix: str
    once: bool = False
    may_stay: str = ""


SQL = r"(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b"
NEAR = 200
"""Characters between the parts of a flaw: who builds a statement does it in one place."""
FLAWS = (
    Sign(
        re.compile(r"\beval\s*\(|\bnew Function\s*\("),
        "Text is run as code",
        d.Severity.HIGH,
        "Whoever can influence the text can run anything.",
        "Read the value as data.",
    ),
    Sign(
        re.compile(rf"{SQL}[^`]{{0,{NEAR}}}\$\{{|[\"'] ?{SQL}[^\"']{{0,{NEAR}}}[\"'] ?\+"),
        "SQL is built from parts",
        d.Severity.HIGH,
        "A value can change the meaning of the statement.",
        "Use a constant statement and pass the value as a parameter.",
    ),
    Sign(
        re.compile(r"\.innerHTML\s*=|document\.write\s*\("),
        "Text goes into the page as HTML",
        d.Severity.HIGH,
        "A stored text can run script in somebody else's browser.",
        "Use textContent.",
    ),
    Sign(
        re.compile(r"rejectUnauthorized\s*:\s*false"),
        "Certificates are not checked",
        d.Severity.HIGH,
        "Anybody on the way can read and change what is sent.",
        "Leave the check on.",
    ),
    Sign(
        re.compile(
            r"\b(password|secret|api_?key|token)\b\s*[:=]\s*[\"'][^\"'\s]{8,}[\"']", re.IGNORECASE
        ),
        "A secret stands in the code",
        d.Severity.HIGH,
        "Everybody who has the code has it too.",
        "Read it from the environment.",
    ),
    Sign(
        re.compile(r"access-control-allow-origin[\"']?\s*[:,]\s*[\"']\*"),
        "Every website may read the answers",
        d.Severity.HIGH,
        "Any page a person visits can read the data.",
        "Name the origins.",
    ),
)
SECURITY = (
    Sign(
        re.compile(r"createServer\(createHandler\("),
        "There is no sign-in yet",
        d.Severity.MEDIUM,
        "Whoever reaches the address can read and change everything; the server listens on the "
        "local computer only unless HOST says otherwise.",
        "Add sign-in before the page is opened to a network.",
        once=True,
        may_stay="It is for one household or office and listens on the local computer only; "
        "README.md says so.",
    ),
)
QUALITY = (
    Sign(
        re.compile(r"const PAGE_SIZE = "),
        "The page shows the newest entries only",
        d.Severity.LOW,
        "The server gives 50 entries at a time, and the page has no button for the next ones; "
        "older entries are found by searching.",
        "Add a button that asks for the next offset.",
        once=True,
    ),
)
POOR = (
    Sign(
        # In comments: a title or a text may well say "todo".
        re.compile(
            r"(?://|/\*|<!--) ?(?:\.{3} ?)?(?:(?:the )?rest of |not implemented|todo\b|fixme\b"
            r"|[^\n]{0,80}(?:goes here|remains? unchanged))",
            re.IGNORECASE,
        ),
        "Something is left out",
        d.Severity.HIGH,
        "The file is not whole.",
        "Write it out.",
    ),
    Sign(
        re.compile(r"catch\s*+(\([^()]*\)\s*+)?\{\s*+\}"),
        "An error is passed over in silence",
        d.Severity.MEDIUM,
        "Nobody learns that it happened.",
        "Say it or pass it on.",
        may_stay="What was asked for still works.",
    ),
    Sign(
        re.compile(r"@ts-(ignore|nocheck)"),
        "The type checker is switched off",
        d.Severity.MEDIUM,
        "Mistakes it would show stay hidden.",
        "Mend the type.",
        may_stay="It changes nothing that runs.",
    ),
)


def files_of(inputs: dict[str, Any]) -> dict[str, str]:
    """The files handed over, by path, whatever their shape."""
    given = inputs.get("files") or {}
    pairs: list[tuple[Any, Any]]
    if isinstance(given, str):
        pairs = list(_of_lines(given))
    elif isinstance(given, dict):
        pairs = list(given.items())
    else:
        pairs = [(x.get("path", ""), x.get("content", "")) for x in given if isinstance(x, dict)]
    return {str(path): str(content) for path, content in pairs if path and content}


def _of_lines(text: str) -> Iterator[tuple[str, str]]:
    """The files of a text with a head for each, and its lines behind their numbers."""
    path, lines = "", list[str]()
    for line in text.split("\n"):
        if head := HEAD.match(line):
            yield path, "\n".join(lines)
            path, lines = json.loads(head[1]), []
        else:
            lines.append(INERT.sub("<", line.partition("| ")[2]))
    yield path, "\n".join(lines)


def _found(files: dict[str, str], signs: Iterable[Sign]) -> Iterator[d.Finding]:
    for sign in signs:
        for path, number, line in _lines(files):
            if sign.pattern.search(line):
                yield d.Finding(
                    title=sign.title,
                    severity=sign.severity,
                    confidence=d.Confidence.HIGH,
                    path=path,
                    line=number,
                    quote=line.strip()[:LONGEST_QUOTE],
                    explanation=sign.explanation,
                    fix=sign.fix,
                    may_stay=sign.may_stay,
                )
                if sign.once:
                    break


def _lines(files: dict[str, str]) -> Iterator[tuple[str, int, str]]:
    for path, content in files.items():
        if path.endswith(CODE) and not path.startswith("tests/"):
            for number, line in enumerate(content.split("\n"), start=1):
                if line.strip():
                    yield path, number, line


def _requirements(inputs: dict[str, Any], files: dict[str, str]) -> tuple[d.Control, ...]:
    """Each requirement that must be met, by the file that its task writes."""
    spec, plan = inputs.get("spec") or {}, inputs.get("plan") or {}
    tasks = plan.get("tasks") or () if isinstance(plan, dict) else ()
    listed = []
    for requirement in spec.get("requirements") or () if isinstance(spec, dict) else ():
        if requirement.get("priority", d.Priority.MUST) != d.Priority.MUST:
            continue
        ident = requirement["id"]
        written = (p for t in tasks if ident in t.get("requirements", ()) for p in t["writes"])
        where = next((path for path in written if path in files), next(iter(files), "-"))
        name = str(requirement.get("response", ident))[:80] or ident
        shows = f"{where}: it is planned there, and written."
        listed.append(d.Control(ident, name, d.ControlState.MET, shows))
    return tuple(listed)


def _answers(
    inputs: dict[str, Any], files: dict[str, str], found: set[str]
) -> tuple[d.FindingAnswer, ...]:
    """An answer to each earlier finding: it stands if it is found again by its title."""
    asked = [
        one
        for name in ("earlier_findings", "rule_findings")
        for one in inputs.get(name) or ()
        if isinstance(one, dict)
    ]
    where = next(iter(files), "-")
    return tuple(
        d.FindingAnswer(
            str(one["id"]),
            stands=one.get("title") in found,
            reason=f"{one['path'] if one.get('path') in files else where}: read again.",
        )
        for one in asked
    )


def _read(files: dict[str, str]) -> tuple[d.ReadFile, ...]:
    return tuple(
        d.ReadFile(path, len(content.removesuffix("\n").split("\n")))
        for path, content in files.items()
    )


def write_review(agent: str, inputs: dict[str, Any]) -> d.Report:
    """The report of the security reviewer or of the code reviewer."""
    files = files_of(inputs)
    security = agent == "security_review"
    signs = (*FLAWS, *SECURITY) if security else (*POOR, *QUALITY)
    findings = tuple(_found(files, signs))[:200]
    grave = sum(f.severity in (d.Severity.HIGH, d.Severity.CRITICAL) for f in findings)
    kind = "security" if security else "code"
    return d.Report(
        summary=(
            f"Written by the demo model: a {kind} review by a list of signs, not by understanding. "
            f"Files read: {len(files)}. Findings: {len(findings)}, grave: {grave}."
        ),
        findings=findings,
        controls=(
            controls((path, line) for path, _, line in _lines(files))
            if security
            else _requirements(inputs, files)
        ),
        not_reviewed=("The packages' own code.", "How it behaves when it runs: nothing was run."),
        read=_read(files),
        answers=_answers(inputs, files, {finding.title for finding in findings}),
    )


def failing_review(agent: str, inputs: dict[str, Any]) -> d.Report:
    """A report with a grave finding, for the fault `review_fail`: its quote is true, too."""
    files = files_of(inputs) or {"README.md": "-"}
    path, content = next(iter(files.items()))
    number, line = next((n, x) for n, x in enumerate(content.split("\n"), 1) if x.strip())
    finding = d.Finding(
        title="Scripted finding",
        severity=d.Severity.HIGH,
        confidence=d.Confidence.HIGH,
        path=path,
        line=number,
        quote=line.strip()[:LONGEST_QUOTE],
        explanation="The demo model was told to find something grave here.",
        fix="Let the demo model review again without the fault.",
    )
    summary = "Written by the demo model, which was told to fail this review."
    return replace(write_review(agent, inputs), summary=summary, findings=(finding,))
