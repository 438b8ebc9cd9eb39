"""Reads a brief in plain words: its parts, its points, its sentences.

Invariant: every word of the brief stands in exactly one line; nothing is added to it.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

# Each pattern reads a line whose white space is single spaces already.
BULLET = re.compile(r"(?:[-*•\u2013]|\d{1,2}[.)]) (?P<text>.+)")
POINT_ID = re.compile(r"\*{0,2}\[?(?P<id>BF-\d{1,4})\]?\*{0,2} ?[:.)\u2013-]?\*{0,2} ?(?P<text>.+)")
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
ALSO = "It must also do"
"""The heading of wishes that came later."""
HASHED = re.compile(r"#{1,6} (.+)")
BOLD = re.compile(r"\*\*([^*]+)\*\*:?")
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")
NEGATED = re.compile(r"\bnot\b|n't")
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
    (Section.STORY, re.compile(r"^(the )?(goal|aim|why|background|context|story)\b")),
    (Section.ASSUMED, re.compile(r"\bassum")),
    (
        Section.WONT,
        re.compile(
            r"\b(no need|not needed|not need|won'?t|out of scope|leave out|must not|without)\b"
        ),
    ),
    (Section.WONT, re.compile(r"^(please )?no\b|\bnot (do|be|include)\b")),
    (Section.EXAMPLE, re.compile(r"\bexamples?\b")),
    (
        Section.DATA,
        re.compile(
            r"\b(data|information|remembers?|write down|note down|keeps?|record|know about)\b"
        ),
    ),
    (Section.USERS, re.compile(r"\b(who|users?|people)\b")),
    (Section.BOUNDS, re.compile(r"\b(constraints?|limits?|bounds|conditions)\b")),
    (Section.MUST, re.compile(r"\b(must|should|needs?|wants?|features?|can|does|do|goal|able)\b")),
)


class BriefLine(Struct, frozen=True):
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
    return next((section for section, sign in SIGNS if sign.search(low)), None)


def heading_of(line: str) -> str | None:
    """The words of a heading, from a line with single spaces; None if it is none."""
    if found := HASHED.match(line):
        return found[1].rstrip("# ") or None
    found = BOLD.fullmatch(line)
    return found[1].strip() if found else None


class _Reader:
    """Goes through a brief from the top, knowing what the last heading or introduction said."""

    def __init__(self) -> None:
        self._lines: list[BriefLine] = []
        self._texts: list[list[str]] = []
        """What each line says, in pieces: a bullet may go on for as long as it likes."""
        self._section = Section.STORY
        self._heading = ""
        self._lead = ""
        self._lead_section = Section.STORY
        self._paragraph: list[str] = []

    def take(self, raw: str) -> None:
        """Read the next line."""
        line = " ".join(raw.split())
        if (heading := heading_of(line)) is not None:
            self.flush()
            self._heading = heading
            inherited = Section.DATA if self._section is Section.DATA else Section.STORY
            self._section = section_of(self._heading) or inherited
        elif found := BULLET.match(line):
            lead, about = self._lead, self._lead_section
            self.flush()
            if not lead:
                about = self._section
            self._bullet(found["text"], about, lead or self._heading)
            self._lead, self._lead_section = lead, about
        elif found := POINT_ID.match(line):
            self.flush()
            if self._heading and self._section is Section.STORY:
                self._paragraph.append(found["text"])  # The goal of a proposed brief.
            else:
                self._bullet(line, Section.MUST, self._heading)
        elif not line:
            if self._paragraph:
                self.flush()
        elif raw[:1].isspace() and self._lines and self._lines[-1].bullet and not self._paragraph:
            self._texts[-1].append(line)
        else:
            self._paragraph.append(line)
            if INTRODUCES.search(line):
                self._introduce()

    def read(self) -> tuple[BriefLine, ...]:
        """All lines so far that say something."""
        self.flush()
        whole = (
            line if len(texts) == 1 else replace(line, text=" ".join(texts))
            for line, texts in zip(self._lines, self._texts, strict=True)
        )
        return tuple(line for line in whole if line.text)

    def _add(self, line: BriefLine) -> None:
        self._lines.append(line)
        self._texts.append([line.text])

    def _bullet(self, text: str, section: Section, under: str) -> None:
        found = POINT_ID.match(text.strip())
        body, own = (found["text"], found["id"]) if found else (text, "")
        self._add(BriefLine(section, body.strip(), bullet=True, under=under, id=own))

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
            self._add(BriefLine(about, joined, bullet=False, under=self._heading))
            self._paragraph = []


@lru_cache(maxsize=4)
def read(text: str) -> tuple[BriefLine, ...]:
    """The brief, line by line; lines of a paragraph are joined.

    One answer looks at its brief from many sides; it is read once for all of them.
    """
    reader = _Reader()
    for raw in plain(text).splitlines():
        reader.take(raw)
    return reader.read()


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph."""
    return [s.strip() for s in SENTENCE_ENDS.split(text) if s.strip()]


def wishes(text: str) -> list[tuple[str, str]]:
    """The points of a brief as (id, text): those that carry ids, else bullets, else sentences."""
    lines = read(text)
    later = [x.text for x in lines if x.bullet and not x.id and x.under == ALSO]
    earlier = [x for x in lines if not (x.bullet and x.under == ALSO) or x.id]
    numbered = [x for x in earlier if x.id]
    meant = [x for x in numbered if x.section in (Section.MUST, Section.STORY)]
    named = [(x.id, x.text[:LIMIT]) for x in meant or numbered]
    if not named:
        found = _unnamed(earlier)[: MOST_WISHES - len(later)] or ([] if later else [text.strip()])
        named = [(f"BF-{n}", wish[:LIMIT]) for n, wish in enumerate(found, start=1)]
    last = max((int(key.split("-")[1]) for key, _ in named), default=0)
    return [*named, *((f"BF-{n}", wish[:LIMIT]) for n, wish in enumerate(later, start=last + 1))]


def _unnamed(lines: list[BriefLine]) -> list[str]:
    wanted = [x for x in lines if x.section in (Section.MUST, Section.STORY)]
    bullets = [x.text for x in wanted if x.bullet]
    prose = [sentence for x in wanted if not x.bullet for sentence in sentences(x.text)]
    spoken = [s for s in prose if WANTS.search(s) and not NEGATED.search(s)]
    return bullets or spoken or prose


def sections_in(inputs: dict[str, Any]) -> dict[str, Section | None]:
    """What the headings say that the handed points stand under, by the points' ids."""
    given = inputs.get("points")
    points = [p for p in given if isinstance(p, dict)] if isinstance(given, list) else []
    return {str(p.get("id", "")): section_of(str(p.get("under", ""))) for p in points}


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
