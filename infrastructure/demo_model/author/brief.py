"""Reads a brief in plain words: its parts, its points, its sentences.

Invariant: every word of the brief stands in exactly one line; nothing is added to it.
"""

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

BULLET = re.compile(r"^\s*(?:[-*•\u2013]|\d{1,2}[.)])\s+(?P<text>.+)$")
POINT_ID = re.compile(r"^\**\[?(?P<id>BF-\d{1,4})\]?\**\s*[:.)\u2013-]?\**\s*(?P<text>.+)$")
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
ALSO = "It must also do"
"""The heading of wishes that came later."""
HEADING = re.compile(r"^\s*(?:#{1,6}\s+(?P<hash>.+?)|\*\*(?P<bold>[^*]+?)\*\*:?)\s*#*\s*$")
INTRODUCES = re.compile(r":$|^(?:we|i|it) (?:need|want)s? to$", re.IGNORECASE)
DECLINES = re.compile(r"(?:please )?(?:no|not needed|nothing|without)\b", re.IGNORECASE)
WANTS = re.compile(
    r"\b(must|should|shall|can|could|want|wants|need|needs|would like|has to|have to|able to)\b",
    re.IGNORECASE,
)
MOST_WISHES = 60
LIMIT = 1_900
"""Points of a brief at most; characters of a line in a document, where 2,000 are allowed."""


class Section(StrEnum):
    """What a part of the brief speaks about."""

    STORY = "story"
    MUST = "must"
    DATA = "data"
    USERS = "users"
    WONT = "wont"
    EXAMPLE = "example"
    BOUNDS = "bounds"
    ASSUMED = "assumed"


SIGNS = (
    (Section.STORY, r"^(the )?(goal|aim|why|background|context|story)\b"),
    (Section.ASSUMED, r"\bassum"),
    (
        Section.WONT,
        r"\b(no need|not needed|not need|won'?t|out of scope|leave out|must not|without)\b",
    ),
    (Section.WONT, r"^(please )?no\b|\bnot (do|be|include)\b"),
    (Section.EXAMPLE, r"\bexamples?\b"),
    (
        Section.DATA,
        r"\b(data|information|remembers?|write down|note down|keeps?|record|know about)\b",
    ),
    (Section.USERS, r"\b(who|users?|people)\b"),
    (Section.BOUNDS, r"\b(constraints?|limits?|bounds|conditions)\b"),
    (Section.MUST, r"\b(must|should|needs?|wants?|features?|can|does|do|goal|able)\b"),
)


class Line(Struct, frozen=True):
    """A line of the brief."""

    section: Section
    text: str
    bullet: bool
    under: str = ""
    """The heading or the introduction it stands under."""
    id: str = ""
    """Its `BF-n`, if it carries one."""


def plain(text: str) -> str:
    """A text without the backslashes that keep Markdown from reading it as markup."""
    return ESCAPED.sub(r"\1", text)


def section_of(heading: str) -> Section | None:
    """What a heading announces."""
    low = heading.lower()
    return next((section for section, sign in SIGNS if re.search(sign, low)), None)


