"""The program that a delivery brings along to check it, made of two modules of this project.

Invariant: one file that needs the standard library only; its code is that of the log's verifier
(`application/verifier.py`) without its command line, then that of the checker beside this file.
"""

import inspect
from functools import cache

from application import verifier
from application.delivery import checker

FUTURE = "from __future__ import annotations\n"
OURS = "from application.verifier import MALFORMED, TYPE_PREFIX, verify\n"


@cache
def script() -> bytes:
    """The text of `verify.py`."""
    log, delivery = inspect.getsource(verifier), inspect.getsource(checker)
    about, _, body = delivery.partition(FUTURE)
    checks = log.partition(FUTURE)[2].partition("\n\ndef main(")[0]
    return f"{about}{FUTURE}{checks}\n\n{body.replace(OURS, '').lstrip()}".encode()
