"""Which requirements a brief asks for: each thing is added, looked through, changed and removed.

Invariant: every point of the brief is the source of a requirement or is left out by name.
"""

import re
from enum import StrEnum

from msgspec import Struct

from infrastructure.demo_model.author.sketch import Sketch, Thing
from infrastructure.demo_model.author.words import a


class Deed(StrEnum):
    """What people do with a thing."""

    ADD = "add"
    FIND = "find"
    CHANGE = "change"

    def trigger(self, thing: Thing) -> str:
        """How the requirement begins. Stable: a revised specification finds its ids by it."""
        return {
            Deed.ADD: f"A person adds {a(thing.label)}",
            Deed.FIND: f"A person looks through the {thing.many}",
            Deed.CHANGE: f"A person changes or removes {a(thing.label)}",
        }[self]


class WantedRequirement(Struct, frozen=True):
    """A requirement to be: what is done with which thing, because of which points."""

    thing: Thing
    deed: Deed
    sources: tuple[str, ...]


CHANGES = re.compile(
    r"\b(change|edit|update|correct|remove|delete|cancel|mark|returned?|take back|take a|replace|"
    r"withdraw|move|rename|fix|mistakes?)\b",
    re.IGNORECASE,
)
FINDS = re.compile(
    r"\b(see|shows?|lists?|find|search|look|view|overview|know|which|who|where|filter|browse|sort|"
    r"remember|check|at a glance|visible|next)\b",
    re.IGNORECASE,
)
ADDS = re.compile(
    r"\b(add|write down|note|record|register|enter|create|new|keep|store|save|sign up|book|lend|"
    r"order|log|collect|remember|make)\b",
    re.IGNORECASE,
)
BEYOND = (
    (
        re.compile(
            r"\b(remind\w*|notif\w*|alert\w*|send|e-?mail (to|them|us|me)|text messages?|sms)\b",
            re.IGNORECASE,
        ),
        "sends no messages",
    ),
    (
        re.compile(
            r"\b(log ?in|sign in|password|accounts?|permission|only (i|admins?|staff) (can|may))\b",
            re.IGNORECASE,
        ),
        "has no sign-in",
    ),
    (
        re.compile(
            r"\b(pay online|online payment|credit card|paypal|invoice|checkout)\b", re.IGNORECASE
        ),
        "takes no payments",
    ),
    (
        re.compile(r"\b(print|pdf|export|spreadsheet|excel|csv|import)\b", re.IGNORECASE),
        "prints, exports and imports nothing",
    ),
    (
        re.compile(r"\b(map|gps|route|barcode|qr|scan|camera|upload)\b", re.IGNORECASE),
        "has no maps, scans or uploads",
    ),
    (
        re.compile(
            r"\b(chart|graph|statistics?|report|predict|recommend|ai|chat|calendar)\b",
            re.IGNORECASE,
        ),
        "draws no charts and makes no reports",
    ),
    (
        re.compile(r"\b(app store|android|iphone|offline|translate|languages?)\b", re.IGNORECASE),
        "is a page in the browser, in one language",
    ),
)


def beyond(text: str) -> str | None:
    """Why the demo model leaves a point out; None if it can build it."""
    return next((why for sign, why in BEYOND if sign.search(text)), None)


def mentions(thing: Thing, text: str) -> bool:
    """Whether a text speaks of a thing, by any of its words."""
    low = text.lower()
    head = thing.label.split()[-1]
    names = (thing.label, thing.many, head, thing.many.split()[-1])
    return any(_says(low, name) for name in names)


def _says(text: str, name: str) -> bool:
    """Whether a name stands in a text as words of its own."""
    place = text.find(name)
    while place >= 0:
        end = place + len(name)
        if not (_in_word(text[place - 1 : place]) or _in_word(text[end : end + 1])):
            return True
        place = text.find(name, place + 1)
    return False


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def deed_of(text: str) -> Deed:
    """What a point asks for."""
    if CHANGES.search(text):
        return Deed.CHANGE
    if ADDS.search(text):
        return Deed.ADD
    return Deed.FIND


def share(
    drawn: Sketch, points: list[tuple[str, str]]
) -> tuple[list[WantedRequirement], dict[str, str]]:
    """Requirements with their sources, and the points left out with the reason for each."""
    left_out = {key: why for key, text in points if (why := beyond(text))}
    kept = [(key, text) for key, text in points if key not in left_out] or points[:1]
    left_out = {key: why for key, why in left_out.items() if key not in dict(kept)}
    sources: dict[tuple[str, Deed], list[str]] = {}
    about: dict[str, list[str]] = {}
    for key, text in kept:
        meant = [thing for thing in drawn.things if mentions(thing, text)] or [drawn.things[0]]
        deeds = {deed for deed, sign in _SIGNS if sign.search(text)} or {deed_of(text)}
        for thing in meant:
            about.setdefault(thing.label, []).append(key)
            for deed in deeds:
                sources.setdefault((thing.label, deed), []).append(key)
    first = [kept[0][0]]
    wanted = [
        WantedRequirement(
            thing,
            deed,
            tuple(
                dict.fromkeys(sources.get((thing.label, deed)) or about.get(thing.label) or first)
            ),
        )
        for thing in drawn.things
        for deed in Deed
    ]
    return wanted, left_out


_SIGNS = ((Deed.CHANGE, CHANGES), (Deed.ADD, ADDS), (Deed.FIND, FINDS))
