"""Facts of a sentence that must not be bent: numbers, times, money, addresses, quoted words, names.

Invariant: a fact is a set of keys, any of which says the same; a text holds it if it has one of
them. So 1,000 is 1000 and 1.000, ten is 10, 24 h is a day, and 24.12. is December 24. The work is
in proportion to the text.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from msgspec import Struct

from application.agents.checks.fact_words import (
    AMBIGUOUS,
    HEAVY,
    MONEY,
    MONTHS,
    NUMBERS,
    ONE,
    UNITS,
)

HOURS: Final = 24
MINUTES: Final = 60
YEAR: Final = 12
"""Of a day, of an hour, and months of a year."""
LONGEST_NAME: Final = 60
"""Characters of what is quoted; longer quotations are sentences, not names."""
MOST_CAPITALS: Final = 0.25
"""Of a sentence's words; where more begin with a capital, as in German, none is taken as a name."""

_ADDRESS: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}|https?://[^\s<>\"')]+"
)
_QUOTED: Final = re.compile(
    r"“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|\"([^\"]+)\"|「([^「」]+)」|『([^『』]+)』"
)
_NUMBER: Final = re.compile(r"\d{1,40}(?:[.,:h'’\u00a0\u202f ]\d{1,40}){0,6}")  # noqa: RUF001 - so too.
_TIME: Final = re.compile(r"(\d{1,2})[:h](\d{2})(?::\d{2})?")
_DECIMAL: Final = re.compile(
    r"\d{1,40}[.,]\d{1,40}"
    r"|\d{1,3}(?:,\d{3}){1,5}\.\d{1,9}"
    r"|\d{1,3}(?:\.\d{3}){1,5},\d{1,9}"
)
_DATE: Final = re.compile(r"(?:[012]?\d|3[01])[.,](?:[012]?\d|3[01])")
_DOT: Final = re.compile(r"[.,]")
_GAP: Final = re.compile(r"[:h'’\u00a0\u202f ]")  # noqa: RUF001 - people type both.
_SIGN: Final = re.compile(r"\D")
_AFTERNOON: Final = frozenset({"pm", "p"})
_OPENING: Final = " \"'“„«("
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f ])\d{3})(?:\1\d{3}){0,4}")  # noqa: RUF001
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 - people type both.
_NO_SPACES: Final = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
"""Scripts whose words follow each other without a space, or with an ending."""
_UNSPACED: Final = re.compile(rf"[{_NO_SPACES}]")
_MONEY: Final = re.compile(
    "|".join(
        re.escape(word)
        if _UNSPACED.search(word) or not word[-1].isalpha()
        else rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])"
        for word in sorted(MONEY, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(r"(\d{1,2})\s?(?:時|时|點|点|시)\s?(?:(\d{1,2})\s?(?:分|분)|(半|반))")
_HAN: Final = re.compile(
    r"([〇零一二三四五六七八九十百千万萬两兩]{1,9})\s?(?=[人名個个本册冊日天時时小分秒週周月年回次件枚台点點歳岁歲円元块匹杯冊席章页頁"
    r"ページ部間间倍箇か所種种条條位卷巻份張张])"
)
_DIGITS: Final = {
    sign: value
    for value, signs in enumerate(
        ("〇零", "一", "二两兩", "三", "四", "五", "六", "七", "八", "九")
    )
    for sign in signs
}
_TENS: Final = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "萬": 10_000}
_NEAR_MONTH: Final = re.compile(r"(?:\.|º|°|st|nd|rd|th|er)?\s?(?:de |of |d['’])?([^\W\d_]{3,12})")  # noqa: RUF001
_AFTER: Final = re.compile(r"[\s\u00a0-]?(%|percent\b|[^\W\d_]{1,9})")


class Fact(Struct, frozen=True):
    """Something said that must be found again."""

    said: str
    """As it stands in the sentence."""
    keys: frozenset[str]
    sure: bool = True
    """False where it may be no fact at all, such as a word with a capital."""


def facts_of(text: str) -> list[Fact]:
    """The facts of a sentence, in no order, each once."""
    text = _read(text)
    found = [*_literal(text), *_numbers(text), *_words(text), *_names(text)]
    return list({fact.keys: fact for fact in reversed(found)}.values())


