"""Letters as files in a folder, where no mail server is configured.

Invariant: a letter is whole or not there, and only the folder's owner can read it.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path


class OutboxFolder:
    """The port `Mail` on a folder: one `.eml` file a letter, named by its time."""

    def __init__(self, folder: Path, sender: str, clock: Callable[[], datetime]) -> None:
        """Take the folder, made at the first letter, whom letters come from, and the clock."""
        self._folder = folder
        self._sender = sender
        self._clock = clock

    async def send(self, to: str, subject: str, text: str) -> None:
        """Leave the letter in the folder."""
        now = self._clock()
        letter = EmailMessage(policy=SMTP)
        letter["From"] = self._sender
        letter["To"] = to
        letter["Subject"] = subject
        letter["Date"] = format_datetime(now)
        letter.set_content(text)
        name = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.eml"
        await asyncio.to_thread(self._write, name, letter.as_bytes())

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{name}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        draft.replace(self._folder / name)
