# ruff: noqa: S608 - These statements are text for the application; nothing runs them here.
"""Writes the database schema and the statements over it.

Invariant: every name is quoted and every value is a parameter; nothing of the brief is SQL.
"""

from infrastructure.demo_model.author.sketch import FieldKind, Sketch, SketchPart, Thing

TYPES = {
    FieldKind.TEXT: "text",
    FieldKind.LONG: "text",
    FieldKind.EMAIL: "text",
    FieldKind.LINK: "text",
    FieldKind.CHOICE: "text",
    FieldKind.WHOLE: "integer",
    FieldKind.REFERENCE: "integer",
    FieldKind.MONEY: "numeric(12, 2)",
    FieldKind.DATE: "date",
    FieldKind.MOMENT: "timestamp",
    FieldKind.TIME: "time",
    FieldKind.YES_NO: "boolean",
}
LONGEST = {FieldKind.TEXT: 200, FieldKind.LONG: 4000, FieldKind.EMAIL: 254, FieldKind.LINK: 2000}
FORMATS = {
    FieldKind.DATE: "YYYY-MM-DD",
    FieldKind.MOMENT: 'YYYY-MM-DD"T"HH24:MI',
    FieldKind.TIME: "HH24:MI",
}
SEARCHED = (FieldKind.TEXT, FieldKind.LONG, FieldKind.EMAIL, FieldKind.LINK, FieldKind.CHOICE)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _check(part: SketchPart) -> str:
    column = f'"{part.name}"'
    match part.kind:
        case FieldKind.TEXT | FieldKind.LONG | FieldKind.EMAIL | FieldKind.LINK:
            least = 1 if part.required else 0
            rule = f"char_length({column}) BETWEEN {least} AND {LONGEST[part.kind]}"
            if part.kind is FieldKind.EMAIL:
                rule += f" AND position('@' in {column}) > 1"
            if part.kind is FieldKind.LINK:
                rule += f" AND {column} ~ '^https?://'"
            return f" CHECK ({rule})"
        case FieldKind.WHOLE | FieldKind.MONEY:
            return f" CHECK ({column} >= 0)"
        case FieldKind.CHOICE:
            return f" CHECK ({column} IN ({', '.join(quoted(o) for o in part.options)}))"
        case _:
            return ""


def _column(drawn: Sketch, part: SketchPart) -> str:
    line = f'  "{part.name}" {TYPES[part.kind]}'
    if part.kind is FieldKind.YES_NO:
        return f"{line} NOT NULL DEFAULT false"
    line += " NOT NULL" if part.required else ""
    target = drawn.named(part.target)
    if target is not None:
        line += f' REFERENCES "{target.table}" ("id") ON DELETE RESTRICT'
    return line + _check(part)


def write_schema(drawn: Sketch, title: str) -> str:
    """The tables, for an empty PostgreSQL database."""
    plain = " ".join(title.split())
    parts = [
        f"-- {plain}: written by the demo model.\n-- Run once on an empty database.\n\nBEGIN;\n"
    ]
    for thing in drawn.things:
        columns = ['  "id" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY']
        columns += [_column(drawn, part) for part in thing.parts]
        columns += [
            '  "created_at" timestamptz NOT NULL DEFAULT now()',
            '  "updated_at" timestamptz NOT NULL DEFAULT now()',
        ]
        parts.append(f'CREATE TABLE "{thing.table}" (\n' + ",\n".join(columns) + "\n);\n")
        parts += [
            f'CREATE INDEX "{thing.table}_{part.name}" ON "{thing.table}" ("{part.name}");\n'
            for part in thing.parts
            if part.kind in (FieldKind.REFERENCE, FieldKind.DATE)
        ]
    return "\n".join([*parts, "COMMIT;\n"])


def _shown(thing: Thing, part: SketchPart) -> str:
    column = f'"{thing.table}"."{part.name}"'
    if part.kind in FORMATS:
        return f'to_char({column}, {quoted(FORMATS[part.kind])}) AS "{part.name}"'
    return f'{column}::float8 AS "{part.name}"' if part.kind is FieldKind.MONEY else column


def _matches(drawn: Sketch, thing: Thing) -> str:
    found = [
        f'position(lower($1) in lower("{thing.table}"."{part.name}")) > 0'
        for part in thing.parts
        if part.kind in SEARCHED
    ]
    for part in thing.parts:
        target = drawn.named(part.target)
        if target is not None and target.shown.kind in SEARCHED:
            found.append(
                f'EXISTS (SELECT 1 FROM "{target.table}" WHERE "{target.table}"."id" = '
                f'"{thing.table}"."{part.name}" AND position(lower($1) in '
                f'lower("{target.table}"."{target.shown.name}")) > 0)'
            )
    return "\n    OR ".join(["$1 = ''", *found, f'$1 = "{thing.table}"."id"::text'])


def statements(drawn: Sketch, thing: Thing) -> dict[str, str]:
    """The statements for a thing, by the name `Queries` gives them."""
    table = f'"{thing.table}"'
    columns = ", ".join([f'{table}."id"', *(_shown(thing, part) for part in thing.parts)])
    names = ", ".join(f'"{part.name}"' for part in thing.parts)
    values = ", ".join(f"${n}" for n in range(1, len(thing.parts) + 1))
    sets = ", ".join(f'"{part.name}" = ${n}' for n, part in enumerate(thing.parts, start=2))
    return {
        "list": f"SELECT {columns}\n  FROM {table}\n  WHERE {_matches(drawn, thing)}\n"
        f'  ORDER BY {table}."id" DESC LIMIT $2 OFFSET $3',
        "read": f'SELECT {columns}\n  FROM {table} WHERE {table}."id" = $1',
        "insert": f"INSERT INTO {table} ({names})\n  VALUES ({values})\n  RETURNING {columns}",
        "update": f'UPDATE {table} SET {sets}, "updated_at" = now()\n'
        f'  WHERE {table}."id" = $1\n  RETURNING {columns}',
        "remove": f'DELETE FROM {table} WHERE {table}."id" = $1 RETURNING {table}."id"',
    }
