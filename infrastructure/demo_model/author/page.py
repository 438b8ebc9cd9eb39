"""Writes the page and the files around the code.

Invariant: every text of the brief is escaped for where it stands.
"""

import json
from html import escape

from application.agents.stack_profile import PROFILE
from domain import documents as d
from infrastructure.demo_model.author.sketch import FieldKind, Sketch, SketchPart, Thing
from infrastructure.demo_model.author.tables import LONGEST
from infrastructure.demo_model.author.words import ident, listed

INPUTS = {
    FieldKind.TEXT: 'type="text" maxlength="200"',
    FieldKind.EMAIL: 'type="email" maxlength="254"',
    FieldKind.LINK: 'type="url" maxlength="2000"',
    FieldKind.WHOLE: 'type="number" min="0" step="1" data-number',
    FieldKind.MONEY: 'type="number" min="0" step="0.01" data-number',
    FieldKind.DATE: 'type="date"',
    FieldKind.MOMENT: 'type="datetime-local"',
    FieldKind.TIME: 'type="time"',
}


def _control(drawn: Sketch, part: SketchPart) -> str:
    label = escape(part.label.capitalize())
    needed = " required" if part.required else ""
    name = f'name="{part.name}"'
    if part.kind is FieldKind.YES_NO:
        return f'<label class="check"><input type="checkbox" {name}> {label}</label>'
    if part.kind is FieldKind.LONG:
        longest = LONGEST[FieldKind.LONG]
        area = f'<textarea {name} rows="2" maxlength="{longest}"{needed}></textarea>'
        return f"<label>{label} {area}</label>"
    if (target := drawn.named(part.target)) is not None:
        data = f'data-target="{target.table}" data-number'
        return f"<label>{label} <select {name} {data}{needed}></select></label>"
    if part.kind is FieldKind.CHOICE:
        options = "".join(f"<option>{escape(option)}</option>" for option in part.options)
        first = '<option value="">Please choose</option>'
        return f"<label>{label} <select {name}{needed}>{first}{options}</select></label>"
    return f"<label>{label} <input {name} {INPUTS[part.kind]}{needed}></label>"


def _section(drawn: Sketch, thing: Thing) -> str:
    heading = escape(thing.many.capitalize())
    heads = "".join(f'<th scope="col">{escape(p.label.capitalize())}</th>' for p in thing.parts)
    controls = "\n          ".join(_control(drawn, part) for part in thing.parts)
    return f"""
      <section id="{thing.table}" data-path="{thing.table}" aria-labelledby="{thing.table}-heading">
        <h2 id="{thing.table}-heading">{heading}</h2>
        <form class="edit">
          {controls}
          <button type="submit">Add</button>
          <button type="reset" class="quiet" hidden>Leave it as it was</button>
        </form>
        <p class="message" role="status"></p>
        <label class="search">Search in {escape(thing.many)} <input type="search"></label>
        <div class="scroll" tabindex="0" role="region" aria-label="List of {escape(thing.many)}">
          <table>
            <thead><tr>{heads}<th scope="col">Actions</th></tr></thead>
            <tbody></tbody>
          </table>
        </div>
      </section>"""


def write_page(drawn: Sketch, title: str) -> str:
    """The one page: a form, a search and a table for each thing."""
    links = "".join(
        f'<li><a href="#{thing.table}">{escape(thing.many.capitalize())}</a></li>'
        for thing in drawn.things
    )
    sections = "".join(_section(drawn, thing) for thing in drawn.things)
    return f"""<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{escape(title)}</title>
    <link rel="stylesheet" href="/styles.css">
    <script src="/app.js" type="module"></script>
  </head>
  <body>
    <a class="skip" href="#main">Skip to the content</a>
    <header>
      <h1>{escape(title)}</h1>
      <nav aria-label="On this page"><ul>{links}</ul></nav>
    </header>
    <main id="main">{sections}
    </main>
    <footer>
      <p>Written by the demo model. Anyone who can open this page can change what it keeps.</p>
    </footer>
  </body>
</html>
"""


def write_package(title: str) -> str:
    """`package.json`, with every version pinned."""
    package = {
        "name": ident(title).replace("_", "-"),
        "version": "0.1.0",
        "private": True,
        "description": f"{title} (written by the demo model)",
        "type": PROFILE.type,
        "engines": {"node": f">={PROFILE.node}"},
        "scripts": dict(PROFILE.scripts),
        "dependencies": {PROFILE.driver: PROFILE.versions[PROFILE.driver]},
        "devDependencies": {
            name: PROFILE.versions[name] for name in ("@types/node", "@types/pg", "typescript")
        },
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def write_settings() -> str:
    """`.env.example`: every setting, with what it is for."""
    return """\
# The PostgreSQL database, such as postgres://localhost/my_database
DATABASE_URL=
# Where the page is opened: by default on this computer only
HOST=127.0.0.1
PORT=3000
"""


def write_readme(drawn: Sketch, spec: d.Spec) -> str:
    """How to run it, what it does, and what it does not do."""
    does = [f"- {r.id}: {r.trigger}. {r.response}" for r in spec.requirements]
    left = [f"- {x.text}" for x in spec.out_of_scope] or ["- Nothing was left out by name."]
    first = drawn.things[0]
    return "\n".join(
        [
            f"# {spec.title}",
            "",
            (
                "Written by the demo model, a plain stand-in for a real one. It keeps "
                f"{listed([thing.many for thing in drawn.things])} in a PostgreSQL database and "
                "shows them on one page."
            ),
            "",
            "## Run it",
            "",
            "You need Node.js 22.18 or newer and a PostgreSQL database.",
            "",
            "```sh",
            "npm install",
            "export DATABASE_URL=postgres://localhost/my_database",
            'psql "$DATABASE_URL" -f db/schema.sql   # once, on an empty database',
            "npm start                               # then open http://127.0.0.1:3000",
            "npm test                                # the contract tests, without a database",
            "```",
            "",
            (
                "`PORT` and `HOST` choose another address. By default only your own computer can "
                "open the page: there is no sign-in yet, so do not put it on the internet as it is."
            ),
            "",
            "## What it does",
            "",
            *does,
            "",
            "## What it does not do",
            "",
            *left,
            "",
            "## Where things are",
            "",
            "- `db/schema.sql`: the tables, with the rules that the database itself keeps",
            (
                f"- `src/entities/{first.table}.ts` and its neighbours: the fields and statements "
                "of each kind of thing"
            ),
            "- `src/validation.ts`: what is checked before anything is stored",
            "- `src/routes.ts`: the addresses and their answers",
            "- `public/`: the page",
            "- `tests/`: the contract tests",
            "",
        ]
    )
