"""The program that a delivery brings along to check it, made of three modules of this project.

Invariant: one file that needs the standard library only; its code is that of the log's verifier
(`application/verifier.py`) without its command line, then that of `beside` and of the checker,
beside this file. It imports nothing from the folder that it lies in.
"""

import inspect
import re
from functools import cache

from application import verifier
from application.delivery import beside, checker

FUTURE = "from __future__ import annotations\n"
FIRST = """
import sys

# Python looks for modules beside a program first: what lies in a delivery is not to be run.
if __name__ == "__main__" and sys.path and sys.path[0] and __file__.startswith(sys.path[0]):
    del sys.path[0]
"""
"""What the program does before it imports anything else."""
OURS = re.compile(r"from application\.[\w.]+ import (?:\([^)]*\)|[^\n]*)\n")


@cache
def script() -> bytes:
    """The text of `verify.py`."""
    log, delivery = inspect.getsource(verifier), inspect.getsource(checker)
    about, _, body = delivery.partition(FUTURE)
    checks = log.partition(FUTURE)[2].partition("\n\ndef main(")[0]
    others = inspect.getsource(beside).partition(FUTURE)[2]
    parts = (checks, others, OURS.sub("", body))
    whole = "\n\n\n".join(part.strip() for part in parts)
    return f"{about}{FUTURE}{FIRST}\n{whole}\n".encode()
