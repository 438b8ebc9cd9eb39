"""Writes the application's files. Invariant: a path gets the same text whatever else is asked."""

from functools import lru_cache

from domain import documents as d
from infrastructure.demo_model.author.page import (
    write_package,
    write_page,
    write_readme,
    write_settings,
)
from infrastructure.demo_model.author.plan import entity_path, requirements_of
from infrastructure.demo_model.author.sketch import from_entities
from infrastructure.demo_model.author.tables import write_schema
from infrastructure.demo_model.author.templates import TEMPLATES
from infrastructure.demo_model.author.typescript import write_entity, write_registry

STATIC = (
    "tsconfig.json",
    "src/model.ts",
    "src/validation.ts",
    "src/db.ts",
    "src/routes.ts",
    "src/server.ts",
    "public/app.js",
    "public/styles.css",
)
"""Files that are the same in every application."""


@lru_cache(maxsize=1)
def _static() -> dict[str, str]:
    return {path: (TEMPLATES / path).read_text("utf-8") for path in STATIC}


def write_files(spec: d.Spec) -> dict[str, str]:
    """Every file of the application, by path; the tests are not among them."""
    drawn = from_entities(spec.entities)
    files = {
        **_static(),
        "package.json": write_package(spec.title),
        ".env.example": write_settings(),
        "db/schema.sql": write_schema(drawn, spec.title),
        "src/registry.ts": write_registry(drawn),
        "public/index.html": write_page(drawn, spec.title),
        "README.md": write_readme(drawn, spec),
    }
    for thing in drawn.things:
        own = requirements_of(spec, thing)
        files[entity_path(thing)] = write_entity(drawn, thing, own)
    return files
