"""What ends an open stream besides its client and its process: the right to read it.

Invariant: a stream sends nothing more once the session of whoever opened it has ended, by a
sign-out, a new password or a stolen token; and events, which may go on for ever, end with the
access token that opened them, too. A file is cut off, so that no half of one passes for a whole.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from interface.http.account.signed_in import caller_of
from interface.http.requests.body import JsonRequest
from interface.http.services import of
from interface.http.streaming.streaming import ClientStuck, Produce, Put

SHORTEST_SECONDS: Final = 1.0
"""What a stream gets at least that was opened in the last moment of its token."""


class SessionOver(ClientStuck):
    """Whoever asked for this may not have it any more: the line is cut."""


def while_signed_in(request: JsonRequest, produce: Produce, farewell: bytes) -> Produce:
    """The producer of a stream of events that ends with the session, and with the token.

    `farewell` is said then; the client comes again with another token, or is told to sign in.
    """

    async def guarded(put: Put) -> None:
        expired = _at_least(SHORTEST_SECONDS, _expired(request))
        if await _cut_short(produce(put), _ended(request), expired):
            await put(farewell)

    return guarded


def while_session_lasts(request: JsonRequest, produce: Produce) -> Produce:
    """The producer of a file that is cut off when the session ends."""

    async def guarded(put: Put) -> None:
        if await _cut_short(produce(put), _ended(request)):
            raise SessionOver

    return guarded


async def _cut_short(work: Coroutine[Any, Any, None], *ends: Coroutine[Any, Any, None]) -> bool:
    """Work until it is done, and raise what it raises; or until one of these is: then True."""
    working = asyncio.create_task(work)
    ending = [asyncio.create_task(end) for end in ends]
    try:
        await asyncio.wait({working, *ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return False
        for end in ending:
            if end.done():
                end.result()
        return True
    finally:
        for task in (working, *ending):
            task.cancel()
        await asyncio.gather(working, *ending, return_exceptions=True)


async def _ended(request: JsonRequest) -> None:
    await of(request.app.state).bearers.ended(caller_of(request))


async def _expired(request: JsonRequest) -> None:
    await of(request.app.state).bearers.expired(caller_of(request))


async def _at_least(seconds: float, wait: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(asyncio.sleep(seconds), wait)
