"""How the words of a brief's point differ from what they were, and where words stand in files.

Invariant: marks, articles, capitals and white space are no words, and neither is the difference
between a number and its name. The work is in proportion to the texts.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

_WORD: Final = re.compile(
    r"(?<![\w$.])-?\d[\d_]{0,40}(?:[:.,]\d{1,40}){0,6}"
    r"|[^\W\d_]{1,60}(?:['\u2019-][^\W\d_]{1,60}){0,9}"
)
_FRACTION: Final = re.compile(r"-?\d{1,40}[.,]\d{1,40}")
_HUMP: Final = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMED: Final = {
    name: str(number)
    for number, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
    if number != 1  # "One" is as often a pronoun.
}
REMEMBERED: Final = 20_000
"""Words whose plain form is kept: files say the same ones again and again."""
_ARTICLES: Final = frozenset({"a", "an", "the", "please"})
_EMPTY_WORDS: Final = (
    "a an and are as at be been but by can do does for from get has have how i if in into is it its"
    " may me more most must my of on one or our shall should so than that the their them then"
    " there they this to up us was we were what when whether which who will with would you your"
    " each every all any"
)
"""Words that say nothing of what a text is about."""


class LineWords(NamedTuple):
    """A line of a file."""

    words: frozenset[str]
    numbers: frozenset[str]


def words_of(text: str) -> list[str]:
    """All words and numbers of a text in their order, in plain form; articles are left out."""
    return [word for word in _plain(text) if word not in _ARTICLES]


def topics_of(text: str) -> frozenset[str]:
    """The words that say what a text is about, without its numbers."""
    return frozenset(word for word in _plain(text) if word not in _EMPTY and not is_number(word))


def lines_of(text: str) -> Iterator[LineWords]:
    """The words of each line of a file, taken out of its names."""
    for line in text.splitlines():
        words = [*_plain(_HUMP.sub(" ", line.replace("_", " ")))]
        numbers = frozenset(filter(is_number, _plain(line)))
        yield LineWords(frozenset(word for word in words if not is_number(word)), numbers)


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    return word.lstrip("-")[:1].isdigit()


def _plain(text: str) -> Iterator[str]:
    for found in _WORD.finditer(text):
        if is_number(found[0]):
            yield _number(found[0])
        else:
            yield from map(plain_form, _parted(found[0].casefold()))


def _parted(word: str) -> list[str]:
    """`sign-up` is two words as in names of code; `e-mail` is one."""
    parts = word.split("-")
    return [word.replace("-", "")] if len(parts[0]) == 1 else parts


def _number(text: str) -> str:
    text = text.replace("_", "")
    if _FRACTION.fullmatch(text):
        text = text.replace(",", ".").rstrip("0").rstrip(".")
    return text


_SPELT: Final = (("tre", "ter"), ("bre", "ber"), ("our", "or"), ("ise", "ize"), ("grey", "gray"))
"""Endings that are spelt in two ways."""
_SHORT: Final = 4
"""Words of so many letters keep their ending."""


@lru_cache(maxsize=REMEMBERED)
def plain_form(word: str) -> str:
    """A word without the endings of plural and verb: rough, and the same for all its forms."""
    word = _NAMED.get(word, word).replace("\u2019", "'").removesuffix("'s")
    if word.endswith("ies") and len(word) > _SHORT:
        word = f"{word[:-3]}y"
    elif word.endswith("es") and word[:-2].endswith(("ss", "sh", "ch", "x")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) >= _SHORT:
        word = word[:-1]
    for one, other in _SPELT:
        if word.endswith(one) and len(word) > _SHORT:
            word = word.removesuffix(one) + other
    word = "mail" if word == "email" else word
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("eed"):
            word = word.removesuffix(ending)
            break
    if len(word) > _SHORT:
        word = word.removesuffix("e")
        word = word[:-1] if word[-1] == word[-2] else word
    return word


_EMPTY: Final = frozenset(map(plain_form, _EMPTY_WORDS.split()))


class WordChange(NamedTuple):
    """How one point's words differ from what they were."""

    point: str
    before: tuple[str, ...]
    """Empty if the point is new."""
    after: tuple[str, ...]
    """Empty if the point is gone."""

    @property
    def gone(self) -> frozenset[str]:
        """Topics that the point does not speak of any more."""
        return self._topics(self.before) - frozenset(self.after)

    @property
    def came(self) -> frozenset[str]:
        """Topics that it did not speak of."""
        return self._topics(self.after) - frozenset(self.before)

    @property
    def topics(self) -> frozenset[str]:
        """What it spoke of; of a new one, what it speaks of."""
        return self._topics(self.before or self.after)

    @property
    def numbers(self) -> frozenset[str]:
        """Numbers that do not hold any more."""
        return frozenset(filter(is_number, self.before)) - frozenset(self.after)

    @property
    def units(self) -> frozenset[str]:
        """What these numbers count: the word behind each."""
        after = pairwise(self.before)
        return frozenset(
            word for number, word in after if number in self.numbers and not is_number(word)
        )

    @property
    def only_numbers(self) -> bool:
        """Whether other numbers, and next to nothing else, make the difference."""
        new = frozenset(filter(is_number, self.after)) - frozenset(self.before)
        return bool(self.numbers and new) and len(self.gone) <= 1 and len(self.came) <= 1

    @property
    def middle(self) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        """Where the difference begins, and what stood and stands there."""
        start = 0
        shortest = min(len(self.before), len(self.after))
        while start < shortest and self.before[start] == self.after[start]:
            start += 1
        end = 0
        while end < shortest - start and self.before[-1 - end] == self.after[-1 - end]:
            end += 1
        return (
            start,
            self.before[start : len(self.before) - end],
            self.after[start : len(self.after) - end],
        )

    @staticmethod
    def _topics(words: tuple[str, ...]) -> frozenset[str]:
        return frozenset(word for word in words if word not in _EMPTY and not is_number(word))


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> list[WordChange]:
    """The points whose words are others, are new or are gone, in their order.

    Args:
        before: Text of each point by its id.
        after: The same of the brief that takes its place.
    """
    found = []
    for point in dict.fromkeys((*before, *after)):
        was, now = words_of(before.get(point, "")), words_of(after.get(point, ""))
        if was != now:
            found.append(WordChange(point, tuple(was), tuple(now)))
    return found
