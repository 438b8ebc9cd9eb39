"""Which e-mail addresses are taken: those that every mail program reads in one way.

Invariant: a letter to an address that passes here goes to that mailbox and nowhere else. So no
encoded words (RFC 2047), quotes, comments, routes or display names, no controls, and no letters
outside of ASCII, some of which become others when they are written small.
"""

import re
from typing import Final

from application.account_ports import EmailInvalid

LONGEST: Final = 254
"""Characters (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_ATOM: Final = r"[A-Za-z0-9#$&'*+/=?^_{}~-]+"
"""An atom of RFC 5322 without `%` and `!`, by which old relays passed letters on, and `|` and `."""
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX: Final = re.compile(
    rf"(?=[^@]{{1,64}}@)(?!.*(?:=\?|\?=)){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
)


def mailbox(text: str) -> str:
    """The address in the form in which accounts are kept: in lower case, without blanks around.

    Raises EmailInvalid.
    """
    address = text.strip()
    if len(address) > LONGEST or not _MAILBOX.fullmatch(address):
        raise EmailInvalid
    return address.lower()
