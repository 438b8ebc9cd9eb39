"""Checks of where the parts of a plan meet: exports of files, routes, tables.

Invariant: what passes can be looked for in code: each export has a file of the plan, each route
says who may call it, and no two of anything have one name.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

from application.agents.checks.naming import repeated
from application.agents.output import FULL_CODE
from application.agents.stack_profile import PROFILE
from domain.documents import ANYBODY, SIGNED_IN, Plan, PlannedRoute, Spec

LONGEST_NAME: Final = 63
"""Bytes that PostgreSQL keeps of a name."""
_IDENTIFIER: Final = re.compile(r"^[^\W\d][\w$]*$|^[$][\w$]*$")
_PATH: Final = re.compile(r"^/[\w.~%@:+*/-]*$")
_VARIES: Final = re.compile(r":\w+")
_SQL_NAME: Final = re.compile(r"^[a-z_][a-z0-9_]*$")


def meeting_findings(plan: Plan, spec: Spec) -> Iterator[str]:
    """What is wrong with where the parts meet, a sentence each."""
    if not (plan.exports or plan.routes):
        yield (
            "The plan names no export and no route. Name in `exports` and `routes` what the tests "
            "will call, so that tests and code agree without seeing each other."
        )
    yield from _exports(plan)
    yield from _routes(plan, {role.name for role in spec.roles})
    yield from _tables(plan)


def _exports(plan: Plan) -> Iterator[str]:
    planned = {file.path for file in plan.files}
    for one in plan.exports:
        if one.path not in planned:
            yield f"`{one.path}` exports `{one.name}`, but it is not in the list of files."
        elif not one.path.endswith(FULL_CODE.scripts):
            yield f"`{one.path}` exports `{one.name}`, but it is no script."
        if not _IDENTIFIER.match(one.name):
            yield f"`{one.name}` of `{one.path}` is no name that a script can export."
    yield from repeated("Export", [f"`{one.name}` of `{one.path}`" for one in plan.exports])


def _routes(plan: Plan, roles: Collection[str]) -> Iterator[str]:
    known = {role.casefold(): role for role in roles}
    for one in plan.routes:
        name = f"{one.method} {one.path}"
        if not _PATH.match(one.path):
            yield (
                f"The path of `{name}` must begin with `/`, have no query, and name what varies "
                "as `:name`."
            )
        yield from (_who(name, who, known) for who in one.who if not _may_call(who, known))
        if len(one.who) > 1 and ANYBODY in _folded(one):
            yield f"`{name}` is open to {ANYBODY}: name nobody else beside."
    yield from repeated("Route", [_shape(one) for one in plan.routes])


def _folded(route: PlannedRoute) -> set[str]:
    return {who.casefold() for who in route.who}


def _may_call(who: str, roles: Collection[str]) -> bool:
    return who.casefold() in {ANYBODY, SIGNED_IN, *roles}


def _who(route: str, who: str, roles: dict[str, str]) -> str:
    named = ", ".join(f"`{role}`" for role in [*roles.values(), SIGNED_IN, ANYBODY])
    return f"`{route}` may be called by `{who}`, which is nobody: name one or more of {named}."


def _shape(route: PlannedRoute) -> str:
    """A route without the names of what varies: two such answer the same request."""
    path = _VARIES.sub(":…", route.path.rstrip("/") or "/")
    return f"`{route.method} {path}`"


def _tables(plan: Plan) -> Iterator[str]:
    if plan.tables and not any(file.path.endswith(FULL_CODE.schemas) for file in plan.files):
        wanted = f"{PROFILE.migrations}…{FULL_CODE.schemas}"
        yield f"The plan has tables, but no file `{wanted}` makes them."
    yield from repeated("Table", [f"`{table.name}`" for table in plan.tables])
    for table in plan.tables:
        yield from repeated(f"Column of `{table.name}`", [f"`{c.name}`" for c in table.columns])
        for name in (table.name, *(column.name for column in table.columns)):
            if not _SQL_NAME.match(name) or len(name) > LONGEST_NAME:
                yield (
                    f"`{name}` is no name for a table or column: use lower case, digits and `_`, "
                    f"at most {LONGEST_NAME} characters."
                )
