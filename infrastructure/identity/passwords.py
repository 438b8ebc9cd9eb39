"""Password hashing by argon2id, in as many threads as there are cores.

Invariant: an unknown account, a wrong password and a password that no account could have all cost
one full verification, so that the time of an answer tells nothing; and no flood of logins holds
more than the cores and the queue.

Parameters are OWASP's first choice for argon2id: 19 MiB, two passes, one lane; 56 ms on a small
machine. Passwords are normalised (NFKC, NIST SP 800-63B 5.1.1.2), so that the same password typed
on another system's keyboard is the same password.
"""

import asyncio
import os
import secrets
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from application.accounts import PasswordRefused, TooManyTries

SHORTEST_PASSWORD: Final = 12
LARGEST_PASSWORD_BYTES: Final = 1024
QUEUE: Final = 64
RETRY_SECONDS: Final = 2.0
"""What a full queue is told: in this time it is worked off on any machine."""

Result = TypeVar("Result")


class PasswordHasher:
    """Hashes and verifies passwords away from the event loop."""

    def __init__(
        self,
        *,
        at_once: int | None = None,
        queue: int = QUEUE,
        memory_kib: int = 19 * 1024,
        passes: int = 2,
    ) -> None:
        """Take limits: computations at once (default: as many as cores) and waiting ones."""
        threads = at_once or os.cpu_count() or 1
        self._argon2 = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=1, hash_len=32, salt_len=16
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(threads + queue)
        # Random bytes in place of a digest: verifying costs the same, and nothing matches it.
        salt, digest = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises PasswordRefused, and TooManyTries when the queue is full."""
        raw = _prepared(password)
        if raw is None or len(password) < SHORTEST_PASSWORD:
            raise PasswordRefused
        return await self._run(lambda: self._argon2.hash(raw))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is the one hashed; give None for an unknown account.

        Raises TooManyTries when the queue is full.
        """
        raw = _prepared(password)
        if raw is None or stored is None:
            stored, raw = self._nobody, b"nobody"
        return await self._run(lambda: self._matches(stored, raw))

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash was made with weaker parameters; ask after a good verification."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Let running computations finish and drop those that wait."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, stored: str, raw: bytes) -> bool:
        try:
            return self._argon2.verify(stored, raw)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if not self._places.acquire(blocking=False):
            raise TooManyTries(RETRY_SECONDS)
        try:
            running = self._threads.submit(work)
        except BaseException:
            self._places.release()
            raise
        # The place is held until the thread is through, also when the request that asked is gone.
        running.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(running)


def _prepared(password: str) -> bytes | None:
    if len(password) > LARGEST_PASSWORD_BYTES:
        return None
    try:
        raw = unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        return None
    return raw if len(raw) <= LARGEST_PASSWORD_BYTES else None
