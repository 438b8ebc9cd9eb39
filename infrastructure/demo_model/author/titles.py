"""Names what a brief is about. Invariant: at most six words, all of them from the brief."""

import re

from infrastructure.demo_model.author.brief import HEADING, plain, sentences

MOST_WORDS = 6
OPENING = re.compile(
    r"^(?:please\s+)?"
    r"(?:(?:i|we)\s+(?:need|want|would like)|(?:build|make|create|write)(?:\s+(?:me|us))?)"
    r"\s+(?:to have\s+)?(?:(?:a|an|the|some|simple|small|little)\s+)*",
    re.IGNORECASE,
)


def title_of(brief: str) -> str:
    """A title from the heading it begins with, else from its first sentence."""
    lines = [line for line in plain(brief).splitlines() if line.strip()]
    found = HEADING.match(lines[0]) if lines else None
    heading = (found["hash"] or found["bold"]) if found else None
    text = (
        heading or (sentences(lines[0]) or ["New application"])[0] if lines else "New application"
    )
    text = text if heading else OPENING.sub("", text) or text
    words = re.sub(r"[#*_`<>{}\[\]]", "", text).strip(" .,:;!?").split()[:MOST_WORDS]
    while len(words) > 1 and words[-1].lower() in (
        "and",
        "for",
        "of",
        "the",
        "a",
        "to",
        "in",
        "that",
    ):
        words.pop()
    title = " ".join(words)[:80].strip(" .,:;!?") or "New application"
    return title[0].upper() + title[1:]
