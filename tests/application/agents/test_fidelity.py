"""Whether what a point says stands in the requirement that cites it."""

import pytest
from msgspec.structs import replace

from application.agents.checks.facts import facts_of, holds, said_in
from application.agents.checks.fidelity import fidelity_findings, fidelity_notes
from domain import documents as d
from domain.reading import BriefPoint

CRITERION = d.Criterion("AC-1", "a booking", "it is made", "it is listed")


def need(number: int, response: str, *sources: str) -> d.Requirement:
    return d.Requirement(f"FR-{number}", "guest", "books", response, sources, (CRITERION,))


def spec(*needs: d.Requirement, **more: object) -> d.Spec:
    return replace(d.Spec("Bookings", "They are kept.", needs), **more)


def points(*texts: str) -> tuple[BriefPoint, ...]:
    return tuple(BriefPoint(f"BF-{n}", text) for n, text in enumerate(texts, start=1))


SAME = [
    ("at most 1,000 guests", "at most 1000 guests"),
    ("höchstens 1.000 Gäste", "1 000 Gäste"),
    ("1.234,50 € deposit", "a deposit of €1,234.50"),
    ("ten days", "10 days"),
    ("10 days", "ten days"),
    ("a dozen", "12 of them"),
    ("within 24 h", "within a day"),
    ("within 24 hours", "in 24h"),
    ("two weeks before", "14 days before"),
    ("60 minutes", "one hour"),
    ("on 24.12.2026", "on 24 December 2026"),
    ("on 2026-12-24", "on December 24, 2026"),
    ("until 24.12.", "until 24 Dezember"),
    ("at 5 pm", "at 17:00"),
    ("at 17:00", "at 5 pm"),
    ("um 14.30 Uhr", "um 14:30 Uhr"),
    ("1.5 litres", "1,5 litres"),
    ("15 %", "15 percent"),
    ("९ दिन", "9 days"),
    ("call it “Elm Shed”", "the page says Elm Shed"),
    ("nennt es „Schuppen“", "heißt schuppen"),
    ("mail to a.b@c.de", "is sent to A.b@c.de"),
    ("see https://x.example/a.", "links https://x.example/a"),
    ("guests can book", "a booking is made"),
    ("七本まで", "7冊まで"),
    ("百二十三人", "123人"),
    ("三万五千円", "35,000円"),
    ("17時半に", "17:30に"),
    ("до 24 декабря", "до 24.12."),
    ("3 marzo", "3/3"),
    ("R$ 20", "20 reais"),
    ("20 Kronen, also 20 kr", "20 SEK"),
    ("a box of 20 pounds", "20 of them"),
    ("一覧を見る", "リストを示す"),
]
BENT = [
    ("at most 1,000 guests", "many guests"),
    ("within 24 hours", "within 12 hours"),
    ("ten days", "some days"),
    ("costs $20", "costs 20 EUR"),
    ("on 24.12.2026", "on 25 December 2026"),
    ("at 17:00", "at 17:30"),
    ("call it “Elm Shed”", "the page has a name"),
    ("mail to a.b@c.de", "is sent by mail"),
    ("3 of 40 seats", "40 seats"),
    ("1.5 litres", "15 litres"),
    ("bis 3. März", "bis 3. April"),
    ("до 24 декабря", "до 24 ноября"),
    ("20 Franken", "20 Euro"),
    ("百二十三人", "132人"),
]


@pytest.mark.parametrize(("point", "response"), SAME)
def test_a_fact_in_other_words_is_the_same_fact(point, response):
    assert fidelity_findings(spec(need(1, response, "BF-1")), points(point)) == []


@pytest.mark.parametrize(("point", "response"), BENT)
def test_a_fact_that_is_gone_or_bent_is_told(point, response):
    (told,) = fidelity_findings(spec(need(1, response, "BF-1")), points(point))
    assert told.startswith("BF-1 (")
    assert "FR-1" in told


def test_it_may_stand_in_any_requirement_that_cites_the_point_and_in_no_other():
    brief = points("Cancel up to 24 hours before", "Pay 10 EUR")
    good = spec(need(1, "cancels", "BF-1"), need(2, "24 hours", "BF-1"), need(3, "10 EUR", "BF-2"))
    assert fidelity_findings(good, brief) == []
    bent = spec(need(1, "cancels", "BF-1"), need(3, "10 EUR, 24 hours", "BF-2"))
    assert "“24”" in fidelity_findings(bent, brief)[0]


