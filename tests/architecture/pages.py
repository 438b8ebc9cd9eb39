"""The project's own files, as the tests of this folder read them."""

import ast
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
NAMES = ("README", "CHANGELOG", "CONTRIBUTING")
PAGES = tuple(
    sorted((*(PROJECT / f"{name}.md" for name in NAMES), *DOCS.rglob("*.md"))),
)
DEPLOY_PAGE = PROJECT / "deploy" / "README.md"


def text(name: str) -> str:
    """A file's text, by its path from the project's folder."""
    return (PROJECT / name).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax; many tests look at all of them."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(page: Path) -> str:
    """A file's path from the project's folder."""
    return page.relative_to(PROJECT).as_posix()
