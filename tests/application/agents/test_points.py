"""The points of a brief: the same for ever, and none is lost."""

import re
from html import unescape

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.points import reading_in
from application.agents.render import brief_markdown
from domain import events as e
from domain.content import sha256_of
from domain.documents import Brief, Point
from domain.reading import MOST, BriefPoint, reading_of
from domain.sentences import has_word
from tests.examples import examples


def ids(markdown: str) -> list[str]:
    return [point.id for point in reading_of(markdown).points]


def texts(markdown: str) -> list[str]:
    return [point.text for point in reading_of(markdown).points]


def test_ids_that_are_written_are_kept():
    assert ids("- **BF-3** Third.\n- BF-1: First.\n1. [BF-7] Seventh.\nBF-9 — Ninth.") == [
        "BF-3", "BF-1", "BF-7", "BF-9",
    ]  # fmt: skip
    assert texts("- **BF-3** Third.\n- BF-1: First.") == ["Third.", "First."]


def test_a_mention_is_no_definition():
    markdown = "- **BF-1** One.\n\n## Examples\n\n- As BF-1 says, it works."
    assert list(zip(ids(markdown), texts(markdown), strict=True)) == [
        ("BF-1", "One."), ("BF-2", "As BF-1 says, it works."),
    ]  # fmt: skip


def test_a_line_added_without_an_id_gets_the_next_free_one():
    markdown = "## Must\n\n- **BF-1** One.\n- And this.\n- **BF-4** Four.\n\n## Users\n\n- Owner"
    assert list(zip(ids(markdown), texts(markdown), strict=True)) == [
        ("BF-1", "One."), ("BF-5", "And this."), ("BF-4", "Four."), ("BF-6", "Owner"),
    ]  # fmt: skip


def test_of_two_equal_ids_the_first_keeps_it():
    assert ids("- BF-1 One.\n- BF-1 Two.") == ["BF-1", "BF-2"]


@pytest.mark.parametrize(
    "heading",
    ["User stories", "Users can", "Data export", "Credit limits", "People", "Information",
     "Background", "Out of scope", "Users", "Später", "Assumptions:"],
)  # fmt: skip
def test_a_wish_in_a_list_is_a_point_whatever_its_heading_says(heading):
    markdown = f"# Repairs\n\nFor my shop.\n\n- Ask\n- Answer\n\n## {heading}\n\n- Pay\n- Print\n"
    assert texts(markdown) == ["Ask", "Answer", "Pay", "Print"]
    assert ids(markdown) == ["BF-1", "BF-2", "BF-3", "BF-4"]
    read = reading_of(markdown)
    assert read.points[3].under == heading
    assert [b.text for b in read.background] == ["Repairs", "For my shop.", heading]


LISTS = [
    "- {}", "* {}", "+ {}", "• {}", "•\t{}", "•{}", "– {}", "— {}", "▪ {}", "▪{}", "◦ {}", "‣ {}",
    "· {}", "・{}", "● {}", "○ {}", "■ {}", "➤ {}", "→ {}", "\uf0b7 {}", "\uf0a7\t{}", "o\t{}",
    "a) {}", "b. {}", "(a) {}", "(1) {}", "iv) {}", "① {}", "①{}", "❶ {}", "1️⃣ {}", "🚲 {}", "✅ {}",
    "👩‍🔧 {}", "- ✅ {}", "- [ ] {}", "- [x] {}", "* [X] {}", "[ ] {}", "☐ {}", "☑ {}", "✓ {}",
    "> - {}", "  - {}", "\t- {}", "\u200b• {}", "\xa0\xa0- {}", "一、{}", "（二）{}", "-{}",
]  # fmt: skip
WISHES = ["Book a repair", "See the calendar. And print it", "cancel a booking"]


@pytest.mark.parametrize("shape", LISTS)
def test_lists_of_every_kind_are_read(shape):
    markdown = "Wishes:\n\n" + "\n".join(shape.format(wish) for wish in WISHES)
    assert texts(markdown) == WISHES


@pytest.mark.parametrize("shape", ["{}. {}", "{}) {}", "{}.{}", "{}．{}", "{}、{}"])
def test_lists_with_numbers_are_read(shape):
    lines = [shape.format(number, wish) for number, wish in enumerate(WISHES, start=1)]
    assert texts("\n".join(lines)) == WISHES


