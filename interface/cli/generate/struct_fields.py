"""What a struct's source says about its fields: the names, types and notes that pages show.

Invariant: the order and the wording are the source's own, so a page cannot disagree with the code.
"""

import ast
import inspect
import textwrap
from typing import NamedTuple


class StructField(NamedTuple):
    """A field as its class declares it."""

    name: str
    type: str
    note: str
    """The string below the field; empty if there is none."""


def summary_of(cls: type) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def fields_of(cls: type) -> list[StructField]:
    """The fields that the class itself declares, in order; class variables are left out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    [definition] = tree.body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # It was the source of a class.
    found: list[StructField] = []
    for part in definition.body:
        match part:
            case ast.AnnAssign(target=ast.Name(name), annotation=kind):
                shown = ast.unparse(kind)
                if not shown.startswith("ClassVar"):
                    found.append(StructField(name, shown, ""))
            case ast.Expr(value=ast.Constant(value=str(note))) if found:
                last = found.pop()
                found.append(last._replace(note=" ".join(note.split())))
            case _:
                pass
    return found
