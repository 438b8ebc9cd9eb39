"""Work for the pool of processes, good and bad: what its tests hand over."""

import os
import re
import signal

from domain.documents import Point

CUBIC = re.compile(r"^\s*(?:#{1,6}\s+(?P<hash>.+?)|\*\*(?P<bold>[^*]+?)\*\*:?)\s*#*\s*$")


def doubled(points: tuple[Point, ...], factor: int) -> dict[str, Point]:
    """What goes in and comes out as structures."""
    return {point.id * factor: point for point in points}


def hung(text: str) -> bool:
    """The brief that hung the service, through the pattern that did it."""
    return CUBIC.match(text) is not None


def swollen(bytes_: int) -> int:
    """Takes so much memory."""
    return len(bytearray(bytes_))


def broken(text: str) -> str:
    """Fails with words that are nobody's business."""
    raise ValueError(text)


def gone() -> int:
    """Ends its process as a crash of a parser would."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def number() -> int:
    """Which process this is."""
    return os.getpid()


def environment() -> list[str]:
    """What this process was told of its surroundings."""
    return sorted(os.environ)
