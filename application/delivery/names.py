"""Names of downloads: readable in any script, and safe on every system.

Invariant: a name is one segment of a path that Windows, macOS and Linux take as it is, hides
nothing, runs nothing, and is never empty.
"""

import re
import unicodedata
from typing import Final

from application.agents.paths import FORBIDDEN, refusal

LONGEST_NAME: Final = 28
"""Characters, as Windows counts them (UTF-16 units): `application.agents.paths` says why."""
NAMELESS: Final = "feature"
_SPOKEN: Final = frozenset("LMNPS")
"""General categories that stay: letters, marks, numbers, punctuation, symbols."""
_JOINERS: Final = frozenset("\u200c\u200d\ufeff")
"""Persian, Hindi and emoji are written with some of them; in a name they could not be seen."""
_LED_BY: Final = " .,;-~_"
_EXTRA: Final = re.compile(r"[/`$%&;'!#{}\[\]^]")
"""What paths, shells and scripts take for something else."""


def file_name(title: str, ending: str = "") -> str:
    """A name from a title, cut between words where it can be.

    Args:
        title: What people call it, in any language.
        ending: What stands behind it, such as ` not passed`; it is never cut.
    """
    kept = "".join(map(_kept, unicodedata.normalize("NFC", title)))
    kept = FORBIDDEN.sub(" ", _EXTRA.sub(" ", kept))
    name = _cut(_trimmed(kept), LONGEST_NAME - _units(ending))
    for safe in (name, _trimmed(name.replace(".", " ")), f"{name} {NAMELESS}"):
        if safe and refusal(safe) is None:
            return safe + ending
    return NAMELESS + ending


def _kept(character: str) -> str:
    if unicodedata.category(character)[0] in _SPOKEN:
        return character
    return "" if character in _JOINERS else " "


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(_LED_BY)


def _cut(text: str, longest: int) -> str:
    """The beginning of a text, without half a word or half a letter if that leaves enough."""
    if _units(text) <= longest:
        return text
    at = 0
    length = 0
    for at, character in enumerate(text):  # noqa: B007 - where it ended is what is asked for.
        length += _units(character)
        if length > longest:
            break
    while at and unicodedata.category(text[at])[0] == "M":
        at -= 1
    words = text[:at].rpartition(" ")[0] if text[at] != " " else text[:at]
    return _trimmed(words if _units(words) * 2 >= longest else text[:at])


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
