"""Writes the plan. Invariant: tasks depend only on earlier ones, and a file has one owner."""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain import documents as d
from infrastructure.demo_model.author.requirements import Deed
from infrastructure.demo_model.author.sketch import Sketch, Thing, from_entities
from infrastructure.demo_model.author.tables import TYPES
from infrastructure.demo_model.author.typescript import constant
from infrastructure.demo_model.author.words import listed

FOUNDATION = {
    "package.json": "The packages, pinned, and the commands to start, check and test.",
    "tsconfig.json": "Strict settings for the type checker.",
    ".env.example": "The settings, each with what it is for.",
    "db/schema.sql": "The tables with their rules and indexes, for an empty database.",
}
MODEL = {
    "src/model.ts": "What a field, a thing and a store are.",
    "src/validation.ts": "Checks what people send, field by field.",
}
SERVER = {
    "src/registry.ts": "Names every kind of thing.",
    "src/db.ts": "Keeps things in PostgreSQL, by parameterised statements only.",
    "src/routes.ts": "The addresses, their answers and the security headers.",
    "src/server.ts": "Reads the settings, starts the server and stops it in order.",
}
PAGES = {
    "public/index.html": "The one page: a form, a search and a table for each kind of thing.",
    "public/app.js": "Fills the tables and sends the forms.",
    "public/styles.css": "How the page looks, also on a phone and in the dark.",
    "README.md": "How to run it, what it does and what it does not do.",
}


def read_spec(inputs: dict[str, Any]) -> d.Spec:
    """The specification handed over.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(inputs.get("spec"), d.Spec)


def entity_path(thing: Thing) -> str:
    """Where a thing's module stands."""
    return f"src/entities/{thing.table}.ts"


def requirements_of(spec: d.Spec, thing: Thing) -> tuple[str, ...]:
    """The requirements that are about a thing."""
    triggers = {deed.trigger(thing) for deed in Deed}
    return tuple(r.id for r in spec.requirements if r.trigger in triggers)


def _tasks(spec: d.Spec, drawn: Sketch) -> tuple[list[d.Task], list[d.PlannedFile]]:
    every = tuple(r.id for r in spec.requirements)
    parts: list[tuple[str, dict[str, str], tuple[str, ...], tuple[int, ...]]] = [
        ("Set up the project and the database", FOUNDATION, every, ()),
        ("Describe fields and check input", MODEL, every, (1,)),
    ]
    for thing in drawn.things:
        purpose = {entity_path(thing): f"The fields and statements of the {thing.many}."}
        own = requirements_of(spec, thing) or every
        parts.append((f"Define the {thing.many}", purpose, own, (2,)))
    before = tuple(range(2, len(parts) + 1))
    parts.append(("Answer requests", SERVER, every, before))
    parts.append(("Build the page", PAGES, every, (len(parts),)))
    tasks, files = [], []
    for number, (title, written, requirements, needs) in enumerate(parts, start=1):
        own_id = f"T-{number}"
        files += [d.PlannedFile(path, purpose, own_id) for path, purpose in written.items()]
        tasks.append(
            d.Task(
                id=own_id,
                title=title,
                requirements=requirements,
                writes=tuple(written),
                reads=tuple(f.path for f in files if f.task in {f"T-{n}" for n in needs}),
                depends_on=tuple(f"T-{n}" for n in needs),
                done_when=f"Complete: {listed(list(written))}.",
            )
        )
    return tasks, files


def _exports(drawn: Sketch) -> Iterator[d.PlannedExport]:
    model, checks = "src/model.ts", "src/validation.ts"
    for name in ("FieldKind", "Value", "Input", "Row", "Checked"):
        where = checks if name == "Checked" else model
        yield d.PlannedExport(where, name, "type")
    for name in ("Field", "Queries", "Entity", "Page", "Store", "Problem"):
        where = checks if name == "Problem" else model
        yield d.PlannedExport(where, name, "interface")
    yield d.PlannedExport(model, "StillReferred", "class extends Error")
    yield d.PlannedExport(checks, "validate", "(fields: readonly Field[], input: unknown): Checked")
    for thing in drawn.things:
        path = entity_path(thing)
        yield d.PlannedExport(path, constant(thing), "Entity")
        yield d.PlannedExport(path, f"{thing.type}Input", "interface")
        yield d.PlannedExport(path, f"{thing.type}Record", "interface")
    yield d.PlannedExport("src/registry.ts", "entities", "readonly Entity[]")
    yield d.PlannedExport("src/db.ts", "PostgresStore", "class implements Store")
    yield d.PlannedExport(
        "src/routes.ts", "createHandler", "(store: Store, folder: URL): RequestListener"
    )


def _routes(drawn: Sketch) -> Iterator[d.PlannedRoute]:
    """The demo application knows nobody: it asks no one to sign in, and says so."""
    refused = _answer(422, "which fields need another look, and why")
    gone = _answer(404, "there is none of this number")
    used = _answer(409, "something else still refers to it")
    for thing in drawn.things:
        every, one = f"/api/{thing.table}", f"/api/{thing.table}/:id"
        row, sent = f"{thing.type}Record", f"{thing.type}Input as JSON"
        for method, path, given, answers in (
            (d.HttpMethod.GET, every, "search, offset", (_answer(200, f"{{ items: {row}[] }}"),)),
            (d.HttpMethod.POST, every, sent, (_answer(201, row), refused)),
            (d.HttpMethod.GET, one, "", (_answer(200, row), gone)),
            (d.HttpMethod.PUT, one, sent, (_answer(200, row), refused, gone)),
            (d.HttpMethod.DELETE, one, "", (_answer(204, ""), gone, used)),
        ):
            yield d.PlannedRoute(method, path, (d.ANYBODY,), answers, given)


def _answer(status: int, body: str) -> d.PlannedAnswer:
    return d.PlannedAnswer(status, body)


def _table(drawn: Sketch, thing: Thing) -> d.PlannedTable:
    own = (
        d.PlannedColumn(
            part.name,
            TYPES[part.kind],
            f"refers to {target.table}" if (target := drawn.named(part.target)) else "",
        )
        for part in thing.parts
    )
    return d.PlannedTable(
        thing.table,
        (
            d.PlannedColumn("id", "integer", "the number of the row"),
            *own,
            d.PlannedColumn("created_at", "timestamptz", ""),
            d.PlannedColumn("updated_at", "timestamptz", ""),
        ),
    )


def write_plan(inputs: dict[str, Any]) -> d.Plan:
    """The plan for a specification; the same for its revision where nothing changed."""
    spec = read_spec(inputs)
    drawn = from_entities(spec.entities)
    tasks, files = _tasks(spec, drawn)
    return d.Plan(
        summary=(
            "Written by the demo model: one TypeScript server on Node's own HTTP module, one "
            f"PostgreSQL database with {len(drawn.things)} tables, one page without a framework."
        ),
        files=tuple(files),
        tasks=tuple(tasks),
        decisions=(
            d.Decision(
                "Node runs the TypeScript files as they stand.",
                "No build step: what is read is what runs.",
            ),
            d.Decision(
                "One third-party package at run time, `pg`.", "Less to update, less to trust."
            ),
            d.Decision(
                "The database keeps the rules too.",
                "What another program writes into it is checked just the same.",
            ),
        ),
        exports=tuple(_exports(drawn)),
        routes=tuple(_routes(drawn)),
        tables=tuple(_table(drawn, thing) for thing in drawn.things),
        packages=("pg", "typescript", "@types/node", "@types/pg"),
    )
