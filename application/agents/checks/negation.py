"""Whether a sentence says what is not wanted, and whether a text says no to anything.

The words stand as data in `negation.toml`. Invariant: it only looks for words, and reading takes
time in proportion to the text.
"""

import re
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

LONGEST: Final = 4_000
"""Characters that are looked at."""


class NegationWords(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns, any of which will do."""

    begins: tuple[str, ...]
    """How a sentence begins that says what is not wanted."""
    holds: tuple[str, ...]
    """What it may hold instead."""
    says_no: tuple[str, ...]
    """What says no to anything."""


def _read() -> NegationWords:
    text = files("application.agents").joinpath("negation.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=NegationWords)


_DATA: Final = _read()
_BEGINS: Final = re.compile("|".join(_DATA.begins), re.IGNORECASE)
_HOLDS: Final = re.compile("|".join(_DATA.holds), re.IGNORECASE)
_SAYS_NO: Final = re.compile("|".join(_DATA.says_no), re.IGNORECASE)


def excludes(sentence: str) -> bool:
    """Whether a sentence says what is not wanted."""
    said = sentence[:LONGEST]
    return bool(_BEGINS.match(said) or _HOLDS.search(said))


def says_no(text: str) -> bool:
    """Whether a text says no to anything: then it may well keep to what is not wanted."""
    return bool(_SAYS_NO.search(text[:LONGEST]))
