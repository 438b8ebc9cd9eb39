"""A page for whoever will run what was made: what it is, needs and costs, and whom to ask.

Invariant: it says nothing that is not in the documents or the kit, as text and as a page to print.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.agents.markdown import inline
from application.delivery.guide import named
from application.delivery.kit import Kit
from application.delivery.words import WORDS
from domain.documents import Priority, Spec

MOST_DEEDS: Final = 8
"""Things it does that are named: the page is to stay one page."""
LONGEST_DEED: Final = 160
LONGEST_SUMMARY: Final = 700
_CODE: Final = re.compile(r"`([^`\n]{1,200})`")


class LetterSection(Struct, frozen=True):
    """A heading with what stands below it."""

    heading: str
    lines: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


class HandoverLetter(Struct, frozen=True):
    """The whole page; what stands in backticks is code."""

    language: str
    title: str
    about: str
    """What kind of page it is."""
    sections: tuple[LetterSection, ...]


def letter_of(
    feature_id: UUID, version: int, spec: Spec, kit: Kit, language: str
) -> HandoverLetter:
    """The page for a finished feature.

    Args:
        feature_id: Which one.
        version: Where its log ends.
        spec: What it does.
        kit: What starts it.
        language: Of `WORDS`.
    """
    words = WORDS[language]
    musts = [need for need in spec.requirements if need.priority is Priority.MUST]
    rest = [need for need in spec.requirements if need not in musts]
    deeds = [_short(need.response, LONGEST_DEED) for need in [*musts, *rest]]
    more = len(deeds) - MOST_DEEDS
    costs = [words.cost_own]
    if kit.to_fill:
        costs.append(words.cost_services.format(names=named(kit.to_fill)))
    return HandoverLetter(
        language,
        spec.title,
        words.letter,
        (
            LetterSection(words.what, (_short(spec.summary, LONGEST_SUMMARY),)),
            LetterSection(
                words.does,
                (words.more.format(count=more),) if more > 0 else (),
                tuple(deeds[:MOST_DEEDS]),
            ),
            LetterSection(words.requires, tuple(_needs(kit, language))),
            LetterSection(words.costs, tuple(costs)),
            LetterSection(
                words.ask,
                (),
                (
                    f"{words.ask_owner} {'_' * 30}",
                    words.ask_developer,
                    words.ask_proof.format(feature=feature_id, version=version),
                ),
            ),
        ),
    )


def _needs(kit: Kit, language: str) -> Iterator[str]:
    words = WORDS[language]
    if kit.gaps:
        yield words.cannot.format(gaps=" ".join(kit.gaps))
        return
    parts = "Node, PostgreSQL" if kit.has_database else "Node"
    yield words.require_docker.format(parts=parts)
    yield words.require_open


def _short(text: str, longest: int) -> str:
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def letter_markdown(letter: HandoverLetter) -> str:
    """The page as text."""
    parts = [f"# {inline(letter.title)}", f"*{letter.about}*"]
    for section in letter.sections:
        parts.append(f"## {section.heading}")
        if section.points:
            parts.append("\n".join(f"- {_inline(point)}" for point in section.points))
        parts += map(_inline, section.lines)
    return "\n\n".join(parts) + "\n"


def _inline(text: str) -> str:
    """Escapes what would be markup, but for code and lines to fill in."""
    pieces = _CODE.split(text)
    return "".join(f"`{piece}`" if at % 2 else _plain(piece) for at, piece in enumerate(pieces))


def _plain(text: str) -> str:
    before, after = text[:1].isspace(), text[-1:].isspace()
    return f"{' ' * before}{inline(text)}{' ' * (after and bool(text.strip()))}"


def letter_html(letter: HandoverLetter) -> str:
    """The page to print, or to keep as PDF from a browser's print dialogue: no script, one file."""
    body = [
        f'<h1 dir="auto">{escape(letter.title)}</h1>',
        f"<p><em>{escape(letter.about)}</em></p>",
    ]
    for section in letter.sections:
        body.append(f"<h2>{escape(section.heading)}</h2>")
        if section.points:
            listed = "".join(f'<li dir="auto">{_coded(point)}</li>' for point in section.points)
            body.append(f"<ul>{listed}</ul>")
        body += [f'<p dir="auto">{_coded(line)}</p>' for line in section.lines]
    return _PAGE.format(language=letter.language, title=escape(letter.title), body="\n".join(body))


def _coded(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


_PAGE: Final = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 18mm; }}
body {{ font: 11pt/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 42rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 18pt; margin: 0; }}
h2 {{ font-size: 12pt; margin: 1.1em 0 .3em; break-after: avoid; }}
p, ul {{ margin: .3em 0; }}
ul {{ padding-inline-start: 1.2em; }}
@media print {{ body {{ margin: 0; padding: 0; max-width: none; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
