"""The points of a brief: the same for ever, and none is lost."""

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.points import MOST, points_of
from application.agents.render import brief_markdown
from domain.documents import Brief, Point


def ids(markdown: str) -> list[str]:
    return [point.id for point in points_of(markdown)]


def texts(markdown: str) -> list[str]:
    return [point.text for point in points_of(markdown)]


def test_ids_that_are_written_are_kept():
    assert ids("- **BF-3** Third.\n- BF-1: First.\n1. [BF-7] Seventh.\nBF-9 — Ninth.") == [
        "BF-3", "BF-1", "BF-7", "BF-9",
    ]  # fmt: skip
    assert texts("- **BF-3** Third.\n- BF-1: First.") == ["Third.", "First."]


def test_a_mention_is_no_definition():
    assert ids("- **BF-1** One.\n\n## Examples\n\n- As BF-1 says, it works.") == ["BF-1"]


def test_a_line_added_without_an_id_gets_the_next_free_one():
    markdown = "## Must\n\n- **BF-1** One.\n- And this.\n- **BF-4** Four.\n\n## Users\n\n- Owner"
    assert list(zip(ids(markdown), texts(markdown), strict=True)) == [
        ("BF-1", "One."), ("BF-5", "And this."), ("BF-4", "Four."),
    ]  # fmt: skip


def test_of_two_equal_ids_the_first_keeps_it():
    assert ids("- BF-1 One.\n- BF-1 Two.") == ["BF-1", "BF-2"]


def test_lists_without_ids_are_numbered_and_asides_are_not_points():
    markdown = (
        "# Repairs\n\nFor my shop.\n\n- Ask\n- Answer\n\n## Out of scope\n\n- Payments\n"
        "## Users\n\n* Owner\n"
    )
    assert texts(markdown) == ["Ask", "Answer"]
    assert ids(markdown) == ["BF-1", "BF-2"]


def test_only_asides_are_points_all_the_same():
    assert texts("## Users\n\n- Owner") == ["Owner"]


def test_prose_is_split_into_sentences():
    assert texts("We lend tools. Who has one?\nSay so!") == [
        "We lend tools.", "Who has one?", "Say so!",
    ]  # fmt: skip


def test_code_is_no_point():
    assert texts("- Real\n\n```\n- not\n```\n") == ["Real"]


def test_a_giant_brief_keeps_every_line_in_some_point():
    points = points_of("\n".join(f"- point{n}" for n in range(1_000)))
    assert len(points) <= MOST
    joined = "; ".join(point.text for point in points)
    assert all(f"point{n}" in joined for n in range(1_000))


@forall(st.text(max_size=600))
def test_points_are_unique_valid_and_always_the_same(markdown):
    points = points_of(markdown)
    assert points == points_of.__wrapped__(markdown), "without what is remembered"
    assert len({p.id for p in points}) == len(points)
    for point in points:
        assert point.id.removeprefix("BF-").isdigit()
        assert 1 <= len(point.text) <= 2_000


@forall(st.text(st.characters(exclude_characters="`~"), max_size=300), st.sampled_from("aß7Ж字"))
def test_a_text_with_a_word_in_it_has_a_point_wherever_the_word_stands(around, letter):
    """Fences aside: what stands between them is no point."""
    for markdown in (f"{around}\n{letter}", f"{letter}{around}", f"{around}{letter}"):
        assert points_of(markdown), markdown


lines = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=80
).filter(lambda t: t.strip())


@forall(st.lists(lines, min_size=1, max_size=8), lines, st.lists(lines, max_size=3))
def test_a_brief_made_by_the_agent_reads_back_as_its_own_points(wanted, title, users):
    must = tuple(Point(f"BF-{n}", text) for n, text in enumerate(wanted, start=1))
    page = brief_markdown(Brief(title, "Goal.", tuple(users), must))
    read = points_of(page)
    assert [p.id for p in read] == [p.id for p in must]


@pytest.mark.parametrize(
    "text", ["Costs *much*", "a_b and [c](d)", "1. first", "- dash", "<b>x</b>"]
)
def test_words_survive_the_page(text):
    page = brief_markdown(Brief("T", "G.", (), (Point("BF-1", text),)))
    assert points_of(page)[0].text == text


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
    points = points_of(line)
    marked = line.count("BF-1 a")
    assert len(points) <= max(MOST, marked)
    assert bool(points) == any(letter.isalnum() for letter in line)
    assert all(0 < len(point.text) <= 2_000 for point in points)


def test_a_brief_of_headings_alone_says_what_they_say():
    assert [(p.id, p.text) for p in points_of("# A tool library")] == [("BF-1", "A tool library")]
    assert points_of("# a" + " " * 1_000 + "x") == (Point("BF-1", "a x"),)
    assert points_of("# Heading\n\nSay something.") == (Point("BF-1", "Say something."),)
    assert points_of("(((") == ()
