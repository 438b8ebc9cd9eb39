"""Letters as files in a folder, where no mail server is configured.

Invariant: a letter is whole or not there, only the folder's owner can read it, and whoever reads
its address reads exactly the one that was given: otherwise there is no letter.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from application.identity.account_ports import AddressUnsafe, EmailInvalid
from application.identity.mailbox import mailbox


class MailFolder:
    """The port `Mail` on a folder: one `.eml` file a letter, named by its time."""

    def __init__(self, folder: Path, sender: str, clock: Callable[[], datetime]) -> None:
        """Take the folder, made at the first letter, whom letters come from, and the clock."""
        self._folder = folder
        self._sender = sender
        self._clock = clock

    async def send(self, to: str, subject: str, text: str) -> None:
        """Leave the letter in the folder.

        Raises AddressUnsafe for an address that a mail program may take for another one, such as
        an encoded word; there may be some in accounts of before addresses were checked so.
        """
        now = self._clock()
        letter = EmailMessage(policy=SMTP)
        letter["From"] = self._sender
        letter["To"] = _address(to)
        letter["Subject"] = subject
        letter["Date"] = format_datetime(now)
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text)
        body = letter.as_bytes()
        if _read(body) != [to]:
            raise AddressUnsafe
        name = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.eml"
        await asyncio.to_thread(self._write, name, body)

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{name}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        draft.replace(self._folder / name)


def _address(to: str) -> Address:
    try:
        if mailbox(to) == to:
            return Address(addr_spec=to)
    except EmailInvalid:
        pass
    raise AddressUnsafe


def _read(body: bytes) -> list[str]:
    """To whom a letter goes, as a mail program reads it."""
    read = message_from_bytes(body, policy=SMTP)
    return [address.addr_spec for header in read.get_all("To", []) for address in header.addresses]
