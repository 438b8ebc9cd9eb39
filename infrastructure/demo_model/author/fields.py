"""What a field holds, judged by what people call it.

Invariant: a field refers only to a thing of the same sketch, and never to its own.
"""

import re

from infrastructure.demo_model.author.sketch import Kind, Part
from infrastructure.demo_model.author.words import bare, plural, singular

PERSON = re.compile(
    (
        r"\b(person|people|member|neighbou?r|customer|client|volunteer|student|pupil|child|children|"
        r"parent|patient|guest|player|tenant|friend|singer|teacher|employee|staff|driver|owner|"
        r"resident|visitor|user|helper|coach|runner|reader|donor|supplier|holder)s?\b"
    ),
    re.IGNORECASE,
)
BY_WHOM = re.compile(r"\b(who|whom|borrower|lender|by|buyer|author of)\b", re.IGNORECASE)
DEED = re.compile(
    r"^(loan|booking|order|hire|visit|payment|appointment|reservation|lesson|session|shift|"
    r"concert|event|meeting|sign-up|signup|watering|delivery|repair|rental|donation|sale|game)$"
)
FEWEST_OPTIONS, MOST_OPTIONS = 2, 8
LONGEST_OPTION = 40
"""Characters."""
HINT = re.compile(r"\(([^)]*)\)")
OPTIONAL = re.compile(
    r"\b(optional|if known|if any|if there is one|maybe|not required)\b", re.IGNORECASE
)
SIGNS = (
    (
        Kind.YES_NO,
        r"^(whether|if|is|has|can)\b|\b(yes ?(/|or) ?no|licen[cs]e|consent|member yet)\b",
    ),
    (Kind.MOMENT, r"\bdate and time\b"),
    (Kind.TIME, r"\b(time|hour|at what time)\b"),
    (
        Kind.DATE,
        (
            r"\b(date|day|birthday|deadline|due|when|until|since|from when|lent on|picked up|"
            r"pick-up|"
            r"returned|expires?|"
            r"(bought|sold|borrowed|watered|planted|received|sent|paid|back) on)\b"
        ),
    ),
    (Kind.EMAIL, r"\be-?mail\b"),
    (Kind.LINK, r"\b(link|url|website|web address|photos?|pictures?|images?)\b"),
    (Kind.MONEY, r"\b(price|cost|costs|amount|deposit|fee|fees|budget|salary|total|paid amount)\b"),
    (
        Kind.WHOLE,
        (
            r"\b(number of|how many|how much|count|copies|guests|quantity|people needed|"
            r"capacity|age|"
            r"year|minutes|hours|pieces|stock|places|seats|servings|weight|points|score of)\b"
        ),
    ),
    (
        Kind.LONG,
        (
            r"\b(notes?|description|comments?|remarks?|instructions|allergies|ingredients|address|"
            r"details|text|about|what happened|reason)\b"
        ),
    ),
)


FROM = re.compile(r"^from the ([a-z -]+)$")
_PLAIN = {str(kind): kind for kind in Kind if kind not in (Kind.CHOICE, Kind.REFERENCE)}


def _options(hint: str) -> tuple[str, ...]:
    split = re.split(r"\s*[,/|]\s*(?:or\s+)?|\s+or\s+", hint.strip())
    options = tuple(dict.fromkeys(o.strip(" .\"'").lower() for o in split if o.strip(" .\"'")))
    short = all(len(option) <= LONGEST_OPTION for option in options)
    return options if FEWEST_OPTIONS <= len(options) <= MOST_OPTIONS and short else ()


def _label(phrase: str) -> str:
    plain = bare(HINT.sub("", phrase))
    plain = (
        re.split(r"\b(?:that|which|so that|because|where|for which)\b", plain)[0].strip() or plain
    )
    plain = re.sub(r"^(whether|if) (it|they|he or she|she|he) (is|are|has|have) ", "", plain)
    plain = re.sub(r"^whether (it'?s )?", "", plain)
    plain = re.sub(r"^(the )?(day|date) (on which )?(it|they) (is|are|was|were) ", "date ", plain)
    plain = re.sub(r"\s+(it|they) (is|was|are|were)\s+", " ", plain)
    return bare(plain)[:60].strip().lower() or "note"


def _target(label: str, things: list[str], own: str) -> str:
    last = singular(label.rsplit(maxsplit=1)[-1])
    for thing in things:
        if thing != own and (label == thing or singular(label) == thing):
            return thing
    for thing in things:
        if thing != own and last == thing.split()[-1]:
            return thing
    if BY_WHOM.search(label) and not PERSON.search(own):
        return next((thing for thing in things if thing != own and PERSON.search(thing)), "")
    return ""


def part(phrase: str, things: list[str], own: str) -> Part:
    """A field from how the brief names it: `condition (good, worn, broken)`."""
    hints = " ; ".join(HINT.findall(phrase))
    needed = not OPTIONAL.search(phrase)
    hint = OPTIONAL.sub("", hints).strip(" ;,")
    label = _label(OPTIONAL.sub("", phrase) if not hints else phrase)
    asks = bare(HINT.sub("", phrase)).lower()
    if re.search(r"\byes ?(/|or|,) ?no\b", hint.lower()):
        return Part(label, Kind.YES_NO, required=False)
    if hint in _PLAIN:
        return Part(label, _PLAIN[hint], needed)
    if (meant := FROM.match(hint)) and singular(meant[1]) in things:
        return Part(label, Kind.REFERENCE, needed, target=singular(meant[1]))
    if options := _options(hint):
        return Part(label, Kind.CHOICE, needed, options)
    if target := _target(label, things, own):
        return Part(label, Kind.REFERENCE, needed, target=target)
    for kind, sign in SIGNS:
        if re.search(sign, asks, re.IGNORECASE):
            return Part(label, kind, needed and kind not in (Kind.YES_NO, Kind.LONG, Kind.LINK))
    return Part(label, Kind.TEXT, needed)


def stock(label: str, things: list[str], text: str) -> tuple[Part, ...]:
    """Fields for a thing whose fields the brief leaves open."""
    if DEED.match(label):
        others = [t for t in things if t != label and not DEED.match(t)]
        refers = tuple(Part(other, Kind.REFERENCE, target=other) for other in others[:3])
        return (*refers, Part("date", Kind.DATE), Part("notes", Kind.LONG, required=False))
    if PERSON.search(label):
        private = re.search(r"\bno (sur|last )names?\b|first names? only", text.lower())
        contact = () if private else (Part("phone", Kind.TEXT, required=False),)
        name = Part("first name" if private else "name")
        return (name, *contact, Part("notes", Kind.LONG, required=False))
    picture = re.search(r"\b(pictures?|photos?)\b", text.lower())
    more = (Part("picture link", Kind.LINK, required=False),) if picture else ()
    return (Part("name"), Part("description", Kind.LONG, required=False), *more)


def said(given: Part, things: list[str], own: str) -> str:
    """A field in the fewest words that `part` reads back as the same field."""
    hints = {
        Kind.TEXT: "short text",
        Kind.CHOICE: ", ".join(given.options),
        Kind.REFERENCE: f"from the {plural(given.target)}" if given.target else "",
    }
    hint = hints.get(given.kind, str(given.kind))
    brief = (given.label, f"{given.label} (optional)", f"{given.label} ({hint})")
    plain = next((words for words in brief if part(words, things, own) == given), None)
    return plain or f"{given.label} ({hint}, optional)"
