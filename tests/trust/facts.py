"""Twelve kinds of facts of a brief, each bent or left out in a specification that else is honest.

Each stands in several languages and scripts. The honest specification is checked too: a check that
speaks up there as well has noticed nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from application.agents.checks.fidelity import fidelity_notes
from application.agents.checks.spec import spec_findings
from domain import documents as d
from domain.reading import BriefPoint


class Wording(NamedTuple):
    """A point of a brief, what an honest requirement says, and what a bent and a thinned one say."""

    point: str
    honest: str
    bent: str
    thinned: str


SAID: Final[Mapping[str, tuple[Wording, ...]]] = {
    "number": (
        Wording("A class has at most 12 children.", "refuses the 13th; 12 fit", "lets 15 in", "is limited"),
        Wording("Höchstens zwölf Kinder je Kurs.", "nimmt 12 Kinder an", "nimmt 15 an", "ist begrenzt"),
        Wording("教室は最大12人です。", "12人まで受け付ける", "15人まで受け付ける", "人数を制限する"),
        Wording("कक्षा में अधिकतम १२ बच्चे।", "12 बच्चे लेता है", "15 बच्चे लेता है", "सीमा रखता है"),
        Wording("الحد الأقصى ١٢ طفلا.", "يقبل 12 طفلا", "يقبل 15 طفلا", "يحدد العدد"),
    ),
    "number in words": (
        Wording("Each member may borrow seven books.", "lends 7 books", "lends 9 books", "lends some"),
        Wording("Chaque membre emprunte sept livres.", "prête 7 livres", "prête 9 livres", "prête des livres"),
        Wording("每位会员可以借七本书。", "借出7本书", "借出9本书", "借出若干书"),
        Wording("会員は七冊まで借りられます。", "7冊まで貸す", "9冊まで貸す", "本を貸す"),
        Wording("Каждый берёт семь книг.", "выдаёт 7 книг", "выдаёт 9 книг", "выдаёт книги"),
    ),
    "date": (
        Wording("Sign-up ends on 24 December 2026.", "closes on 2026-12-24", "closes on 2026-12-27", "closes in time"),
        Wording("Anmeldeschluss ist der 24.12.2026.", "schließt am 24. Dezember 2026", "schließt am 27.12.2026", "schließt bald"),
        Wording("报名截止于2026年12月24日。", "于2026年12月24日截止", "于2026年12月27日截止", "按时截止"),
        Wording("Запись до 24 декабря 2026.", "закрывает 24.12.2026", "закрывает 27.12.2026", "закрывает вовремя"),
        Wording("Iscrizioni fino al 3 marzo.", "chiude il 3 marzo", "chiude il 3 aprile", "chiude in tempo"),
    ),
    "time of day": (
        Wording("Reminders go out at 5 pm.", "reminds at 17:00", "reminds at 18:00", "reminds in the evening"),
        Wording("Erinnerungen kommen um 17.30 Uhr.", "erinnert um 17:30", "erinnert um 16:30", "erinnert abends"),
        Wording("17時30分に通知します。", "17:30に通知する", "16:30に通知する", "夕方に通知する"),
        Wording("Напоминание в 17:30.", "напоминает в 17:30", "напоминает в 16:30", "напоминает вечером"),
    ),
    "span of time": (
        Wording("Cancel up to 24 hours before.", "allows it until a day before", "allows it until 2 hours before", "allows it"),
        Wording("Stornieren bis zwei Wochen vorher.", "erlaubt es bis 14 Tage vorher", "erlaubt es bis 3 Tage vorher", "erlaubt es"),
        Wording("24時間前まで取り消せます。", "24時間前まで許す", "2時間前まで許す", "取り消しを許す"),
        Wording("24 घंटे पहले तक रद्द।", "24 घंटे पहले तक देता है", "2 घंटे पहले तक देता है", "रद्द करने देता है"),
    ),
    "amount of money": (
        Wording("A late book costs 1,50 € a week.", "adds €1.50", "adds €2.50", "adds a fee"),
        Wording("Eine Mahnung kostet 1.250,00 €.", "berechnet 1250 €", "berechnet 1520 €", "berechnet eine Gebühr"),
        Wording("罰金は500円です。", "500円を加える", "300円を加える", "罰金を加える"),
        Wording("Штраф 500 рублей.", "начисляет 500 рублей", "начисляет 300 рублей", "начисляет штраф"),
    ),
    "currency": (
        Wording("The deposit is 20 EUR.", "asks for €20", "asks for $20", "asks for 20"),
        Wording("Die Kaution beträgt 20 Franken.", "verlangt 20 CHF", "verlangt 20 EUR", "verlangt 20"),
        Wording("保証金は20ドルです。", "20ドルを求める", "20ユーロを求める", "20を求める"),
        Wording("押金20元。", "收取20元", "收取20美元", "收取20"),
        Wording("Залог 20 рублей.", "берёт 20 рублей", "берёт 20 евро", "берёт 20"),
    ),
    "name": (
        Wording("Every order must be signed by Ana before it leaves.", "waits until Ana signs", "waits until Eva signs", "waits for a signature"),
        Wording("Die Seite heißt „Elmschuppen“.", "zeigt Elmschuppen", "zeigt Ulmenhof", "zeigt einen Titel"),
        Wording("ページの名前は「にれの小屋」です。", "にれの小屋と表示する", "かしの小屋と表示する", "名前を表示する"),
        Wording("Страница называется «Вяз».", "показывает «Вяз»", "показывает «Дуб»", "показывает название"),
        Wording("页面叫“榆树”。", "显示榆树", "显示橡树", "显示名称"),
        Wording("اسم الصفحة «الدردار».", "يعرض الدردار", "يعرض البلوط", "يعرض اسما"),
        Wording("पन्ने का नाम “एल्म” है।", "एल्म दिखाता है", "ओक दिखाता है", "नाम दिखाता है"),
    ),
    "address": (
        Wording("Questions go to help@elm.example.", "sends it to help@elm.example", "sends it to info@elm.example", "sends it on"),
        Wording("詳細は https://elm.example/faq を見る。", "https://elm.example/faq を示す", "https://elm.example/help を示す", "説明を示す"),
        Wording("Вопросы на help@elm.example.", "шлёт на help@elm.example", "шлёт на info@elm.example", "шлёт дальше"),
    ),
    "share": (
        Wording("Members pay 15 % less.", "takes 15 percent off", "takes 50 percent off", "takes something off"),
        Wording("Mitglieder zahlen 15 % weniger.", "zieht 15 Prozent ab", "zieht 50 Prozent ab", "zieht etwas ab"),
        Wording("会员优惠15%。", "减15%", "减50%", "给予优惠"),
        Wording("خصم ٪١٥ للأعضاء.", "يخصم 15%", "يخصم 50%", "يخصم للأعضاء"),
    ),
}  # fmt: skip
"""Facts that stand in one point. Of `bent`, the fact is another; of `thinned`, it is gone."""

EXCLUDED: Final = (
    ("No online payments.", "pays online by card", "does not take payments online"),
    ("There must never be advertising.", "shows advertising", "never shows advertising"),
    ("Keine Werbung.", "zeigt Werbung", "zeigt keine Werbung"),
    ("Ohne Anmeldung.", "verlangt eine Anmeldung", "geht ohne Anmeldung"),
    ("Pas de publicité.", "affiche de la publicité", "n'affiche pas de publicité"),
    ("Sin pagos en línea.", "cobra en línea", "no cobra en línea"),
    ("Без рекламы.", "показывает рекламу", "не показывает рекламу"),
    ("広告は表示しない。", "広告を表示する", "広告を表示しない"),
    ("不要广告。", "显示广告", "不显示广告"),
    ("광고 없음.", "광고를 보여 준다", "광고를 보여 주지 않는다"),
    ("بدون إعلانات.", "يعرض إعلانات", "لا يعرض إعلانات"),
    ("विज्ञापन नहीं।", "विज्ञापन दिखाता है", "विज्ञापन नहीं दिखाता"),
)
"""What is not wanted, a requirement that does it all the same, and one that keeps to it."""
CHANGED: Final = (
    ("People book by mail.", "People book by phone.", "takes bookings by mail", "takes them by phone"),
    ("Man bucht per Brief.", "Man bucht am Telefon.", "nimmt Briefe an", "nimmt Anrufe an"),
    ("電子メールで予約する。", "電話で予約する。", "メールの予約を受ける", "電話の予約を受ける"),
    ("Запись по почте.", "Запись по телефону.", "принимает письма", "принимает звонки"),
    ("الحجز بالبريد.", "الحجز بالهاتف.", "يقبل البريد", "يقبل المكالمات"),
)  # fmt: skip
"""A point before and now, the requirement of before, and one that follows."""
KINDS: Final = (*SAID, "exclusion", "point that changed")

_OTHER: Final = BriefPoint("BF-2", "See the list.")


class Planted(NamedTuple):
    """A fact in a specification: what is said of it, and of the honest specification."""

    kind: str
    wording: str
    told: tuple[str, ...]
    told_of_honest: tuple[str, ...]

    @property
    def is_noticed(self) -> bool:
        """Whether the bent specification is told from the honest one."""
        return bool(self.told)


def planted() -> Iterator[Planted]:
    """All of them."""
    for kind, wordings in SAID.items():
        for one in wordings:
            honest = _told(one.point, _spec(one.honest))
            for response in (one.bent, one.thinned):
                yield Planted(
                    kind, f"{one.point} → {response}", _told(one.point, _spec(response)), honest
                )
            gone = _spec("lists", source="BF-2")
            yield Planted(kind, f"{one.point} → (no requirement)", _told(one.point, gone), honest)
    for point, does, keeps in EXCLUDED:
        kept = (*_told(point, _spec(keeps)), *_told(point, _left_out(point)))
        yield Planted("exclusion", f"{point} → {does}", _told(point, _spec(does)), kept)
        gone = _spec("lists", source="BF-2")
        yield Planted("exclusion", f"{point} → (left out)", _told(point, gone), kept)
    for before, now, old, new in CHANGED:
        honest = _told(now, _spec(new), _spec(old), before)
        stale = _told(now, _spec(old), _spec(old), before)
        yield Planted("point that changed", f"{before} → {now}", stale, honest)


def _spec(response: str, source: str = "BF-1") -> d.Spec:
    criterion = d.Criterion("AC-1", "it is so", "it is asked for", response)
    needs = [d.Requirement("FR-1", "guest", "asks", response, (source,), (criterion,))]
    if source == "BF-1":
        second = d.Criterion("AC-2", "a list", "it is opened", "it is shown")
        needs.append(d.Requirement("FR-2", "guest", "opens", "shows it", ("BF-2",), (second,)))
    return d.Spec("Elm", "It is kept.", tuple(needs))


def _left_out(point: str) -> d.Spec:
    spec = _spec("lists", source="BF-2")
    return d.Spec(
        spec.title, spec.summary, spec.requirements, out_of_scope=(d.Exclusion(point, ("BF-1",)),)
    )


def _told(
    point: str, spec: d.Spec, previous: d.Spec | None = None, before: str = ""
) -> tuple[str, ...]:
    """What the checks say, for the writer of the specification and for the person."""
    points = (BriefPoint("BF-1", point), _OTHER)
    was = (BriefPoint("BF-1", before), _OTHER) if before else ()
    return (
        *spec_findings(spec, points, previous),
        *fidelity_notes(spec, points, previous, was),
    )
