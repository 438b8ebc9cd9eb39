"""Text in one plain form, in which a quote is compared with a file.

Invariant: the same signs give the same form wherever they stand, so what stands in a file is found
there however it was copied: without regard to case, white space, quotation marks, escapes, width of
letters and invisible signs. Every function takes time in proportion to its text.
"""

import html
import re
import unicodedata
from typing import Final

_UNICODE: Final = re.compile(r"\\u\{?([0-9a-fA-F]{4,6})\}?")
_ESCAPED: Final = re.compile(r"\\[nrtvf0]")
_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_LEFT_OUT: Final = re.compile(
    r"[\s\\'\"`\u00b4\u2018-\u201f\u2032-\u2037\u2039\u203a\u00ab\u00bb]+"
)
_DASHES: Final = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_LARGEST: Final = 0x10FFFF


def plain(text: str) -> str:
    """The text in its plain form; nothing of it is left if it holds no sign that counts."""
    read = _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
    read = _ESCAPED.sub("", _UNICODE.sub(_sign, read))
    if not read.isascii():
        read = _DASHES.sub("-", unicodedata.normalize("NFKC", read))
    read = _LEFT_OUT.sub("", read.casefold())
    if not read.isprintable():
        read = "".join(sign for sign in read if unicodedata.category(sign)[0] not in "CZ")
    return read


def _sign(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number <= _LARGEST else found[0]
