"""English words, just well enough: singular and plural, names for code, and lists in prose.

Invariant: a name for code is ASCII, starts with a letter and is never empty.
"""

import re
import unicodedata

IRREGULAR = {"person": "people", "child": "children", "man": "men", "woman": "women"}
BACK = {many: one for one, many in IRREGULAR.items()}
SHORTEST_PLURAL = 4
"""Letters; `bus` and `gas` are shorter."""
UNCHANGED = ("ss", "us", "is", "news", "series")
ARTICLES = re.compile(
    r"^(?:(?:a|an|the|its|their|his|her|our|your|my|each|every|all|any|some|also|and|or|of|as|"
    r"well|optionally|maybe|perhaps)\s+)+",
    re.IGNORECASE,
)
ENDS_IN_Y = re.compile(r"[^aeiou]y$")
NOT_ASCII = re.compile(r"[^a-z0-9]+")
BRACKETS = re.compile(r"\([^()]*\)")
STOPS = re.compile(r"[,;]")
BETWEEN = re.compile(r" ?[,;] ?(?:and )?| (?:and|plus|as well as) ")
LONGEST_NAME = 200
"""Characters of a name that are looked at; a name for code has 40 at most."""


def singular(word: str) -> str:
    """One of them: `boxes` becomes `box`; a word that is no plural stays."""
    low = word.lower()
    if low in BACK:
        return BACK[low]
    if low.endswith(UNCHANGED) or not low.endswith("s") or len(low) < SHORTEST_PLURAL:
        return low
    if low.endswith("ies") and len(low) > SHORTEST_PLURAL:
        return low[:-3] + "y"
    if low.endswith(("ches", "shes", "xes", "sses", "zes")):
        return low[:-2]
    return low[:-1]


def plural(word: str) -> str:
    """Several of them: the last word of a name gets its ending."""
    *front, last = word.lower().split(" ")
    if last in IRREGULAR:
        many = IRREGULAR[last]
    elif ENDS_IN_Y.search(last):
        many = last[:-1] + "ies"
    elif last.endswith(("s", "x", "ch", "sh", "z")):
        many = last + "es"
    else:
        many = last + "s"
    return " ".join([*front, many])


def a(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def ident(name: str) -> str:
    """A name in snake case: `Due date` becomes `due_date`."""
    short = unicodedata.normalize("NFKD", name[:LONGEST_NAME])
    plain = short.encode("ascii", "ignore").decode().lower()
    snake = NOT_ASCII.sub("_", plain).strip("_")[:40].strip("_")
    if not snake:
        return "thing"
    return snake if snake[0].isalpha() else f"n_{snake}"


def pascal(name: str) -> str:
    """A name for a type: `plot holder` becomes `PlotHolder`."""
    return "".join(part.capitalize() for part in ident(name).split("_"))


def bare(phrase: str) -> str:
    """A phrase without its leading articles and trailing punctuation."""
    return ARTICLES.sub("", phrase.strip(" \t.;,:!?*_`\"'")).strip()


def pieces(text: str) -> list[str]:
    """The members of a list in prose, split at commas and `and`, but not inside brackets."""
    flat = BRACKETS.sub(lambda m: STOPS.sub("\x00", m[0]), " ".join(text.split()))
    flat = BRACKETS.sub(lambda m: m[0].replace(" and ", " \x01 "), flat)
    parts = BETWEEN.split(flat)
    back = (part.replace("\x00", ",").replace("\x01", "and") for part in parts)
    return [part.strip() for part in back if bare(part)]


def listed(names: list[str]) -> str:
    """Names as people say them: `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
