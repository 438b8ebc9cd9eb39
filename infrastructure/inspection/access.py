"""Who may do what: routes that ask nobody who they are, statements that name no owner of rows.

Invariant: it reads names, so it can only ask. What is public by its name (health, sign-in) is left
out, and a file in which everything is guarded at once has no note.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from application.agents.inspection import RuleNote
from domain.documents import ANYBODY, PlannedRoute
from infrastructure.inspection.routes import answered, ends, is_of_pages, segments_of
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete", "del", "all", "route", "on"})
_SERVES: Final = re.compile(
    r"app|rout|server|fastify|api|instance|hono|koa|express|scope|plugin|group|^\w{1,3}$",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"^[\"'`](/[^\"'`]{0,200}|\*)[\"'`]$")
_GUARD: Final = re.compile(
    r"auth|session|guard|permission|allow|jwt|token|passport|protect|signed|login|logged|require[A-Z_]"
    r"|ensure|verify|acl|role|admin|current_?user|req\.user|request\.user|ctx\.user|state\.user"
    r"|locals\.user|getUser|whoami|credential|api_?key|bearer|access|owner|can[A-Z]|restrict|identity",
    re.IGNORECASE,
)
_PUBLIC: Final = re.compile(
    r"health|ready|live|ping|status|metrics|favicon|robots|login|log-in|signin|sign-in|signup|sign-up"
    r"|register|logout|forgot|reset|callback|oauth|webhook|public|static|assets|docs|openapi|csrf|version",
    re.IGNORECASE,
)
_ALL_GUARDED: Final = re.compile(
    r"\b(?:use|addHook|register|all)\([^)\n]{0,80}(?:auth|guard|session|jwt|protect|requireUser|verify)",
    re.IGNORECASE,
)
_NEST_ROUTE: Final = re.compile(r"^@(?:Get|Post|Put|Patch|Delete|All)\(")
_NEST_GUARD: Final = re.compile(r"@(?:UseGuards|Auth\w*|Roles|Permissions|ApiBearerAuth|Public)\b")
_SERVER: Final = re.compile(
    r"\bcreateServer\(|\b(?:export default \{\s*(?:async )?fetch|Bun\.serve|Deno\.serve)"
)
_HANDLER: Final = re.compile(
    r"\b(?:url|req\w*|ctx|context)\??\.(?:url|pathname|path|method)\b|\bpathname\b"
)
_STATEMENT: Final = re.compile(r"\b(?:select\s|update\s|delete\sfrom\s)", re.IGNORECASE)
_OF_ROWS: Final = re.compile(r"\sfrom\s|\sset\s", re.IGNORECASE)
_BY_OWNER: Final = re.compile(
    r"owner|user|tenant|account|org|customer|author|created_?by|member|team|workspace|company|party|creator"
    r"|principal|subject|belongs|session|me\b|customer|profile|email|token|slug|auth\.uid|current_setting",
    re.IGNORECASE,
)
_ONE_BY_ID: Final = re.compile(
    r"(?:findUnique(?:OrThrow)?|findFirst(?:OrThrow)?|findById(?:And\w{1,20})?|findByPk|findOne(?:By|OrFail)?"
    r"|findMany|findAll|getById|deleteOne|deleteMany|updateOne|updateMany|destroy|deleteById|updateById"
    r"|find|delete|update|remove|findOneAnd\w{1,20}|selectFrom|updateTable|deleteFrom|upsert|count|where)$"
)
_DATA: Final = re.compile(
    r"prisma|repository|repo\b|model|knex|db\b|database|store|collection|entity|manager|kysely|orm|mongo"
    r"|supabase|drizzle|dao|table|^[A-Z]\w{1,40}$",
    re.IGNORECASE,
)
_LONGEST: Final = 1_200
"""Characters of a statement or a call that are looked at."""

ROUTE: Final = "route_without_sign_in"
ROUTE_SAYS: Final = "Nothing here asks who calls this address."
ROUTE_ASKS: Final = (
    "Who may call it by the specification? Say where that is checked before anything is done, or "
    "report that it is not."
)
OWNER: Final = "rows_of_anybody"
OWNER_SAYS: Final = "Rows are read or changed without saying whose they are."
OWNER_ASKS: Final = (
    "May everybody who gets here see or change every such row? If rows belong to someone, the "
    "statement must ask for the owner too: say where it does, or report it."
)


UNPLANNED: Final = "unplanned_route"
UNPLANNED_SAYS: Final = "The plan has no such address."
UNPLANNED_ASKS: Final = "What is it for, and who may call it? Report it if nobody asked for it."


def access_notes(
    path: str, content: str, root: "SgNode | None", planned: Sequence[PlannedRoute] = ()
) -> Iterator[RuleNote]:
    """Routes without a guard or without a plan, and statements without an owner."""
    if root is None or _IS_TEST.search(path):
        return
    yield from _routes(path, content, root, planned)
    yield from _unplanned(path, root, planned)
    yield from _statements(path, root)
    yield from _calls(path, root)


_IS_TEST: Final = re.compile(r"(?:^|/)(?:tests?|__tests__|e2e|spec)/|\.(?:test|spec)\.")


def _routes(
    path: str, content: str, root: "SgNode", planned: Sequence[PlannedRoute]
) -> Iterator[RuleNote]:
    found = False
    guarded = bool(_ALL_GUARDED.search(content))
    for call in nodes(root, "call_expression"):
        called, given = call.field("function"), call.field("arguments")
        if called is None or given is None or not _serves(called.text()[:120]):
            continue
        arguments = [one for one in given.children() if one.is_named() and one.kind() != "comment"]
        if not arguments or not _is_route(called.text(), arguments):
            continue
        found = True
        asks, closed = _by_the_plan(called.text(), arguments[0].text(), planned)
        # A name that sounds public does not count against a plan that says otherwise.
        if guarded or (not closed and _PUBLIC.search(arguments[0].text()[:_LONGEST])):
            continue
        if not _GUARD.search(_without_path(arguments)):
            yield RuleNote(ROUTE, path, call.range().start.line + 1, ROUTE_SAYS, asks)
    for decorator in nodes(root, "decorator"):
        if _NEST_ROUTE.match(decorator.text()):
            found = True
            owner = decorator.parent()
            around = owner.text() if owner is not None else ""
            if not _NEST_GUARD.search(content) or not (
                _NEST_GUARD.search(_near(around, decorator.text())) or _guards_class(content)
            ):
                yield RuleNote(
                    ROUTE, path, decorator.range().start.line + 1, ROUTE_SAYS, ROUTE_ASKS
                )
    at = _SERVER.search(content) or _HANDLER.search(content)
    if at is not None and not found and not _GUARD.search(content):
        line = content.count("\n", 0, at.start()) + 1
        yield RuleNote(ROUTE, path, line, ROUTE_SAYS, ROUTE_ASKS + _rights(planned))


def _by_the_plan(called: str, path: str, planned: Sequence[PlannedRoute]) -> tuple[str, bool]:
    """What is asked of a route, and whether the plan closes it to somebody."""
    method = called.rpartition(".")[2].upper()
    own = segments_of(path[:_LONGEST].strip("\"'`"))
    meant = [
        one
        for one in planned
        if ends(own, segments_of(one.path)) and method in {one.method, "ALL", "ROUTE", "ON"}
    ]
    return ROUTE_ASKS + _rights(meant), any(ANYBODY not in one.who for one in meant)


def _rights(routes: Sequence[PlannedRoute]) -> str:
    """What the plan says of who may call routes, behind a question."""
    said = [f"{one.method} {one.path} by {', '.join(one.who)}" for one in routes[:_MOST_SAID]]
    return f" By the plan it may be called: {'; '.join(said)}." if said else ""


_MOST_SAID: Final = 6


def _unplanned(path: str, root: "SgNode", planned: Sequence[PlannedRoute]) -> Iterator[RuleNote]:
    """Routes that nobody planned."""
    if not planned or is_of_pages(path, root.text()):
        return
    paths = [(one.method, segments_of(one.path)) for one in planned]
    for route in answered(root):
        if not any(route.method == method and ends(route.segments, own) for method, own in paths):
            yield RuleNote(UNPLANNED, path, route.line, UNPLANNED_SAYS, UNPLANNED_ASKS)


def _serves(callee: str) -> bool:
    """Whether a call may register a route."""
    holder, _, method = callee.rpartition(".")
    return method in _METHODS and bool(_SERVES.search(holder.rpartition(".")[2]))


def _is_route(called: str, arguments: "list[SgNode]") -> bool:
    first = arguments[0]
    if called.endswith(".route") and first.kind() == "object":
        return True
    if called.endswith(".on") and not _PATH.match(
        arguments[-2].text() if len(arguments) > 1 else ""
    ):
        return False
    return len(arguments) > 1 and (
        bool(_PATH.match(first.text()[:_LONGEST])) or called.endswith(".on")
    )


def _without_path(arguments: "list[SgNode]") -> str:
    return " ".join(one.text()[: 4 * _LONGEST] for one in arguments[1:] or arguments)


def _near(around: str, decorator: str) -> str:
    """What stands at a method: the decorators before and after, and its head."""
    at = around.find(decorator)
    return around[max(0, at - 200) : at + 400]


def _guards_class(content: str) -> bool:
    """Whether a guard stands before a class as a whole."""
    at = content.find("@Controller")
    return at >= 0 and bool(_NEST_GUARD.search(content[max(0, at - 200) : at + 200]))


def _statements(path: str, root: "SgNode") -> Iterator[RuleNote]:
    for kind in ("string", "template_string"):
        for node in nodes(root, kind):
            text = node.text()[:_LONGEST]
            found = _STATEMENT.search(text)
            if (
                found
                and _OF_ROWS.search(text)
                and not _BY_OWNER.search(_conditions(text, found.start()))
            ):
                yield RuleNote(OWNER, path, node.range().start.line + 1, OWNER_SAYS, OWNER_ASKS)


def _conditions(text: str, at: int) -> str:
    """What a statement asks of its rows."""
    lower = text.lower()
    where = lower.find("where", at)
    joined = lower.find("join", at)
    start = min((place for place in (where, joined) if place >= 0), default=-1)
    return text[start:] if start >= 0 else ""


def _calls(path: str, root: "SgNode") -> Iterator[RuleNote]:
    for call in nodes(root, "call_expression"):
        called, given = call.field("function"), call.field("arguments")
        if called is None or given is None or called.kind() != "member_expression":
            continue
        name = called.text()[-80:].rpartition(".")[2]
        if not _ONE_BY_ID.match(name):
            continue
        holder = called.field("object")
        if holder is None or not _DATA.search(holder.text()[-80:]):
            continue
        first = next((one for one in given.children() if one.is_named()), None)
        if first is not None and _PATH.match(first.text()[:_LONGEST]):
            continue  # `app.delete("/x", …)` is a route.
        if not _BY_OWNER.search(given.text()[:_LONGEST]):
            yield RuleNote(OWNER, path, call.range().start.line + 1, OWNER_SAYS, OWNER_ASKS)