def test_a_number_that_counts_nothing_is_part_of_what_is_said():
    assert texts("24. December is closed\n10 seats are kept free\n- 3. floor has no lift") == [
        "24. December is closed", "10 seats are kept free", "3. floor has no lift",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("| Wish | For |\n|---|:-:|\n| Book | all |\n| Pay | staff |", ["Book · all", "Pay · staff"]),
        ("Wish | For\n--- | ---\nBook | all\nPay \\| tip | staff", ["Book · all", "Pay | tip · staff"]),
        ("Book\tall\nPay\tstaff", ["Book · all", "Pay · staff"]),
        ("<table><tr><td>Book</td><td>all</td></tr><tr><td>Pay</td></tr></table>",
         ["Book · all", "Pay"]),
        ("<ul><li><p>Book a\n repair</p></li><li>Pay &amp; <b>print</b></li></ul>",
         ["Book a repair", "Pay & print"]),
        ("<p>Book it</p><p>Pay it</p>", ["Book it", "Pay it"]),
        ("Book it<br>Pay it<br/>a < b and c > d", ["Book it", "Pay it", "a < b and c > d"]),
        ("```\n# Repairs\n- Book it\n- Pay it\n```", ["Book it", "Pay it"]),
        ("```markdown\n- Book it\n- Pay it", ["Book it", "Pay it"]),
        ("~~~\nBook it. Pay it.", ["Book it.", "Pay it."]),
        ("Book it\nPay it\nsee it", ["Book it", "Pay it", "see it"]),
        ("- Book it\n  on the phone\n- Pay it", ["Book it on the phone", "Pay it"]),
        ("- Calendar\n  - week\n  - month", ["Calendar", "week", "month"]),
        ("自転車を予約したい。料金を見る！できますか？", ["自転車を予約したい。", "料金を見る！", "できますか？"]),
        ("ग्राहक समय चुनें। दुकान उत्तर दे।", ["ग्राहक समय चुनें।", "दुकान उत्तर दे।"]),
        ("هل يمكن الحجز؟ نعم۔ كل يوم", ["هل يمكن الحجز؟", "نعم۔", "كل يوم"]),
        ("မှတ်ပါ။ ပြပါ။", ["မှတ်ပါ။", "ပြပါ။"]),
        ("Pay e.g. by card. Print, z.B. for Dr. No.", ["Pay e.g. by card.", "Print, z.B. for Dr. No."]),
        ("# Shop\n\n## Export as PDF\n\n## Login by mail", ["Export as PDF", "Login by mail"]),
        ("# Shop\n\n## Customers can cancel\n\n- in time", ["Customers can cancel", "in time"]),
        ("# Shop\n\nI run it. It must close at 5.\n\n- Book", ["It must close at 5.", "Book"]),
        ("# Shop\n\n## Users\n\n## Must\n\n- Book", ["Book"]),
    ],
)  # fmt: skip
def test_whatever_shape_it_has_each_wish_is_a_point(markdown, wanted):
    assert texts(markdown) == wanted


def test_what_was_added_by_hand_to_a_proposed_brief_is_a_point():
    page = brief_markdown(Brief("T", "Mend.", ("Owner",), (Point("BF-1", "Ask."),)))
    added = page + "It must also print.\n\n## Invoices\n\nWe send them. By mail.\n"
    assert [p.text for p in reading_of(added).points][-3:] == [
        "It must also print.", "We send them.", "By mail.",
    ]  # fmt: skip
    assert len(reading_of(added).points) == len(reading_of(page).points) + 3


def test_a_sentence_of_the_background_becomes_a_point_by_a_click():
    brief = "# Repairs\n\nI mend bicycles. We are small.\n\n- Ask"
    wanted = reading_of(brief, frozenset(["We are small."]))
    assert [p.text for p in wanted.points] == ["We are small.", "Ask"]
    assert [b.text for b in wanted.background] == ["Repairs", "I mend bicycles."]


WRITTEN = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from([
            "# A heading", "## Users", "- a wish", "I am nobody.", "| a | b |", "|---|---|",
            "```", "~~~text", "<p>b</p>", "<li>", "1. one", "2. two", "", "  more", "Users can:",
            "> c", "*", "BF-2 d", "**BF-3** e", "a\tb", "ขอ " * 90, "w" * 4_100, "=====", "**Bold**",
            "“Q” x", "&amp;", "<!-- f -->", "①", "x:",
        ]),
    ),
    max_size=12,
)  # fmt: skip
LETTERS = re.compile(r"[^\W\d_]{2,}")
MARKS = {"li", "p", "b", "td", "amp", "br", "ul", "BF"}


