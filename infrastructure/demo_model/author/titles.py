"""Names what a brief is about. Invariant: at most six words, all of them from the brief."""

import re

from infrastructure.demo_model.author.brief import heading_of, plain, sentences

MOST_WORDS = 6
OPENING = re.compile(
    r"^(?:please )?"
    r"(?:(?:i|we) (?:need|want|would like)|(?:build|make|create|write)(?: (?:me|us))?)"
    r" (?:to have )?(?:(?:a|an|the|some|simple|small|little) )*",
    re.IGNORECASE,
)
MARKUP = re.compile(r"[#*_`<>{}\[\]]")


def title_of(brief: str) -> str:
    """A title from the heading it begins with, else from its first sentence."""
    lines = (" ".join(line.split()) for line in plain(brief).splitlines())
    first = next((line for line in lines if line), "New application")
    heading = heading_of(first)
    text = heading or sentences(first)[0]
    text = text if heading else OPENING.sub("", text) or text
    words = MARKUP.sub("", text).strip(" .,:;!?").split()[:MOST_WORDS]
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
