"""One line, and nothing in it that moves, breaks or turns what is shown."""

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from domain import commands as c
from domain.characters import one_line, visible, visible_json

TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x2070)]
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
"""With a joiner that keeps two letters apart."""
FAMILY = "👨\u200d👩\u200d👧 ❤\ufe0f 🏴\U000e0067\U000e007f"
"""With joiners, a variation selector, and the tags of a flag."""
CONTROLS = [*range(0x09), *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0)]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("a\nb", "a b"),
        ("a\r\n\tb", "a b"),
        (" a \u2028 b\u2029", "a b"),
        ("a\x0b\x0c\x85b", "a b"),
        (PERSIAN, PERSIAN),
        ("साइकिल मरम्मत की", "साइकिल मरम्मत की"),
        (FAMILY, FAMILY),
        ("שלום\u200f!", "שלום\u200f!"),
        ("e\u0301", "e\u0301"),
        ("  two   blanks ", "two blanks"),
        ("🎂", "🎂"),
        ("?", "?"),
    ],
)
def test_a_title_is_one_line_and_keeps_what_scripts_are_written_with(given: str, line: str) -> None:
    assert one_line(given) == line
    for made in (c.CreateFeature(given), c.RenameFeature(given), c.ForkFeature(1, given)):
        assert made.title == line


@pytest.mark.parametrize("point", [*CONTROLS, *TURNS, 0xFFFF, 0xD800, 0xDFFF])
def test_what_moves_or_turns_is_refused_by_its_name(point: int) -> None:
    with pytest.raises(ValueError, match=f"U\\+{point:04X}"):
        one_line(f"a{chr(point)}b")
    with pytest.raises(c.Unfit) as refused:
        c.RenameFeature(f"a{chr(point)}b")
    assert refused.value.field == "title"


@pytest.mark.parametrize("given", ["", " ", "\n", "\u200d", "\ufe0f", "\u00ad", "\u3000\u00a0"])
def test_a_title_without_anything_to_see_is_none(given: str) -> None:
    with pytest.raises(ValueError, match="nothing that can be seen"):
        one_line(given)


def test_a_body_with_such_a_title_is_no_command() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"U\+202E"):
        msgspec.json.decode(b'{"title": "a\\u202eb"}', type=c.CreateFeature)


@forall(st.text())
def test_a_line_is_a_line_again_and_holds_no_control(given: str) -> None:
    try:
        line = one_line(given)
    except ValueError:
        return
    assert one_line(line) == line == line.strip()
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in line)
    assert len(line) <= len(given)


@forall(st.text(alphabet=st.characters(exclude_categories=())))
def test_a_shown_text_acts_on_no_terminal(given: str) -> None:
    shown = visible(given)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in shown)
    assert not any(ord(letter) in TURNS for letter in shown)
    assert visible(shown) == shown


@forall(st.recursive(st.text(), st.lists, max_leaves=5))
def test_escaped_json_says_the_same(given: object) -> None:
    encoded = msgspec.json.encode(given).decode() + "\n"
    shown = visible_json(encoded)
    assert json.loads(shown) == given
    assert visible(shown.removesuffix("\n")) == shown.removesuffix("\n")
