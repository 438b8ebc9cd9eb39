"""Server-sent events: their frames, where a client left off, and the places they take.

Invariant: every durable event carries its place in the log as `id`, and what is not in the log
carries none; so a client that comes back with the last id it saw gets what it missed, once, in
order (WHATWG HTML, "Server-sent events").
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from application.ports import Unavailable
from domain.errors import NotFound
from interface.http.account.signed_in import address_of, caller_of
from interface.http.places import FULL, Holder
from interface.http.problems.table import wait
from interface.http.requests.body import JsonRequest
from interface.http.services import Services, of
from interface.http.streaming.streaming import Ending, Pipe, Produce, Put, StreamedResponse
from interface.limits import Room

MEDIA_TYPE: Final = "text/event-stream"
PING: Final = b": ping\n\n"
RETRY_MS: Final = 500
OUTAGE_RETRY_MS: Final = 3_000
ODD_BREAKS: Final = tuple(
    (character.encode(), b"\\u%04x" % ord(character)) for character in "\u0085\u2028\u2029"
)

FULL_SECONDS: Final = 5.0
"""After which somebody without a place may ask again."""


def frame(event: str, data: Any, *, id: int | None = None, retry: int | None = None) -> bytes:  # noqa: A002, ANN401 - as the format calls it; any JSON.
    """One event. JSON has no raw line breaks, so its data is always one line.

    Line breaks that only some readers take for such are escaped, too.
    """
    lines = [b"event: " + event.encode()]
    if id is not None:
        lines.append(b"id: %d" % id)
    if retry is not None:
        lines.append(b"retry: %d" % retry)
    body = msgspec.json.encode(data)
    for raw, escaped in ODD_BREAKS:
        body = body.replace(raw, escaped)
    lines.append(b"data: " + body)
    return b"\n".join(lines) + b"\n\n"


BYE: Final = frame("bye", {}, retry=RETRY_MS)
"""Said before a stream ends by itself: come again, with the last id."""


class LogSetBack(Struct, frozen=True):
    """What was told before may be in no log any more: read everything anew."""

    reason: str = (
        "The service was set back to an earlier state. Part of what you saw is not in it: "
        "read everything anew."
    )


SET_BACK: Final = "set_back"
"""The event that tells a client to begin anew; its `id` is where the stream goes on."""


def set_back(place: int) -> bytes:
    """The frame that says so."""
    return frame(SET_BACK, LogSetBack(), id=place)


def streamed(services: Services, pipe: Pipe, *, farewell: bytes = BYE) -> StreamedResponse:
    """A pipe of frames as the answer."""
    settings = services.settings
    ending = Ending(
        services.stopping,
        seconds=settings.stream_seconds,
        farewell=farewell,
        ping_seconds=settings.ping_seconds,
        ping=PING,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamedResponse(pipe, ending, media_type=MEDIA_TYPE, headers=headers)


def until_unavailable(produce: Produce) -> Produce:
    """The producer of a stream that asks the client to come again when the log cannot be read."""

    async def patient(put: Put) -> None:
        try:
            await produce(put)
        except Unavailable:
            await put(frame("bye", {}, retry=OUTAGE_RETRY_MS))
        except NotFound:
            # Deleted before its last events were read: whoever comes again gets a plain 404.
            await put(BYE)

    return patient


def open_pipe(request: JsonRequest, room: Room, produce: Produce) -> Pipe:
    """Start a producer in a place of whoever asks. Raises HttpProblem when all are taken."""
    services = of(request.app.state)
    if services.stopping.is_set():
        raise wait("unavailable", 1, "This process is about to stop. Try again.")
    places = services.places[room]
    release = places.take(Holder(caller_of(request).tenant_id, address_of(request)))
    if release is None:
        raise wait("too_many_requests", FULL_SECONDS, FULL[room])
    gauge = services.metrics.open_streams.labels(room)
    gauge.set(places.taken)

    def free() -> None:
        release()
        gauge.set(places.taken)

    return Pipe(produce, free)