@settings(max_examples=examples(200), deadline=None)
@forall(WRITTEN.map("\n".join))
def test_no_word_of_a_brief_is_outside_its_points_without_being_shown(text):
    read = reading_of(text)
    shown = " ".join([*(p.text for p in read.points), *(b.text for b in read.background)])
    said = unescape(shown) + shown
    for word in LETTERS.findall(text.replace("\u200b", "").replace("\xad", "")):
        assert word in said or word in MARKS or len(word) > 1_500, word
    assert bool(read.points) == any(map(has_word, text.splitlines()))
    assert all(0 < len(point.text) <= 2_000 for point in read.points)


def test_prose_is_split_into_sentences():
    assert texts("We lend tools. Who has one?\nSay so!") == [
        "We lend tools.", "Who has one?", "Say so!",
    ]  # fmt: skip


def test_a_giant_brief_keeps_every_line_in_some_point():
    points = reading_of("\n".join(f"- point{n}" for n in range(1_000))).points
    assert len(points) <= MOST
    joined = "; ".join(point.text for point in points)
    assert all(f"point{n}" in joined for n in range(1_000))


@forall(st.text(max_size=600))
def test_points_are_unique_valid_and_always_the_same(markdown):
    points = reading_of(markdown).points
    assert points == reading_of.__wrapped__(markdown).points, "without what is remembered"
    assert len({p.id for p in points}) == len(points)
    for point in points:
        assert point.id.removeprefix("BF-").isdigit()
        assert 1 <= len(point.text) <= 2_000


@forall(st.text(max_size=300), st.sampled_from("aß7Ж字"))
def test_a_text_with_a_word_in_it_has_a_point_wherever_the_word_stands(around, letter):
    for markdown in (f"{around}\n{letter}", f"{letter}{around}", f"{around}{letter}"):
        assert reading_of(markdown).points or not has_word(markdown), markdown
        assert bool(reading_of(f"{around}\n{letter}").points)


lines = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=80
).filter(lambda t: t.strip())


@forall(st.lists(lines, min_size=1, max_size=8), lines, st.lists(lines, max_size=3))
def test_a_brief_made_by_the_agent_reads_back_as_its_own_points(wanted, title, users):
    must = tuple(Point(f"BF-{n}", text) for n, text in enumerate(wanted, start=1))
    page = brief_markdown(Brief(title, "Goal.", tuple(users), must))
    read = {p.id: p for p in reading_of(page).points}
    assert [p.id for p in must] == [i for i, p in read.items() if p.under == "What it must do"]
    assert len(read) == len(wanted) + len(users) + 1


@pytest.mark.parametrize(
    "text", ["Costs *much*", "a_b and [c](d)", "1. first", "- dash", "<b>x</b>"]
)
def test_words_survive_the_page(text):
    page = brief_markdown(Brief("T", "G.", (), (Point("BF-1", text),)))
    assert {p.id: p.text for p in reading_of(page).points}["BF-1"] == text


@pytest.mark.parametrize(
    "line",
    [
        "- BF-1" + " " * 39_000,
        "BF-1" + " " * 39_000 + "x",
        "# " + "#" * 39_000 + "x",
        "- " + " " * 39_000,
        "." * 40_000,
        "- [x] " * 6_000,
        "\\" * 40_000,
        "- a\n" * 10_000,
        "- BF-1 a\n" * 4_000,
    ],
    ids=range(9),
)
def test_the_longest_lines_are_read_whole_into_a_bounded_number_of_points(line):
    """That none takes long is shown by counts, in `tests/growth`."""
    points = reading_of(line).points
    marked = line.count("BF-1 a")
    assert len(points) <= max(MOST, marked)
    assert bool(points) == any(letter.isalnum() for letter in line)
    assert all(0 < len(point.text) <= 2_000 for point in points)


def test_a_brief_of_headings_alone_says_what_they_say():
    assert [(p.id, p.text) for p in reading_of("# A tool library").points] == [
        ("BF-1", "A tool library")
    ]
    assert reading_of("# a" + " " * 1_000 + "x").points == (BriefPoint("BF-1", "a x"),)
    assert reading_of("# Heading\n\nSay something.").points == (
        BriefPoint("BF-1", "Say something.", "Heading"),
    )
    assert reading_of("(((").points == ()


def test_a_brief_confirmed_before_readings_were_recorded_keeps_the_points_it_had():
    markdown = "# Repairs\n\nFor my shop.\n\n- Ask\n\n## Users\n\n- Owner"
    old = e.BriefConfirmed(markdown, sha256_of(markdown), 1)
    assert [(p.id, p.text) for p in reading_in(old).points] == [("BF-1", "Ask")]
    new = replace(old, reading=reading_of(markdown))
    assert [p.text for p in reading_in(new).points] == ["Ask", "Owner"]
    assert reading_in(None) is None