class _Reader:
    """Goes through a brief from the top, knowing what the last heading or introduction said."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._section = Section.STORY
        self._heading = ""
        self._lead = ""
        self._lead_section = Section.STORY
        self._paragraph: list[str] = []

    def take(self, raw: str) -> None:
        """Read the next line."""
        stripped = raw.strip()
        if found := HEADING.match(raw):
            self.flush()
            self._heading = (found["hash"] or found["bold"]).strip()
            inherited = Section.DATA if self._section is Section.DATA else Section.STORY
            self._section = section_of(self._heading) or inherited
        elif found := BULLET.match(raw):
            lead, about = self._lead, self._lead_section
            self.flush()
            if not lead:
                about = self._section
            self._bullet(found["text"], about, lead or self._heading)
            self._lead, self._lead_section = lead, about
        elif found := POINT_ID.match(stripped):
            self.flush()
            self._bullet(stripped, Section.MUST, self._heading)
        elif not stripped:
            if self._paragraph:
                self.flush()
        elif raw[:1].isspace() and self.lines and self.lines[-1].bullet and not self._paragraph:
            last = self.lines.pop()
            self.lines.append(replace(last, text=f"{last.text} {stripped}"))
        else:
            self._paragraph.append(stripped)
            if INTRODUCES.search(stripped):
                self._introduce()

    def _bullet(self, text: str, section: Section, under: str) -> None:
        found = POINT_ID.match(text.strip())
        body, own = (found["text"], found["id"]) if found else (text, "")
        self.lines.append(Line(section, body.strip(), bullet=True, under=under, id=own))

    def _introduce(self) -> None:
        """The paragraph's last sentence speaks about the list that follows."""
        *before, lead = sentences(" ".join(self._paragraph))
        self._paragraph = before
        self.flush()
        self._lead = lead.rstrip(":")
        self._lead_section = section_of(self._lead) or self._section

    def flush(self) -> None:
        """End the paragraph, and the reach of the introduction before it."""
        self._lead = ""
        if self._paragraph:
            joined = " ".join(self._paragraph)
            declines = self._section is Section.STORY and DECLINES.match(joined)
            about = Section.WONT if declines else self._section
            self.lines.append(Line(about, joined, bullet=False, under=self._heading))
            self._paragraph = []


def read(text: str) -> list[Line]:
    """The brief, line by line; lines of a paragraph are joined."""
    reader = _Reader()
    for raw in plain(text).splitlines():
        reader.take(raw)
    reader.flush()
    return [line for line in reader.lines if line.text]


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph."""
    return [s.strip() for s in re.split(r"(?<=[.!?])\s+", text) if s.strip()]


def wishes(text: str) -> list[tuple[str, str]]:
    """The points of a brief as (id, text): those that carry ids, else bullets, else sentences."""
    lines = read(text)
    later = [x.text for x in lines if x.bullet and not x.id and x.under == ALSO]
    earlier = [x for x in lines if not (x.bullet and x.under == ALSO) or x.id]
    named = [(x.id, x.text[:LIMIT]) for x in earlier if x.id]
    if not named:
        found = _unnamed(earlier)[: MOST_WISHES - len(later)] or ([] if later else [text.strip()])
        named = [(f"BF-{n}", wish[:LIMIT]) for n, wish in enumerate(found, start=1)]
    last = max((int(key.split("-")[1]) for key, _ in named), default=0)
    return [*named, *((f"BF-{n}", wish[:LIMIT]) for n, wish in enumerate(later, start=last + 1))]


def _unnamed(lines: list[Line]) -> list[str]:
    wanted = [x for x in lines if x.section in (Section.MUST, Section.STORY)]
    bullets = [x.text for x in wanted if x.bullet]
    prose = [sentence for x in wanted if not x.bullet for sentence in sentences(x.text)]
    spoken = [s for s in prose if WANTS.search(s) and not re.search(r"\bnot\b|n't", s)]
    return bullets or spoken or prose


def points_of(inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """The points handed over as (id, text), whatever their shape; else those of the brief."""
    given = inputs.get("points")
    found: list[tuple[str, str]] = []
    if isinstance(given, dict):
        found = [(str(key), str(value)) for key, value in given.items()]
    elif isinstance(given, list):
        for number, point in enumerate(given, start=1):
            if isinstance(point, dict):
                found.append((str(point.get("id", f"BF-{number}")), str(point.get("text", ""))))
            elif isinstance(point, list | tuple) and len(point) > 1:
                found.append((str(point[0]), str(point[1])))
            else:
                found.append((f"BF-{number}", str(point)))
    return found or wishes(text_of(inputs.get("brief", "")))


def text_of(value: Any) -> str:  # noqa: ANN401 - JSON.
    """A brief as text, also if it comes as a structure."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        lines = [f"# {value.get('title', '')}", str(value.get("goal", ""))]
        headed = (("Users", "users"), ("Must do", "must_haves"), ("Not needed", "wont_haves"))
        for name, key in (*headed, ("Data", "data")):
            members = value.get(key) or []
            lines += ["", f"## {name}", ""]
            lines += [
                f"- {m['id']}: {m['text']}" if isinstance(m, dict) else f"- {m}" for m in members
            ]
        return "\n".join(lines)
    return "" if value is None else str(value)