class SaidFacts(Struct, frozen=True):
    """What a text says, to be asked for many facts."""

    low: str
    """The text in lower case, in which what is literal is looked for."""
    keys: frozenset[str]


def said_in(text: str) -> SaidFacts:
    """What a text says."""
    return SaidFacts(text.casefold(), keys_of(text))


def keys_of(text: str) -> frozenset[str]:
    """Every key that a text says, but for what is literal."""
    text = _read(text)
    keys = {key for fact in (*_numbers(text), *_words(text)) for key in fact.keys}
    words = [found[0].casefold() for found in _WORD.finditer(text)]
    keys |= {f"n{NUMBERS[word]}" for word in words if word in NUMBERS}
    keys |= {f"m{MONTHS[word]}" for word in words if word in MONTHS}
    keys |= {f"c{MONEY[found[0].casefold()]}" for found in _MONEY.finditer(text)}
    for word, unit in pairwise(words):
        if word in ONE and unit in UNITS:
            keys |= {f"s{UNITS[unit]}"}
        if word in NUMBERS and unit in UNITS:
            keys |= {f"s{NUMBERS[word] * UNITS[unit]}"}
    keys |= {"o1"} if ONE & set(words) else set()
    keys |= {f"w{word}" for word in words}
    return frozenset(keys)


def holds(fact: Fact, said: SaidFacts) -> bool:
    """Whether a text says a fact."""
    return any(key in said.keys or (key[0] == "t" and key[1:] in said.low) for key in fact.keys)


def _literal(text: str) -> Iterator[Fact]:
    for found in _ADDRESS.finditer(text):
        said = found[0].rstrip(".,;:!?")
        yield Fact(said, frozenset({f"t{said.casefold()}"}))
    for found in _QUOTED.finditer(text):
        said = next(group for group in found.groups() if group is not None).strip(" .,;:!?")
        if 0 < len(said) <= LONGEST_NAME:
            yield Fact(said, frozenset({f"t{said.casefold()}"}))


def _numbers(text: str) -> Iterator[Fact]:
    for found in _NUMBER.finditer(_ADDRESS.sub(" ", text)):
        number = found[0]
        after = _AFTER.match(found.string, found.end())
        unit = after[1].casefold() if after else ""
        time = _TIME.fullmatch(number)
        if time and int(time[1]) <= HOURS and int(time[2]) < MINUTES:
            yield Fact(number, _time(int(time[1]), int(time[2]), unit))
        else:
            for part in _parts(number):
                keys = set(_number(part, number, unit))
                if part == number and _names_a_month(found.string, found.start(), found.end()):
                    keys = {key for key in keys if key[0] != "m"}
                yield Fact(number, frozenset(keys))
        near = found.string[max(0, found.start() - 4) : found.end() + 12]
        money = _MONEY.search(near)
        if money is not None and money[0].casefold() not in HEAVY:
            code = MONEY[money[0].casefold()]
            yield Fact(money[0], frozenset({f"c{code}", f"w{code}"}))


def _names_a_month(text: str, start: int, end: int) -> bool:
    """Whether a number is the day of a month that is named beside it, and so is no month."""
    after = _NEAR_MONTH.match(text, end)
    before = _WORD.findall(text[max(0, start - 14) : start])
    named = {after[1].casefold()} if after else set()
    return bool((named | {word.casefold() for word in before[-1:]}) & MONTHS.keys())


def _read(text: str) -> str:
    """The text with clocks and numbers of East Asia written as elsewhere."""
    text = _CLOCK.sub(lambda found: f"{found[1]}:{found[2] or 30}", text)
    return _HAN.sub(lambda found: f"{_value(found[1])}", text)


def _value(han: str) -> str:
    """A number in Han signs, in digits; one, which also stands in other words, stays as it is."""
    if han == "一" or not (_TENS.keys() & set(han)):
        return han if han == "一" else "".join(str(_DIGITS[sign]) for sign in han)
    total, group, digit = 0, 0, 0
    for sign in han:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif _TENS[sign] < 10_000:  # noqa: PLR2004 - above it, groups of four digits begin.
            group += (digit or 1) * _TENS[sign]
            digit = 0
        else:
            total += (group + digit or 1) * _TENS[sign]
            group = digit = 0
    return str(total + group + digit)


