"""What a field holds, judged by what people call it.

Invariant: a field refers only to a thing of the same sketch, and never to its own.
"""

import re

from infrastructure.demo_model.author.sketch import FieldKind, SketchPart
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
HINT = re.compile(r"\(([^()]*)\)")
OPTIONAL = re.compile(
    r"\b(optional|if known|if any|if there is one|maybe|not required)\b", re.IGNORECASE
)
SIGNS = (
    (
        FieldKind.YES_NO,
        re.compile(
            r"^(whether|if|is|has|can)\b|\b(yes ?(/|or) ?no|licen[cs]e|consent|member yet)\b",
            re.IGNORECASE,
        ),
    ),
    (FieldKind.MOMENT, re.compile(r"\bdate and time\b", re.IGNORECASE)),
    (FieldKind.TIME, re.compile(r"\b(time|hour|at what time)\b", re.IGNORECASE)),
    (
        FieldKind.DATE,
        re.compile(
            r"\b(date|day|birthday|deadline|due|when|until|since|from when|lent on|picked up|"
            r"pick-up|returned|expires?|"
            r"(bought|sold|borrowed|watered|planted|received|sent|paid|back) on)\b",
            re.IGNORECASE,
        ),
    ),
    (FieldKind.EMAIL, re.compile(r"\be-?mail\b", re.IGNORECASE)),
    (
        FieldKind.LINK,
        re.compile(r"\b(link|url|website|web address|photos?|pictures?|images?)\b", re.IGNORECASE),
    ),
    (
        FieldKind.MONEY,
        re.compile(
            r"\b(price|cost|costs|amount|deposit|fee|fees|budget|salary|total|paid amount)\b",
            re.IGNORECASE,
        ),
    ),
    (
        FieldKind.WHOLE,
        re.compile(
            r"\b(number of|how many|how much|count|copies|guests|quantity|people needed|"
            r"capacity|age|year|minutes|hours|pieces|stock|places|seats|servings|weight|points|"
            r"score of)\b",
            re.IGNORECASE,
        ),
    ),
    (
        FieldKind.LONG,
        re.compile(
            r"\b(notes?|description|comments?|remarks?|instructions|allergies|ingredients|address|"
            r"details|text|about|what happened|reason)\b",
            re.IGNORECASE,
        ),
    ),
)


FROM = re.compile(r"^from the ([a-z -]+)$")
CHOICES = re.compile(r" ?[,/|] ?(?:or )?| or ")
EXPLAINS = re.compile(r"\b(?:that|which|so that|because|where|for which)\b")
WHETHER_IT_IS = re.compile(r"^(whether|if) (it|they|he or she|she|he) (is|are|has|have) ")
WHETHER = re.compile(r"^whether (it'?s )?")
DAY_IT_IS = re.compile(r"^(the )?(day|date) (on which )?(it|they) (is|are|was|were) ")
IT_IS = re.compile(r" (it|they) (is|was|are|were) ")
YES_OR_NO = re.compile(r"\byes ?(/|or|,) ?no\b")
PRIVATE = re.compile(r"\bno (sur|last )names?\b|first names? only")
PICTURES = re.compile(r"\b(pictures?|photos?)\b")
_PLAIN = {
    str(kind): kind for kind in FieldKind if kind not in (FieldKind.CHOICE, FieldKind.REFERENCE)
}


def _options(hint: str) -> tuple[str, ...]:
    split = CHOICES.split(" ".join(hint.split()))
    options = tuple(dict.fromkeys(o.strip(" .\"'").lower() for o in split if o.strip(" .\"'")))
    short = all(len(option) <= LONGEST_OPTION for option in options)
    return options if FEWEST_OPTIONS <= len(options) <= MOST_OPTIONS and short else ()


def _label(phrase: str) -> str:
    plain = bare(" ".join(HINT.sub("", phrase).split()))
    plain = EXPLAINS.split(plain, maxsplit=1)[0].strip() or plain
    plain = WHETHER.sub("", WHETHER_IT_IS.sub("", plain))
    plain = IT_IS.sub(" ", DAY_IT_IS.sub("date ", plain))
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


def part(phrase: str, things: list[str], own: str) -> SketchPart:
    """A field from how the brief names it: `condition (good, worn, broken)`."""
    hints = " ; ".join(HINT.findall(phrase))
    needed = not OPTIONAL.search(phrase)
    hint = OPTIONAL.sub("", hints).strip(" ;,")
    label = _label(OPTIONAL.sub("", phrase) if not hints else phrase)
    asks = bare(HINT.sub("", phrase)).lower()
    if YES_OR_NO.search(hint.lower()):
        return SketchPart(label, FieldKind.YES_NO, required=False)
    if hint in _PLAIN:
        return SketchPart(label, _PLAIN[hint], needed)
    if (meant := FROM.match(hint)) and singular(meant[1]) in things:
        return SketchPart(label, FieldKind.REFERENCE, needed, target=singular(meant[1]))
    if options := _options(hint):
        return SketchPart(label, FieldKind.CHOICE, needed, options)
    if target := _target(label, things, own):
        return SketchPart(label, FieldKind.REFERENCE, needed, target=target)
    for kind, sign in SIGNS:
        if sign.search(asks):
            return SketchPart(
                label,
                kind,
                needed and kind not in (FieldKind.YES_NO, FieldKind.LONG, FieldKind.LINK),
            )
    return SketchPart(label, FieldKind.TEXT, needed)


def stock(label: str, things: list[str], text: str) -> tuple[SketchPart, ...]:
    """Fields for a thing whose fields the brief leaves open."""
    if DEED.match(label):
        others = [t for t in things if t != label and not DEED.match(t)]
        refers = tuple(SketchPart(other, FieldKind.REFERENCE, target=other) for other in others[:3])
        return (
            *refers,
            SketchPart("date", FieldKind.DATE),
            SketchPart("notes", FieldKind.LONG, required=False),
        )
    if PERSON.search(label):
        private = PRIVATE.search(text.lower())
        contact = () if private else (SketchPart("phone", FieldKind.TEXT, required=False),)
        name = SketchPart("first name" if private else "name")
        return (name, *contact, SketchPart("notes", FieldKind.LONG, required=False))
    picture = PICTURES.search(text.lower())
    more = (SketchPart("picture link", FieldKind.LINK, required=False),) if picture else ()
    return (SketchPart("name"), SketchPart("description", FieldKind.LONG, required=False), *more)


def said(given: SketchPart, things: list[str], own: str) -> str:
    """A field in the fewest words that `part` reads back as the same field."""
    hints = {
        FieldKind.TEXT: "short text",
        FieldKind.CHOICE: ", ".join(given.options),
        FieldKind.REFERENCE: f"from the {plural(given.target)}" if given.target else "",
    }
    hint = hints.get(given.kind, str(given.kind))
    brief = (given.label, f"{given.label} (optional)", f"{given.label} ({hint})")
    plain = next((words for words in brief if part(words, things, own) == given), None)
    return plain or f"{given.label} ({hint}, optional)"