def test_what_stands_elsewhere_in_the_specification_is_in_doubt_only():
    bounded = spec(need(1, "is limited", "BF-1"), bounds=("At most 40 guests.",))
    brief = points("At most 40 guests")
    assert fidelity_findings(bounded, brief) == []
    assert "“40”" in fidelity_notes(bounded, brief)[0]


def test_a_name_is_noted_and_never_sent_back():
    brief = points("Every order has to be signed by Ana before it leaves")
    assert fidelity_findings(spec(need(1, "is signed", "BF-1")), brief) == []
    assert "“Ana”" in fidelity_notes(spec(need(1, "is signed", "BF-1")), brief)[0]
    assert fidelity_notes(spec(need(1, "is signed by ana", "BF-1")), brief) == []
    german = points("Die Gäste sehen den Kalender der Werkstatt im Netz")
    assert fidelity_notes(spec(need(1, "wird gezeigt", "BF-1")), german) == []


def test_a_point_left_out_on_purpose_needs_no_number():
    left_out = spec(need(1, "x", "BF-2"), out_of_scope=(d.Exclusion("No payments.", ("BF-1",)),))
    assert fidelity_notes(left_out, points("Pay 10 EUR", "Book")) == []


def test_a_point_that_changed_needs_a_requirement_that_changed():
    before, now = points("People book by mail", "Ask"), points("People book by phone", "Ask")
    old = spec(need(1, "books", "BF-1"), need(2, "asks", "BF-2"))
    (told,) = fidelity_findings(old, now, old, before)
    assert told.startswith("BF-1 was changed")
    new = spec(need(3, "books by phone", "BF-1"), need(2, "asks", "BF-2"))
    assert fidelity_findings(new, now, old, before) == []
    assert fidelity_findings(old, before, old, before) == []


def test_one_requirement_that_cites_everything_is_noticed():
    brief = points("Book", "Pay", "Print", "Cancel", "See")
    every = tuple(point.id for point in brief)
    told = fidelity_findings(spec(need(1, "does it", *every)), brief)
    assert [one[:24] for one in told] == ["FR-1 cites 5 of 5 points"]
    shared = spec(need(1, "books", *every[:3]), need(2, "sees", *every[2:]))
    assert fidelity_findings(shared, brief) == []


def test_a_fact_is_told_as_it_was_said():
    said = {fact.said for fact in facts_of("By 24.12.2026, two of “Elm Shed” pay 1,000 EUR")}
    assert {"24.12.2026", "two", "Elm Shed", "1,000", "EUR"} <= said
    for fact in facts_of("1,000 EUR"):
        assert holds(fact, said_in("1.000 €"))


@pytest.mark.parametrize(
    ("point", "response"),
    [
        ("No later than 5 days before.", "takes it 5 days before"),
        ("No. 5 is the kitchen.", "names it 5"),
        ("Non-members pay more.", "asks them for more"),
        ("Не забудьте напомнить.", "напоминает"),  # noqa: RUF001
        ("不同的房间有不同的价格", "显示价格"),
        ("Nobody pays twice.", "refuses the second payment"),
        ("No adverts.", "is free of adverts"),
        ("Niemand zahlt doppelt.", "nimmt eine Zahlung an"),
        ("Notes can be deleted.", "deletes them"),
    ],
)
def test_who_keeps_to_what_is_not_wanted_or_was_not_told_of_it_is_not_asked(point, response):
    assert fidelity_findings(spec(need(1, response, "BF-1")), points(point)) == []


def test_what_is_not_wanted_is_done_by_nothing_that_cites_it():
    brief = points("No online payments.")
    (told,) = fidelity_findings(spec(need(1, "pays by card", "BF-1")), brief)
    assert "says what is not wanted; FR-1" in told
    kept = spec(need(1, "pays by card", "BF-1"), need(2, "never asks for a card", "BF-1"))
    assert fidelity_findings(kept, brief) == []
    left = spec(need(1, "pays", "BF-2"), out_of_scope=(d.Exclusion("No payments.", ("BF-1",)),))
    assert fidelity_findings(left, points("No online payments.", "Pay at the door")) == []
