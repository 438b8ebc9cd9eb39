"""Words for numbers, months, spans of time and money, in the languages that most briefs come in.

Invariant: every word is in lower case, and means the same wherever it stands, or is `AMBIGUOUS`.
"""

from typing import Final

_UP_TO_TWENTY: Final = {
    word: number
    for number, words in enumerate(
        (
            "zero null cero zéro nul ноль zero",
            "",
            "two zwei dos deux due dois duas twee два две dwa dwie två iki اثنان اثنين दो 두 둘",
            "three drei tres trois tre três drie три trzy üç ثلاثة ثلاث तीन 세 셋",
            "four vier cuatro quatre quattro quatro четыре cztery fyra dört أربعة أربع चार 네 넷",
            "five fünf cinco cinq cinque vijf пять pięć fem beş خمسة خمس पाँच पांच 다섯",
            "six sechs seis sei zes шесть sześć sex ستة ست छह छः 여섯",
            "seven sieben siete sept sette sete zeven семь siedem sju yedi سبعة سبع सात 일곱",
            "eight acht ocho huit otto oito восемь osiem åtta sekiz ثمانية ثماني आठ 여덟",
            "nine neun nueve neuf nove negen девять dziewięć nio dokuz تسعة تسع नौ 아홉",
            "ten zehn diez dix dieci dez tien десять dziesięć tio عشرة عشر दस 열",
            "eleven elf once onze undici одиннадцать jedenaście elva ग्यारह",
            "twelve zwölf doce douze dodici doze twaalf двенадцать dwanaście tolv बारह",
            "thirteen dreizehn treize trece tredici тринадцать",
            "fourteen vierzehn quatorze catorce quattordici четырнадцать",
            "fifteen fünfzehn quinze quince quindici пятнадцать piętnaście",
            "sixteen sechzehn", "seventeen siebzehn", "eighteen achtzehn", "nineteen neunzehn",
            "twenty zwanzig veinte vingt venti vinte twintig двадцать dwadzieścia yirmi बीस 스무",
        )
    )
    for word in words.split()
}  # fmt: skip
NUMBERS: Final = _UP_TO_TWENTY | {
    "thirty": 30, "dreißig": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "hundert": 100, "thousand": 1_000, "tausend": 1_000,
    "million": 1_000_000, "dozen": 12, "dutzend": 12, "тридцать": 30, "сорок": 40, "сто": 100,
    "тысяча": 1_000, "treinta": 30, "trente": 30, "trenta": 30, "trinta": 30, "cien": 100,
    "cent": 100, "cento": 100, "mil": 1_000, "mille": 1_000, "otuz": 30, "yüz": 100,
}  # fmt: skip
ONE: Final = frozenset(["a", "an", "one", "ein", "eine", "einen", "un", "una", "une", "uno"])
_LATIN_MONTHS: Final = (
    "",
    "january jan januar enero janvier gennaio janeiro januari stycznia styczeń",
    "february feb februar febrero février febbraio fevereiro februari lutego luty",
    "march mar märz marzo mars março maart marca marzec",
    "april apr abril avril aprile kwietnia kwiecień",
    "may mai mayo maggio maio mei maja maj",
    "june jun juni junio juin giugno junho czerwca czerwiec",
    "july jul juli julio juillet luglio julho lipca lipiec",
    "august aug agosto août augustus sierpnia sierpień",
    "september sep sept septiembre septembre settembre setembro września wrzesień",
    "october oct oktober okt octubre octobre ottobre outubro października październik",
    "november nov noviembre novembre novembro listopada listopad",
    "december dec dezember dez diciembre décembre dicembre dezembro grudnia grudzień",
)
_OTHER_MONTHS: Final = (
    "",
    "января январь يناير जनवरी",
    "февраля февраль فبراير फरवरी",
    "марта март مارس मार्च",
    "апреля апрель أبريل ابريل अप्रैल",
    "мая май مايو मई",
    "июня июнь يونيو जून",
    "июля июль يوليو जुलाई",
    "августа август أغسطس अगस्त",
    "сентября сентябрь سبتمبر सितंबर",
    "октября октябрь أكتوبر अक्टूबर",
    "ноября ноябрь نوفمبر नवंबर",
    "декабря декабрь ديسمبر दिसंबर",
)
MONTHS: Final = {
    word: number
    for months in (_LATIN_MONTHS, _OTHER_MONTHS)
    for number, words in enumerate(months)
    for word in words.split()
}
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
    word: code
    for code, words in (
        ("eur", "€ eur euro euros ユーロ 欧元 歐元 유로 يورو यूरो евро"),
        ("usd", "$ usd dollar dollars ドル 美元 美金 달러 دولار दोलर डॉलर доллар долларов доллара"),
        ("gbp", "£ gbp pound pounds ポンド 英镑 파운드 фунт фунтов"),
        ("jpy", "jpy yen 円 日元 日圆 엔 иена иен"),
        ("cny", "cny rmb yuan renminbi 元 块 人民币 위안 юань юаней"),
        ("inr", "₹ inr rs rupee rupees रुपये रुपए रुपया"),
        ("chf", "chf franc francs franken schweizerfranken"),
        ("rub", "₽ rub рубль рублей рубля"),
        ("krw", "₩ krw won 원"),
        ("pln", "pln zł złotych złote złoty"),
        ("kr", "kr sek nok dkk kronor kroner krona krone"),
        ("brl", "r$ brl reais real"),
        ("try", "₺ lira"),
        ("sar", "ريال"), ("egp", "جنيه"), ("aed", "درهم"), ("uah", "₴ гривня гривен гривны"),
    )
    for word in words.split()
}  # fmt: skip
"""¥ is written for two of them, and stands for neither."""
HEAVY: Final = frozenset({"pound", "pounds", "real", "won", "lira"})
"""Words for money that often mean something else: never a fact of their own."""
AMBIGUOUS: Final = frozenset(
    [
        "once", "may", "mar", "sei", "due", "mars", "null", "jan", "elf", "sex", "tio", "cent",
        "mille", "mil", "sete", "maj", "marca", "luty", "mei", "ست", "두", "세", "네", "열",
    ]
)  # fmt: skip
"""Words that mostly mean something else, also with a capital: never a fact of their own."""
