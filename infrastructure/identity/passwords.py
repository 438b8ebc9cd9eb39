"""Password hashing by argon2id, in as many threads as there are cores.

Invariant: an unknown account, a wrong password and a password that no account could have all cost
one full verification, so that the time of an answer tells nothing; and no flood of logins holds
more than the cores and the queue, nor the lane of those who sign in on a device that is known.

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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from application.identity.account_ports import PasswordCommon, PasswordRefused, TooManyTries
from infrastructure.identity.guessing import is_easily_guessed

SHORTEST_PASSWORD: Final = 12
LARGEST_PASSWORD_BYTES: Final = 1024
QUEUE: Final = 64
KNOWN_QUEUE: Final = 16
RETRY_SECONDS: Final = 2.0
"""What a full queue is told: in this time it is worked off on any machine."""

Result = TypeVar("Result")


class _Lane:
    """Threads, and how many may wait for them."""

    def __init__(self, threads: int, queue: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(threads + queue)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Work in a thread. Raises TooManyTries when the queue is full."""
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

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


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
        self._argon2 = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=1, hash_len=32, salt_len=16
        )
        self._everybody = _Lane(at_once or os.cpu_count() or 1, queue)
        self._known = _Lane(1, KNOWN_QUEUE)
        # Random bytes in place of a digest: verifying costs the same, and nothing matches it.
        salt, digest = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"

    async def refuse_common(self, password: str, own: Iterable[str] = ()) -> None:
        """Refuse a new password that somebody would guess early.

        Args:
            password: As it was typed.
            own: What belongs to the account, such as its address: no part of a good password.

        Raises:
            PasswordRefused: too short or too long, or, as its kind PasswordCommon, easily guessed.
            TooManyTries: the queue is full.
        """
        normal, words = _new(password), tuple(own)
        if await self._run(lambda: is_easily_guessed(normal, words)):
            raise PasswordCommon

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises PasswordRefused, and TooManyTries when the queue is full."""
        raw = _new(password).encode()
        return await self._run(lambda: self._argon2.hash(raw))

    async def verify(self, stored: str | None, password: str, *, is_known: bool = False) -> bool:
        """Tell whether the password is the one hashed; give None for an unknown account.

        On a device that is known it is a lane of its own that is waited for. Raises TooManyTries
        when the queue is full.
        """
        normal = _normal(password)
        raw = b"nobody" if normal is None or stored is None else normal.encode()
        against = self._nobody if normal is None or stored is None else stored
        lane = self._known if is_known else self._everybody
        return await lane.run(lambda: self._matches(against, raw))

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await self._everybody.run(work)

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash was made with weaker parameters; ask after a good verification."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Let running computations finish and drop those that wait."""
        self._everybody.close()
        self._known.close()

    def _matches(self, stored: str, raw: bytes) -> bool:
        try:
            return self._argon2.verify(stored, raw)
        except (VerificationError, InvalidHashError):
            return False


def _new(password: str) -> str:
    normal = _normal(password)
    if normal is None or len(normal) < SHORTEST_PASSWORD:
        raise PasswordRefused
    return normal


def _normal(password: str) -> str | None:
    """The password as it is hashed (NFKC); None if no account can have it."""
    if len(password) > LARGEST_PASSWORD_BYTES:
        return None
    normal = unicodedata.normalize("NFKC", password)
    try:
        fits = len(normal.encode()) <= LARGEST_PASSWORD_BYTES
    except UnicodeEncodeError:
        return None
    return normal if fits else None
