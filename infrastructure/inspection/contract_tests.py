"""Whether each test can fail: it runs, it asserts something, and nothing hides that it fails.

Invariant: every test is judged alone, so that one good test does not vouch for nine empty ones. A
helper that asserts counts, wherever it stands; where that cannot be seen, a name that says so does.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from application.agents.inspection import StaticFinding
from application.agents.output import FULL_CODE
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_TESTS: Final = ("test", "it", "specify", "Deno.test", "bun.test", "t.test")
_SUITES: Final = ("describe", "suite", "context")
_MARK: Final = re.compile(r"^[\w.]*$")
_CROSSED: Final = re.compile(
    r"^(?:x(?:it|test|describe|specify|context)|f(?:it|describe|context))$"
)
_OFF: Final = frozenset({"skip", "todo", "only", "failing", "fails", "fixme"})
_TURNED_OFF: Final = re.compile(r"^(?:t|ctx|context|this|test)\.(?:skip|todo)$")
_ASSERTS: Final = re.compile(
    r"^(?:assert|expect|should|chai|sinon\.assert|strict|ok|equal|deepEqual|deepStrictEqual|"
    r"strictEqual|throws|rejects|fail|notEqual|match|t\.(?:assert|is|deepEqual|equal|equals|ok|not|"
    r"notOk|true|false|truthy|falsy|throws|rejects|same|match|like|regex|pass|fail|snapshot|error|"
    r"strictEqual|deepStrictEqual|plan)|tap\.\w{1,20}|expectTypeOf|assertType|expectType|type\w{0,20})\b"
    r"|\.should\b|\.(?:rejects|resolves)\.|\)\.(?:expect|should)\(|\bassert\.|\bexpect\("
)
_HELPS: Final = re.compile(
    r"^(?:\w{1,40}\.){0,3}(?:assert|expect|check|verify|should|must|ensure|require|see|is[A-Z]|"
    r"has[A-Z]|refut)\w{0,60}$"
)
_EXPECTED: Final = re.compile(r"@ts-expect-error")
_PROMISES: Final = re.compile(
    r"^(?:assert(?:\.strict)?|t|strict|t\.assert)\.(?:rejects|doesNotReject)$"
)
_WAITS: Final = re.compile(r"\.(?:rejects|resolves)\.")
_COMPARES: Final = re.compile(
    r"^(?:assert(?:\.strict)?|t|strict|t\.assert)\.(?:equal|strictEqual|deepEqual|deepStrictEqual|"
    r"is|same|equals|match|like)$"
)
_TRUTH: Final = re.compile(
    r"^(?:assert(?:\.(?:strict|ok))?|(?:t|t\.assert)\.(?:ok|true|truthy|assert)|ok)$"
)
_MATCHED: Final = re.compile(
    r"\.(?:not\.)?(?:toBe|toEqual|toStrictEqual|toMatchObject|eq|equal|eql|deep\.equal)$"
)
_PRESENT: Final = re.compile(
    r"\.(?:toBeDefined|not\.toBeUndefined|not\.toBeNull|toBeTruthy|to\.exist|to\.be\.ok|toBeTypeOf)$"
)
_NEVER: Final = re.compile(r"^\(\s?(?:false|0|null|undefined|''|\"\"|!true|!1)\s?\)$")
_FIXED: Final = frozenset(
    {"true", "false", "null", "undefined", "number", "string", "array", "object"}
)
MOST_FINDINGS: Final = 20
"""Per file."""

NOT_FAILING: Final = (
    "assert what the application answers or keeps, so that it fails when that is wrong"
)


def is_test(path: str) -> bool:
    """Whether a file holds tests, by its name."""
    name = path.rpartition("/")[2]
    return ".test." in name or ".spec." in name or path.startswith(FULL_CODE.tests_folder)


class _Case(NamedTuple):
    """A test: its call, its title and what it does."""

    call: "SgNode"
    title: str
    mark: str
    body: "SgNode | None"


def contract_test_findings(path: str, root: "SgNode") -> Iterator[StaticFinding]:
    """Tests that cannot fail, that do not run, or whose failure nobody sees."""
    helpers = _helpers(root)
    told = 0
    for case in _cases(root):
        for finding in _judged(path, case, helpers):
            told += 1
            if told <= MOST_FINDINGS:
                yield finding


def _cases(root: "SgNode") -> Iterator[_Case]:
    named = _functions(root)
    for call in nodes(root, "call_expression"):
        called, given = call.field("function"), call.field("arguments")
        if called is None or given is None:
            continue
        text = called.text()[:60]
        if called.kind() == "call_expression":
            inner = called.field("function")
            text = inner.text()[:60] if inner is not None else text
        found, suite = _mark_of(text, _TESTS), _mark_of(text, _SUITES)
        if found is None and suite is None and not _CROSSED.match(text):
            continue
        arguments = [one for one in given.children() if one.is_named() and one.kind() != "comment"]
        if not arguments or (called.kind() == "member_expression" and text.endswith(".each")):
            continue
        mark = found if found is not None else suite if suite is not None else "skip"
        if mark in {"each", "for"} and called.kind() != "call_expression":
            continue
        if mark in {"before", "beforeEach", "after", "afterEach", "use", "extend", "mock", "step",
                    "setTimeout", "describe"}:  # fmt: skip
            continue
        if suite is not None and mark not in _OFF and not _switched_off(arguments):
            continue
        if not _is_title(arguments[0]):
            continue
        body = next((one for one in reversed(arguments) if _is_function(one)), None)
        if body is None and arguments[-1].kind() == "identifier":
            body = named.get(arguments[-1].text())
        yield _Case(call, arguments[0].text().strip("'\"`")[:80], mark, body)


def _mark_of(callee: str, names: Sequence[str]) -> str | None:
    """What stands behind one of the names: `skip` of `test.skip`; None if it is none of them."""
    for name in names:
        if callee == name:
            return ""
        if callee.startswith(f"{name}.") and _MARK.match(callee):
            return callee[len(name) + 1 :].partition(".")[0]
    return None


def _is_title(node: "SgNode") -> bool:
    return node.kind() in {"string", "template_string", "binary_expression", "identifier",
                           "member_expression", "call_expression"}  # fmt: skip


def _is_function(node: "SgNode") -> bool:
    return node.kind() in {"arrow_function", "function_expression", "function"}


def _switched_off(arguments: "list[SgNode]") -> str:
    for one in arguments:
        if one.kind() != "object":
            continue
        for pair in one.children():
            key, value = pair.field("key"), pair.field("value")
            if (
                key is not None
                and value is not None
                and key.text().strip("'\"") in {"skip", "todo", "only"}
                and value.text() not in {"false", "undefined", "null"}
            ):
                return key.text()
    return ""


def _functions(root: "SgNode") -> "dict[str, SgNode]":
    """The functions of a file by name."""
    found: dict[str, SgNode] = {}
    for node in nodes(root, "function_declaration"):
        name = node.field("name")
        if name is not None:
            found[name.text()] = node
    for node in nodes(root, "variable_declarator"):
        name, value = node.field("name"), node.field("value")
        if name is not None and value is not None and _is_function(value):
            found[name.text()] = value
    return found


def _helpers(root: "SgNode") -> frozenset[str]:
    """Functions of the file that assert, by themselves or through another one, or are not ours."""
    functions = _functions(root)
    called = {
        name: {(one.field("function") or one).text()[:80] for one in nodes(node, "call_expression")}
        for name, node in functions.items()
    }
    asserting = {
        name
        for name, calls in called.items()
        if any(_ASSERTS.search(call) or _HELPS.match(call) for call in calls)
        or (functions[name].find(kind="throw_statement") is not None)
    }
    while more := {n for n, calls in called.items() if n not in asserting and calls & asserting}:
        asserting |= more
    return frozenset(asserting) | _foreign(root)


def _foreign(root: "SgNode") -> frozenset[str]:
    """Names from helper files that stand among the tests."""
    found: set[str] = set()
    for node in nodes(root, "import_statement"):
        source = node.field("source")
        text = source.text().strip("'\"") if source is not None else ""
        if text.startswith("./") or (text.startswith("../") and _HELPER.search(text)):
            found |= {one.text() for one in nodes(node, "identifier")}
    return frozenset(found)


_HELPER: Final = re.compile(r"helper|support|testing|fixture|assert|utils?\b", re.IGNORECASE)


def _judged(path: str, case: _Case, helpers: frozenset[str]) -> Iterator[StaticFinding]:
    line = case.call.range().start.line + 1
    named = f"The test `{case.title.replace('`', chr(39))}`"
    given = case.call.field("arguments")
    options = _switched_off(given.children()) if given is not None else ""
    mark = case.mark if case.mark in _OFF else options
    if mark:
        yield _refused(path, line, f"{named} is marked `{mark}`: remove the mark, so that it runs")
        return
    if case.body is None:
        if given is not None and not _takes_function(given):
            yield _refused(path, line, f"{named} has no body, so it always passes: {NOT_FAILING}")
        return
    body = case.body.field("body") or case.body
    if _is_stopped(body):
        yield _refused(path, line, f"{named} skips itself: remove that, so that it runs")
        return
    yield from _bodies(path, line, named, body, helpers)


def _bodies(
    path: str, line: int, named: str, body: "SgNode", helpers: frozenset[str]
) -> Iterator[StaticFinding]:
    real, weak, said = 0, 0, ""
    for call in _calls(body):
        text = _callee(call)
        kind = _kind(call, text, helpers)
        if not kind:
            continue
        at = call.range().start.line + 1
        if why := _unreachable(call, body):
            said = said or f"line {at} {why}"
        elif kind == "empty":
            said = said or f"line {at} can never be wrong"
        elif kind == "floating":
            yield _refused(
                path, at, f"{named} does not wait for what line {at} asserts: put `await` before it"
            )
            real += 1
        elif kind == "weak":
            weak += 1
        else:
            real += 1
    if real:
        return
    if not weak and not said and (_EXPECTED.search(body.text()) or _is_about_types(body)):
        return
    if weak:
        yield StaticFinding(
            path, line, "weak_test",
            f"{named} only asserts that something is there, not what it is: {NOT_FAILING}.",
            error=False,
        )  # fmt: skip
        return
    why = f" ({said})" if said else ""
    yield _refused(path, line, f"{named} cannot fail{why}: {NOT_FAILING}")


def _is_about_types(body: "SgNode") -> bool:
    """Whether a test has the compiler check something, and nothing that runs."""
    return bool(nodes(body, "type_alias_declaration") or nodes(body, "satisfies_expression"))


def _refused(path: str, line: int, what: str) -> StaticFinding:
    return StaticFinding(path, line, "hollow_test", f"{what}.")


def _takes_function(given: "SgNode") -> bool:
    """Whether something that may be a function made elsewhere is handed on."""
    *_, last = [one for one in given.children() if one.is_named()] or [given]
    first = next((one for one in given.children() if one.is_named()), last)
    return last.kind() in {"identifier", "call_expression", "member_expression"} and last != first


def _calls(body: "SgNode") -> Iterator["SgNode"]:
    if body.kind() == "call_expression":
        yield body
    for call in nodes(body, "call_expression"):
        if call != body:
            yield call


def _callee(call: "SgNode") -> str:
    called = call.field("function")
    return " ".join(called.text()[-200:].split()) if called is not None else ""


def _kind(call: "SgNode", text: str, helpers: frozenset[str]) -> str:
    """`real`, `weak`, `empty`, `floating`, or nothing if it asserts nothing."""
    whole = call.field("function")
    begins = whole.text()[:200] if whole is not None else ""
    if begins in helpers or begins.partition(".")[0] in helpers:
        return "real"
    if "=>" in begins and not begins.startswith(("expect", "assert")):
        return ""  # What it is given asserts, and is read by itself.
    if begins == "expect":
        return "" if _goes_on(call) else "empty"
    if not _ASSERTS.search(begins) and not _ASSERTS.search(text):
        return "real" if _HELPS.match(begins) else ""
    if (_PROMISES.match(begins) or (begins.startswith("expect") and _WAITS.search(text))) and (
        _is_alone(call)
    ):
        return "floating"
    return _weight(call, begins, text)


def _goes_on(call: "SgNode") -> bool:
    parent = call.parent()
    return parent is not None and parent.kind() in {"member_expression", "non_null_expression"}


def _is_alone(call: "SgNode") -> bool:
    """Whether nobody waits for a call."""
    parent = call.parent()
    return parent is not None and parent.kind() == "expression_statement"


def _weight(call: "SgNode", begins: str, text: str) -> str:
    given = call.field("arguments")
    arguments = [one for one in (given.children() if given is not None else []) if one.is_named()]
    if _TRUTH.match(begins):
        if not arguments:
            return "empty"
        return _truth(arguments[0])
    if _COMPARES.match(begins) and len(arguments) > 1:
        first, second = arguments[0], arguments[1]
        if first.text() == second.text() or (_is_fixed(first) and _is_fixed(second)):
            return "empty"
        if first.text().startswith("typeof "):
            return "weak"
        return "real"
    if begins.startswith("expect"):
        actual = _actual(call)
        if _MATCHED.search(text) and actual is not None and arguments:
            same = actual.text() == arguments[0].text() and ".not." not in text
            return "empty" if same or (_is_fixed(actual) and _is_fixed(arguments[0])) else "real"
        if _PRESENT.search(text):
            return "empty" if actual is not None and _is_fixed(actual) else "weak"
        return "empty" if actual is not None and _is_fixed(actual) else "real"
    if begins.endswith(("doesNotThrow", "doesNotReject")):
        block = arguments[0].field("body") if arguments else None
        return "empty" if block is None and not arguments else "weak" if _is_void(block) else "real"
    if begins in {"t.plan", "t.pass", "assert.fail", "t.fail"}:
        return ""
    return "real"


def _is_void(block: "SgNode | None") -> bool:
    return block is not None and not [one for one in block.children() if one.is_named()]


def _actual(call: "SgNode") -> "SgNode | None":
    """What `expect` is given, at the bottom of a chain."""
    node: SgNode | None = call
    while node is not None:
        called: SgNode | None = node.field("function") or node.field("object")
        if node.kind() == "call_expression" and called is not None and called.text() == "expect":
            given = node.field("arguments")
            return (
                next((one for one in given.children() if one.is_named()), None) if given else None
            )
        node = called
    return None


def _truth(value: "SgNode") -> str:
    if value.kind() == "parenthesized_expression":
        inner = next((one for one in value.children() if one.is_named()), None)
        return _truth(inner) if inner is not None else "empty"
    if _is_fixed(value):
        return "empty"
    if value.kind() == "binary_expression":
        left, right, sign = value.field("left"), value.field("right"), value.field("operator")
        mark = sign.text() if sign is not None else ""
        if left is not None and right is not None:
            if mark in {"===", "==", ">=", "<="} and left.text() == right.text():
                return "empty"
            if mark == "||" and ("empty" in {_truth(left), _truth(right)}):
                return "empty"
            if mark in {"!==", "!="} and right.text() in {"undefined", "null"}:
                return "weak"
            if left.text().startswith("typeof "):
                return "weak"
            if _is_fixed(left) and _is_fixed(right):
                return "empty"
        return "real"
    return "weak" if value.kind() in {"identifier", "member_expression"} else "real"


def _is_fixed(value: "SgNode") -> bool:
    kind = value.kind()
    if kind == "unary_expression":
        return all(_is_fixed(one) for one in value.children() if one.is_named())
    if kind in {"array", "object"}:
        return all(
            _is_fixed(one.field("value") or one) for one in value.children() if one.is_named()
        )
    if kind == "identifier":
        return value.text() in {"undefined", "NaN"}
    return kind in _FIXED or (kind == "template_string" and "${" not in value.text())


def _is_stopped(body: "SgNode") -> bool:
    """Whether a test says by its first words that it does not run."""
    for statement in [one for one in body.children() if one.is_named()][:3]:
        call = statement.child(0) if statement.kind() == "expression_statement" else None
        is_call = call is not None and call.kind() == "call_expression"
        if is_call and call is not None and _TURNED_OFF.match(_callee(call)):
            return True
    return False


def _unreachable(call: "SgNode", body: "SgNode") -> str:
    """Why a call is not reached, or why its failure is not seen; empty if it is."""
    node: SgNode | None = call.parent()
    child: SgNode = call
    while node is not None:
        kind = node.kind()
        if kind == "statement_block" and _after_end(node, child):
            return "stands after the test has returned"
        if kind == "if_statement":
            condition, then = node.field("condition"), node.field("consequence")
            if condition is not None and then == child and _NEVER.match(condition.text()):
                return "stands in a branch that is never taken"
        if kind == "while_statement":
            condition = node.field("condition")
            if condition is not None and _NEVER.match(condition.text()):
                return "stands in a loop that never runs"
        if kind == "binary_expression" and (node.field("left") or node).text() in {"false", "0"}:
            return "stands behind `false`"
        if kind == "try_statement" and node.field("body") == child and _swallows(node):
            return "fails into a `catch` that says nothing"
        if kind == "call_expression" and _is_caught(node, child):
            return "fails into a `catch` that says nothing"
        if node == body:
            return ""
        child = node
        node = node.parent()
    return ""


def _after_end(block: "SgNode", child: "SgNode") -> bool:
    for one in block.children():
        if one == child:
            return False
        if one.kind() in {"return_statement", "throw_statement"}:
            return True
    return False


def _swallows(attempt: "SgNode") -> bool:
    handler = attempt.field("handler")
    if handler is None:
        return False
    block = handler.field("body")
    return block is None or not _speaks(block)


def _speaks(block: "SgNode") -> bool:
    """Whether a failure that is caught is told on."""
    if block.find(kind="throw_statement") is not None:
        return True
    for call in nodes(block, "call_expression"):
        text = _callee(call)
        weighed = _weight(call, text[:200], text) if _ASSERTS.search(text) else ""
        if weighed in {"real", "weak"} or text in {
            "done",
            "reject",
            "fail",
            "assert.fail",
            "t.fail",
        }:
            return True
        if _HELPS.match(text):
            return True
    return False


def _is_caught(call: "SgNode", child: "SgNode") -> bool:
    """`.catch(() => {})` behind what asserts."""
    called, given = call.field("function"), call.field("arguments")
    if called is None or given is None or called != child or not called.text().endswith(".catch"):
        return False
    block = next((one.field("body") for one in given.children() if _is_function(one)), None)
    return block is not None and block.kind() == "statement_block" and not _speaks(block)
