"""Which e-mail addresses are taken: those that every mail program reads in one way.

Invariant: a letter to an address that passes here goes to that mailbox and nowhere else. So no
encoded words (RFC 2047), quotes, comments, routes or display names, no controls, and no letters
outside of ASCII, some of which become others when they are written small.
"""

import re
from typing import Final

from application.identity.account_ports import EmailInvalid

LONGEST: Final = 254
"""Characters (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_ATOM: Final = r"[A-Za-z0-9#$&'*+/=?^_{}~-]+"
"""An atom of RFC 5322 without `%` and `!`, by which old relays passed letters on, and `|` and `."""
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
LONGEST_LOCAL: Final = 64
"""Characters before the `@` (RFC 5321, 4.5.3.1.1)."""
_ENCODED: Final = ("=?", "?=")
"""What an encoded word begins and ends with."""


def mailbox(text: str) -> str:
    """The address in the form in which accounts are kept: in lower case, without blanks around.

    Raises EmailInvalid.
    """
    address = text.strip()
    local, _, domain = address.partition("@")
    if (
        len(address) > LONGEST
        or len(local) > LONGEST_LOCAL
        or any(mark in address for mark in _ENCODED)
        or not _LOCAL.fullmatch(local)
        or not all(_is_label(label) for label in domain.split("."))
    ):
        raise EmailInvalid
    return address.lower()


def _is_label(text: str) -> bool:
    """Whether a part of a domain between dots is one (RFC 1123, 2.1)."""
    return bool(_LABEL.fullmatch(text)) and text[0] != "-" and text[-1] != "-"
