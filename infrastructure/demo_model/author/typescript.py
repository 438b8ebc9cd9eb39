"""Writes the TypeScript that differs from application to application.

Invariant: every text of the brief goes in as a JSON literal, so that it cannot become code.
"""

import json

from infrastructure.demo_model.author.sketch import FieldKind, Sketch, SketchPart, Thing
from infrastructure.demo_model.author.tables import statements

KINDS = {
    FieldKind.TEXT: "short_text",
    FieldKind.LONG: "long_text",
    FieldKind.EMAIL: "email",
    FieldKind.LINK: "link",
    FieldKind.WHOLE: "whole_number",
    FieldKind.MONEY: "money",
    FieldKind.DATE: "date",
    FieldKind.MOMENT: "moment",
    FieldKind.TIME: "time",
    FieldKind.YES_NO: "yes_no",
    FieldKind.CHOICE: "choice",
    FieldKind.REFERENCE: "reference",
}
TYPES = {
    FieldKind.WHOLE: "number",
    FieldKind.MONEY: "number",
    FieldKind.REFERENCE: "number",
    FieldKind.YES_NO: "boolean",
}


def literal(value: object) -> str:
    """A value as a TypeScript literal; `<` is escaped for the sake of pages."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def comment(text: str) -> str:
    """A text that may stand inside a block comment."""
    return " ".join(text.split()).replace("*/", "* /")


def _type(part: SketchPart) -> str:
    if part.kind is FieldKind.CHOICE:
        plain = " | ".join(literal(option) for option in part.options)
    else:
        plain = TYPES.get(part.kind, "string")
    return plain if part.required or part.kind is FieldKind.YES_NO else f"{plain} | null"


def _field(drawn: Sketch, part: SketchPart) -> str:
    pairs = [
        f"name: {literal(part.name)}",
        f"label: {literal(part.label)}",
        f"kind: {literal(KINDS[part.kind])}",
        f"required: {literal(part.required and part.kind is not FieldKind.YES_NO)}",
    ]
    if part.kind is FieldKind.CHOICE:
        pairs.append(f"options: {literal(list(part.options))}")
    if (target := drawn.named(part.target)) is not None:
        pairs.append(f"target: {literal(target.table)}")
    return "    { " + ", ".join(pairs) + " },"


def constant(thing: Thing) -> str:
    """The name of a thing's definition in the code."""
    return f"{thing.type[0].lower()}{thing.type[1:]}Entity"


def write_entity(drawn: Sketch, thing: Thing, requirements: tuple[str, ...]) -> str:
    """The module of one thing: its types, its fields, its statements."""
    properties = [f"  {part.name}: {_type(part)};" for part in thing.parts]
    fields = [_field(drawn, part) for part in thing.parts]
    queries = [f"    {name}: `{sql}`," for name, sql in statements(drawn, thing).items()]
    return "\n".join(
        [
            f"/** The {comment(thing.many)} ({', '.join(requirements)}). */",
            "",
            'import type { Entity } from "../model.ts";',
            "",
            f"/** What people send when they save {comment(thing.label)}. */",
            f"export interface {thing.type}Input {{",
            *properties,
            "}",
            "",
            f"/** What is stored for {comment(thing.label)}. */",
            f"export interface {thing.type}Record extends {thing.type}Input {{",
            "  id: number;",
            "}",
            "",
            f"export const {constant(thing)}: Entity = {{",
            f"  path: {literal(thing.table)},",
            f"  label: {literal(thing.label)},",
            "  fields: [",
            *fields,
            "  ],",
            "  queries: {",
            *queries,
            "  },",
            "};",
            "",
        ]
    )


def write_registry(drawn: Sketch) -> str:
    """The module that names every kind of thing."""
    imports = [
        f'import {{ {constant(thing)} }} from "./entities/{thing.table}.ts";'
        for thing in drawn.things
    ]
    return "\n".join(
        [
            "/** Every kind of thing the application keeps. */",
            "",
            *imports,
            'import type { Entity } from "./model.ts";',
            "",
            "export const entities: readonly Entity[] = [",
            *(f"  {constant(thing)}," for thing in drawn.things),
            "];",
            "",
        ]
    )
