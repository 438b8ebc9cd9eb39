"""Which passwords somebody would guess early: common ones, patterns, what belongs to the account.

The estimate is zxcvbn's (D. Wheeler, USENIX Security 2016), which knows 30,000 common passwords,
names and words, keyboard patterns, sequences, repetitions, dates and the usual substitutions.
Invariant: only the first `LOOKED_AT` characters are looked at, so that no password takes long.
"""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from zxcvbn import zxcvbn

FEWEST_GUESSES: Final = 10**8
"""Below this a password is easy: zxcvbn's score of 3, "safely unguessable", begins here."""

LOOKED_AT: Final = 40
"""Characters. What follows makes a password no easier; the estimate takes quadratic time."""

SHORTEST_WORD: Final = 3
"""Of what belongs to the account; less is found in any text."""

FEW_SIGNS: Final = 2
"""Of so many kinds, signs are taken for something between the words."""

PRODUCT: Final = ("build practical", "buildpractical", "build", "practical")

_ONE_AT_A_TIME: Final = threading.Lock()
"""The library keeps the words of the account in a global."""

_BETWEEN: Final = re.compile(r"[^a-z0-9]+")
_TOP_DOMAIN: Final = re.compile(r"\.[a-z0-9-]+$")


def is_easily_guessed(password: str, own: Iterable[str] = ()) -> bool:
    """Whether a password, normalised (NFKC), would be guessed early.

    Args:
        password: As it is going to be hashed.
        own: What belongs to whoever chooses it: their address, the service's name.
    """
    words = [*_words(own), *PRODUCT]
    return any(_guesses(spelled, words) < FEWEST_GUESSES for spelled in _spellings(password))


def _spellings(password: str) -> Iterator[str]:
    """The password as it is, and without what only stretches it: the same signs again and again."""
    yield password[:LOOKED_AT]
    between = {c for c in password if unicodedata.category(c)[0] not in "LNM"}
    stretched = {c for c in between if unicodedata.category(c)[0] in "ZC"}
    if len(between - stretched) <= FEW_SIGNS:
        stretched = between
    kept = "".join(c for c in password if c not in stretched)
    if kept and kept != password:
        yield kept[:LOOKED_AT]


def _guesses(password: str, words: list[str]) -> float:
    with _ONE_AT_A_TIME:
        return float(zxcvbn(password, words)["guesses"])


def _words(own: Iterable[str]) -> Iterator[str]:
    """A text and its parts: of `ann.smith@mail.example.org` also `ann`, `annsmith`, `example`, …"""
    for text in own:
        lower = text.lower()
        for whole in (lower, *lower.split("@")):
            for name in (whole, _TOP_DOMAIN.sub("", whole)):
                yield from (w for w in (name, _BETWEEN.sub("", name)) if len(w) >= SHORTEST_WORD)
        yield from (part for part in _BETWEEN.split(lower) if len(part) >= SHORTEST_WORD)
