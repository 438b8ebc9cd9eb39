"""Finds the things a brief speaks about, with their fields: what is said outright, then guesses.

Invariant: the same words give the same things, and there are always between two and five.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from infrastructure.demo_model.author.brief import BriefLine, Section, read, sentences
from infrastructure.demo_model.author.fields import PERSON, part, stock
from infrastructure.demo_model.author.sketch import MOST_THINGS, Sketch, SketchPart, Thing, sketch
from infrastructure.demo_model.author.words import bare, pieces, singular

FEWEST = 2
NAMED = r"(?P<name>[^\W\d_][\w' -]{1,40}?)"
# Each pattern reads a sentence whose white space is single spaces already.
FOR_EACH = re.compile(
    rf"^(?:(?:what|the things) we (?:know|keep|write down|note) )?(?:for|about|of|on) "
    rf"(?:each|every|an?|all|any|the|our) {NAMED}(?:,|:| we | i | -) ?"
    r"(?:(?:we|i) )?(?:(?:keep|record|note|store|write down|need|want|know) )?(?:of )?"
    r"(?P<fields>.+)",
    re.IGNORECASE,
)
HAS = re.compile(
    rf"^(?:each|every|an?|one|any|new|all|the|our) {NAMED} "
    r"(?:has|have|needs|contains|consists of|comes with|is described by) (?P<fields>.+)",
    re.IGNORECASE,
)
COLON = re.compile(rf"^{NAMED} ?(?::|\u2013|\u2014| - ) ?(?P<fields>.+)")
HEADED = re.compile(
    r"^(?:(?:what|the things) we (?:know|keep|write down) )?(?:(?:for|about|of) )?"
    rf"(?:(?:each|every|an?|the|our) )?{NAMED}$",
    re.IGNORECASE,
)
DETERMINED = re.compile(
    r"\b(?:a|an|the|each|every|all|any|which|new|our|my|their|his|her|some|of|add|see|show) "
    r"(?:(?:new|all|the|our|my|their|a|an|next|coming) )?(?P<noun>[a-z]{3,}(?:-[a-z]{3,})?)"
)
DEEDS = (
    (re.compile(r"\b(lends?|lent|borrows?|borrowed|loans?)\b"), "loan"),
    (re.compile(r"\b(book|books|booked|booking|reserves?|reserved)\b"), "booking"),
    (re.compile(r"\borders?\b"), "order"),
    (re.compile(r"\b(waters?|watered|watering)\b"), "watering"),
    (re.compile(r"\b(signs? up|signed up|sign-ups?)\b"), "sign-up"),
    (re.compile(r"\b(hires?|hired|rents?|rented)\b"), "hire"),
    (re.compile(r"\b(visits?|visited)\b"), "visit"),
    (re.compile(r"\b(pays?|paid|payments?)\b"), "payment"),
)
WORD = re.compile(r"[a-z]+(?:-[a-z]+)?")
NO_NOUN = re.compile(r"ing$|ly$|...ed$")
NO_FIELDS = re.compile(r"(to|been|no|never|always)\b")
NO_THING = frozenset(
    """
    able about address afternoon age amount answer app application area back beginning big
    birthday board bottom box browser business button case change choice city class clock
    club committee community company computer condition coordinator copy country couple
    course cupboard data date day deal detail device due email end evening example fact
    family field first form front future garage group half hall hand head hour house
    household idea information internet job kind kitchen label laptop last letter life line
    list little long look lot machine mail mind mistake moment money month morning most name
    need neighbourhood next night nobody note notebook number old one only order other
    overview page paper part past people phone picture piece place plan point price print
    problem program public question reason rest right rota same school scrap screen search
    second sheet shelf shop side simple site small society software somebody sort
    spreadsheet start status step street summer system table tablet team text that thing
    time title today top town turn two type use user video village way weather website
    wedding week weekend what when where who whole word work world year
    """.split()  # noqa: SIM905 - nouns are read better as text.
)
"""Nouns that are rarely what an application keeps."""
PROPER_NAME, PROPER_FIELD = 3, 8
"""The name of a thing, and of a field, has at most so many words."""
MOST_LISTED = 40
"""Fields of a thing that are looked at."""


def _thing(name: str, fields: str | list[str]) -> tuple[str, list[str]] | None:
    words = bare(name).split()
    if (
        not words
        or len(words) > PROPER_NAME
        or {"we", "i", "it", "you"} & set(map(str.lower, words))
    ):
        return None
    label = " ".join([*(word.lower() for word in words[:-1]), singular(words[-1])])
    listed = fields if isinstance(fields, list) else pieces(fields.rstrip("."))
    named = (x for x in listed if len(bare(x.partition("(")[0]).split()) <= PROPER_FIELD)
    kept = list(islice(named, MOST_LISTED))
    return (label, kept) if kept else None


def _stated(lines: Sequence[BriefLine]) -> dict[str, list[str]]:
    """Things whose fields the brief lists."""
    found: dict[str, list[str]] = {}

    def take(name: str, fields: str | list[str]) -> None:
        if (thing := _thing(name, fields)) is not None:
            found.setdefault(thing[0], []).extend(thing[1])

    under: dict[str, list[str]] = {}
    for line in lines:
        if line.section in (Section.WONT, Section.EXAMPLE):
            continue
        for sentence in [line.text] if line.section is Section.DATA else sentences(line.text):
            match = FOR_EACH.match(sentence) or HAS.match(sentence)
            if match is None and line.section is Section.DATA:
                match = COLON.match(sentence)
            if match is not None and _is_list(match["fields"], line.section):
                take(match["name"], match["fields"])
            elif line.bullet and line.section is Section.DATA:
                under.setdefault(line.under, []).append(sentence)
    for heading, fields in under.items():
        if (match := HEADED.match(heading)) and singular(match["name"].split()[-1]) not in NO_THING:
            take(match["name"], fields)
    return found


def _is_list(fields: str, section: Section) -> bool:
    """In a story, `a cake has to be good` is no list of fields."""
    if NO_FIELDS.match(fields.lower()):
        return False
    return section is Section.DATA or len(pieces(fields)) > 1


def _spoken(lines: Sequence[BriefLine], known: set[str]) -> list[str]:
    """Nouns the brief keeps coming back to, the most frequent first."""
    text = " ".join(x.text for x in lines if x.section is not Section.WONT).lower()
    forms = {word: (singular(word), times) for word, times in Counter(WORD.findall(text)).items()}
    words: Counter[str] = Counter()
    for one, times in forms.values():
        words[one] += times
    several = {one for word, (one, _) in forms.items() if one != word}
    heads = {label.split()[-1] for label in known}
    named = Counter(_named(text))
    good = [
        noun
        for noun, times in named.items()
        if noun not in NO_THING
        and noun not in heads
        and not NO_NOUN.search(noun)
        and words[noun] > 1
        and (noun in several or times > 1)
    ]
    return sorted(good, key=lambda noun: -words[noun])


def _named(text: str) -> list[str]:
    """Words that follow an article, as they come."""
    return [singular(match["noun"]) for match in DETERMINED.finditer(text)]


def _deeds(lines: Sequence[BriefLine]) -> list[str]:
    """What people do with things, unless the word is itself a thing: a book is no booking."""
    text = " ".join(x.text for x in lines if x.section is not Section.WONT).lower()
    nouns = set(_named(text))
    return [
        label
        for sign, label in DEEDS
        if (found := sign.search(text)) and (label in nouns or singular(found[0]) not in nouns)
    ]


def _guessed(lines: Sequence[BriefLine], known: set[str]) -> list[str]:
    spoken = _spoken(lines, known)
    wanted = [label for label in _deeds(lines) if label not in known and label not in spoken][:1]
    if len(known) >= FEWEST:
        return []
    room = 4 - len(known) - len(wanted)
    people = [noun for noun in spoken if PERSON.search(noun)]
    things = [noun for noun in spoken if noun not in people][: room - len(people[:1])]
    return [*things, *people[:1], *wanted]


@lru_cache(maxsize=4)
def find_things(text: str) -> Sketch:
    """The things of a brief."""
    lines = read(text)
    stated = dict(list(_stated(lines).items())[:MOST_THINGS])
    guessed = [label for label in _guessed(lines, set(stated)) if label not in stated]
    labels = [*stated, *guessed][:MOST_THINGS]
    if len(labels) < FEWEST:
        labels += [x for x in ("item", "note", "person") if x not in labels][: FEWEST - len(labels)]
    things = []
    for label in labels:
        parts: tuple[SketchPart, ...] = tuple(
            part(x, labels, label) for x in stated.get(label, [])[:MOST_LISTED]
        )
        things.append(Thing(label, parts or stock(label, labels, text)))
    return sketch(things)