def _parts(number: str) -> list[str]:
    """A number as it stands, or the parts of a date or of several numbers in a row."""
    if _GROUPED.fullmatch(number) or _DECIMAL.fullmatch(number):
        return _DOT.split(number) if _DATE.fullmatch(number) else [number]
    return [part for piece in _GAP.split(number) for part in _pieces(piece) if part]


def _pieces(piece: str) -> list[str]:
    whole = _GROUPED.fullmatch(piece) or _DECIMAL.fullmatch(piece)
    return [piece] if whole and not _DATE.fullmatch(piece) else _DOT.split(piece)


def _number(part: str, number: str, unit: str) -> Iterator[str]:
    """The keys of a number: what it may mean, and the other ways to say that."""
    values = [_plain(Decimal(_SIGN.sub("", part)))]
    if _DOT.search(part):  # 1.000 is a thousand, or one; 1.5 is one and a half, and nothing else.
        *whole, rest = _DOT.split(part)
        broken = _plain(Decimal(f"{''.join(whole)}.{rest}"))
        values = [values[0], broken] if _GROUPED.fullmatch(part) else [broken]
    yield from (f"n{value}" for value in values)
    if values == ["1"]:
        yield "o1"
    if unit in UNITS:
        yield from (f"s{_plain(Decimal(value) * UNITS[unit])}" for value in values)
    if not values[0].isdigit():
        return
    value = int(values[0])
    if unit in _AFTERNOON:
        yield from (f"n{value % 12 + 12}", f"k{value % 12 + 12}:00")
    if 1 <= value <= YEAR:
        yield f"m{value}"
    if _DATE.fullmatch(number):  # 24.12. is a day, or a number with a fraction.
        yield f"n{_plain(Decimal(number.replace(',', '.')))}"
        yield f"k{int(_DOT.split(number)[0])}:{_DOT.split(number)[1]:0>2}"
    if number.count(".") == 2 and len(part) == 2:  # noqa: PLR2004 - the year of 24.12.26.
        yield f"n{2_000 + value}"


def _time(hour: int, minute: int, unit: str) -> frozenset[str]:
    """The keys of a time: 17:00 is 5 pm, and 17 o'clock."""
    hours = {hour % 12 + 12} if unit in _AFTERNOON else {hour, hour - 12 if hour > 12 else hour}  # noqa: PLR2004 - of a clock.
    keys = {f"k{one}:{minute:02}" for one in hours}
    return frozenset(keys | ({f"n{one}" for one in hours} if minute == 0 else set()))


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _words(text: str) -> Iterator[Fact]:
    words = [found[0] for found in _WORD.finditer(text)]
    for place, word in enumerate(words):
        low = word.casefold()
        if low in AMBIGUOUS:
            continue
        if low in NUMBERS:
            keys = {f"n{NUMBERS[low]}", f"w{low}"}
            unit = words[place + 1].casefold() if place + 1 < len(words) else ""
            keys |= {f"s{NUMBERS[low] * UNITS[unit]}"} if unit in UNITS else set()
            yield Fact(word, frozenset(keys))
        elif low in MONTHS and (word[0].isupper() or _beside_a_number(text, word)):
            yield Fact(word, frozenset({f"m{MONTHS[low]}"}))


def _beside_a_number(text: str, word: str) -> bool:
    """Whether a word that is also a month stands beside a number: many languages write it small."""
    at = text.find(word)
    return any(sign.isdigit() for sign in text[max(0, at - 5) : at] + text[at + len(word) :][:3])


def _names(text: str) -> Iterator[Fact]:
    found = list(_WORD.finditer(text))
    capitals = [word for word in found if word[0][0].isupper()]
    if len(capitals) > MOST_CAPITALS * len(found):
        capitals = [word for word in capitals if len(word[0]) > 1 and word[0].isupper()]
    for word in capitals:
        said, before = word[0], text[max(0, word.start() - 4) : word.start()].rstrip(_OPENING)
        begins = before[-1:] in ("", *".!?:;…-·")
        if said == "I" or (begins and not (len(said) > 1 and said.isupper())):
            continue
        low = said.casefold()
        if low not in NUMBERS and low not in MONTHS and len(low) > 1:
            stem = low.removesuffix("'s").removesuffix("’s")  # noqa: RUF001 - people type both.
            yield Fact(said, frozenset({f"w{low}", f"t{stem}"}), sure=False)
