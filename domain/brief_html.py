"""A brief that was pasted as HTML: what its elements do to a line, in Markdown.

Invariant: every word that people read stays, the words of comments and of attributes such as `alt`
included. What is no element is left as it stands. The work is in proportion to the text.
"""

import re
from html import unescape
from typing import Final

from domain.sentences import has_word

_WRAPS: Final = str.maketrans("\t\n\r", "   ")
_TAG: Final = re.compile(r"(?<!\\)<(/?)([A-Za-z][A-Za-z0-9]{0,10})((?:\s[^<>]*)?/?)>")
_ATTRIBUTE: Final = re.compile(
    r" ([A-Za-z][A-Za-z0-9:._-]{0,40}) ?= ?(?:\"([^\"]*)\"|'([^']*)'|([^ \"'/]+))"
)
_COMMENT: Final = re.compile(r"<!--|-->|<!\[[a-zA-Z ]{0,20}\]-{0,2}>")
_CELLS: Final = frozenset(["td", "th"])
_HEADINGS: Final = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "head",
        "header",
        "hr",
        "html",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "ul",
    ]
)
_INLINE: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "big",
        "button",
        "code",
        "del",
        "em",
        "font",
        "i",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "mark",
        "o",
        "q",
        "s",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "textarea",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_HIDDEN: Final = frozenset(["script", "style"])
_ELEMENTS: Final = frozenset({"li", "tr"} | _CELLS | _HEADINGS | _BLOCKS | _INLINE | _HIDDEN)
_SHOWN: Final = frozenset(["alt", "href", "label", "placeholder", "title", "value"])
"""Attributes with words that people read."""


def without_tags(text: str) -> str:
    """A text without the tags that are in it; the very text if there are none."""
    if not any(map(_known, _TAG.finditer(text))):
        return text
    told = _without_tags(text)
    return told if has_word(told) else text


def _known(tag: re.Match[str]) -> bool:
    return tag[2].lower() in _ELEMENTS and _words_of(tag) is not None


def _words_of(tag: re.Match[str]) -> list[str] | None:
    """The words that a tag shows; None if it is no tag but words between two signs."""
    if not tag[3]:
        return []
    inside = " " + " ".join(tag[3].rstrip("/").split()) if tag[3].strip("/ ") else ""
    if _ATTRIBUTE.sub("", inside).strip():
        return None
    found = _ATTRIBUTE.findall(inside)
    return [a or b or c for name, a, b, c in found if name.lower() in _SHOWN]


def _without_tags(text: str) -> str:
    """HTML as Markdown: its words, and of its elements what they do to a line."""
    whole = text.lstrip()[:1] == "<"
    out: list[str] = []
    place, begun = 0, False
    for tag in _TAG.finditer(text):
        words = _words_of(tag) if tag[2].lower() in _ELEMENTS else None
        if words is None:
            continue
        said = _told(text[place : tag.start()], whole=whole)
        begun = begun and not has_word(said)
        place = tag.end()
        name = tag[2].lower()
        # A paragraph at the beginning of a list's member is no line of its own.
        out += [said, "" if begun and name in _BLOCKS else _breaking(name, closes=bool(tag[1]))]
        begun = begun or (name == "li" and not tag[1])
        out += [f" ({_told(word, whole=True)}) " for word in words if has_word(word)]
    out.append(_told(text[place:], whole=whole))
    return "".join(out)


def _breaking(name: str, *, closes: bool) -> str:
    if name in _HEADINGS:
        return "\n\n" if closes else "\n\n" + "#" * int(name[1]) + " "
    if name == "li":
        return "\n" if closes else "\n- "
    if name == "tr":
        return "\n"
    if name in _CELLS:
        return "\t" if closes else ""
    return "\n\n" if name in _BLOCKS or name in _HIDDEN else ""


def _told(words: str, *, whole: bool) -> str:
    told = unescape(_COMMENT.sub("\n\n", words))
    return told.translate(_WRAPS) if whole else told
