"""Words for numbers, months, spans of time and money, in the languages that most briefs come in.

Invariant: every word is in lower case, and means the same wherever it stands, or is `AMBIGUOUS`.
"""

from typing import Final

_UP_TO_TWENTY: Final = {
    word: number
    for number, words in enumerate(
        (
            "zero null cero zéro", "", "two zwei dos deux due", "three drei tres trois tre",
            "four vier cuatro quatre quattro", "five fünf cinco cinq cinque", "six sechs seis sei",
            "seven sieben siete sept sette", "eight acht ocho huit otto",
            "nine neun nueve neuf nove", "ten zehn diez dix dieci", "eleven elf once onze undici",
            "twelve zwölf doce douze dodici",
            "thirteen dreizehn", "fourteen vierzehn", "fifteen fünfzehn", "sixteen", "seventeen",
            "eighteen", "nineteen", "twenty zwanzig veinte vingt venti",
        )
    )
    for word in words.split()
}  # fmt: skip
NUMBERS: Final = _UP_TO_TWENTY | {
    "thirty": 30, "dreißig": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "hundert": 100, "thousand": 1_000, "tausend": 1_000,
    "million": 1_000_000, "dozen": 12,
}  # fmt: skip
ONE: Final = frozenset(["a", "an", "one", "ein", "eine", "einen", "un", "una", "une", "uno"])
MONTHS: Final = {
    word: number
    for number, words in enumerate(
        (
            "", "january jan januar enero janvier gennaio", "february feb februar febrero février",
            "march mar märz marzo mars", "april apr abril avril aprile", "may mai mayo maggio",
            "june jun juni junio juin giugno", "july jul juli julio juillet luglio",
            "august aug agosto août", "september sep sept septiembre septembre settembre",
            "october oct oktober okt octubre octobre ottobre",
            "november nov noviembre novembre", "december dec dezember dez diciembre décembre",
        )
    )
    for word in words.split()
}  # fmt: skip
UNITS: Final = {
    word: seconds
    for seconds, words in (
        (1, "s sec second seconds sekunde sekunden"),
        (60, "min mins minute minutes minuten"),
        (3_600, "h hr hrs hour hours stunde stunden std"),
        (86_400, "d day days tag tage tagen"),
        (604_800, "week weeks woche wochen"),
        (2_629_746, "month months monat monate monaten"),
        (31_556_952, "year years jahr jahre jahren"),
    )
    for word in words.split()
}
"""Seconds; a month is a twelfth of a year, so that 12 months are one."""
MONEY: Final = {
    "€": "eur", "euro": "eur", "euros": "eur", "$": "usd", "dollar": "usd", "dollars": "usd",
    "£": "gbp", "pound": "gbp", "pounds": "gbp", "¥": "jpy", "yen": "jpy", "₹": "inr",
    "rupees": "inr", "francs": "chf", "franken": "chf",
}  # fmt: skip
AMBIGUOUS: Final = frozenset({"once", "may", "mar", "sei", "due", "mars", "null", "jan"})
"""Words that mostly mean something else, also with a capital: never a fact of their own."""
