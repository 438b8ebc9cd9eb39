"""The program that a delivery brings along to check it, made of three modules of this project.

Invariant: one file that needs the standard library only; its code is that of the log's verifier
(`application/transparency/verifier.py`) without its command line, then that of `beside` and of the
checker, beside this file. It imports nothing from the folder that it lies in.
"""

import ast
import inspect
from functools import cache

from application.delivery import beside, checker
from application.transparency import verifier

FUTURE = "from __future__ import annotations\n"
FIRST = """
import sys

# Python looks for modules beside a program first: what lies in a delivery is not to be run.
if __name__ == "__main__" and sys.path and sys.path[0] and __file__.startswith(sys.path[0]):
    del sys.path[0]
"""
"""What the program does before it imports anything else."""


@cache
def script() -> bytes:
    """The text of `verify.py`."""
    log, delivery = inspect.getsource(verifier), inspect.getsource(checker)
    about, _, body = delivery.partition(FUTURE)
    checks = log.partition(FUTURE)[2].partition("\n\ndef main(")[0]
    others = inspect.getsource(beside).partition(FUTURE)[2]
    parts = (checks, others, _without_imports_of_ours(body))
    whole = "\n\n\n".join(part.strip() for part in parts)
    return f"{about}{FUTURE}{FIRST}\n{whole}\n".encode()


def _without_imports_of_ours(text: str) -> str:
    """A module's text without what it imports from modules that become a part of the program."""
    ours = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("application.")
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines, 1) if number not in ours)
