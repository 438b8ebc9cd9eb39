"""A quote that stands in a file is placed whatever it was decorated with, and no other is."""

import html
from collections.abc import Callable

from hypothesis import assume
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.named_files import NamedFiles
from application.agents.placing import QuotePlaces
from application.agents.plain import plain
from tests.application.agents.reviewing import FILES, LINE, USERS

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
    max_size=60,
)
CODE = st.builds(
    "{}const {} = {};".format,
    st.sampled_from(["", "  ", "\t\t"]),
    st.integers(100_000, 999_999).map("counted{}".format),
    st.sampled_from(
        ['query("select 1")', "`${a}-${b}`", "[1, 2, ...rest]", "a ? 'x' : \"y\"", "-1"]
    ),
)
NUMBER = st.integers(1, 99_999)
DECORATIONS: dict[str, Callable[[str, int], str]] = {
    "number": lambda line, n: f"{n}: {line}",
    "bar": lambda line, n: f"{n} | {line}",
    "tab": lambda line, n: f"{n}\t{line}",
    "L": lambda line, n: f"L{n}: {line}",
    "added": lambda line, _: f"+ {line}",
    "removed": lambda line, _: f"-{line}",
    "quoted": lambda line, _: f"> {line}",
    "upper": lambda line, _: line.upper(),
    "html": lambda line, _: html.escape(line),
    "backticks": lambda line, _: f"`{line}`",
    "fence": lambda line, _: f"```ts\n{line}\n```",
    "dots": lambda line, _: f"{line}...",
    "ellipsis": lambda line, _: f"…{line}",
    "curly": lambda line, _: line.replace('"', "\u201d").replace("'", "\u2019"),
    "wide": lambda line, _: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in line),
    "no-break": lambda line, _: line.replace(" ", "\u00a0"),
    "escaped": lambda line, _: line.replace('"', '\\"'),
    "remark": lambda line, _: f"{line} // this is where it goes wrong",
    "arrow": lambda line, _: f"{line} <-- here",
}


@forall(
    st.lists(TEXT, max_size=8), st.lists(CODE, min_size=1, max_size=4, unique=True),
    st.lists(TEXT, max_size=4),
    st.lists(st.sampled_from(sorted(DECORATIONS)), max_size=2, unique=True), NUMBER,
)  # fmt: skip
def test_a_decorated_quote_is_placed_at_its_line(before, code, after, ways, number):
    files = {"src/a.ts": "\n".join([*before, *code, *after])}
    quote = code[0]
    for way in ways:
        quote = "\n".join(DECORATIONS[way](line, number) for line in quote.split("\n"))
    place = QuotePlaces(files).place("src/a.ts", len(before) + 1, quote)
    assert place is not None
    assert place.path == "src/a.ts"
    assert place.line <= len(before) + 1 <= place.last_line


@forall(st.lists(CODE, min_size=2, max_size=6, unique=True), st.data())
def test_lines_are_placed_in_order_whatever_is_left_out_between_them(code, data):
    # Of two lines that say the same the first is as right as the last.
    assume(plain(code[-1]) not in {plain(line) for line in code[1:-1]})
    joined = [" "] if len(code) == 2 else []
    ways = ["\n", "\n...\n", " … ", "\\n", "\n  // ...\n", *joined]
    between = data.draw(st.sampled_from(ways))
    files = {"src/a.ts": "\n// a comment between\n".join(code)}
    place = QuotePlaces(files).place("src/a.ts", 1, between.join([code[0], code[-1]]))
    assert place is not None
    assert (place.line, place.last_line) == (1, len(code) * 2 - 1)


@forall(st.text(alphabet="qwzx()[]{}=;. ", max_size=60))
def test_what_stands_nowhere_is_not_placed(quote):
    if plain(quote) not in plain(USERS) and any(letter in quote for letter in "qwzx"):
        place = QuotePlaces({"src/users.ts": "const a = 1;\nlet b = [];\n"}).place(
            "src/users.ts", 1, quote
        )
        assert place is None


@forall(TEXT)
def test_the_plain_form_of_a_plain_form_is_itself_but_for_what_its_escapes_stood_for(text):
    assert not set(plain(text)) & set(" \t\n'\"`\\")


def test_the_nearest_line_is_shown():
    nearest = QuotePlaces(FILES).nearest("src/users.ts", "SELECT name FROM users WHERE name = $1")
    assert nearest == f"src/users.ts:7: {LINE.strip()}"
    assert QuotePlaces(FILES).nearest("src/users.ts", "völlig anders") == ""


def test_of_several_places_the_nearest_to_the_line_claimed_counts():
    places = QuotePlaces({"a.ts": "const one = 1;\n" * 50})
    assert [places.place("a.ts", line, "7: const one = 1;").line for line in (1, 20, 50)] == [
        1, 20, 50,
    ]  # fmt: skip


def test_a_path_of_one_file_is_not_taken_for_another():
    names = NamedFiles(["src/users.ts", "src/users.test.ts", "lib/index.ts", "src/index.ts"])
    assert names.of_path("src/users.test.ts") == "src/users.test.ts"
    assert names.of_path("index.ts") is None
    assert names.in_text("see src/users.test.ts") == ["src/users.test.ts"]
    assert names.in_text("see src/users.tsx") == []
    assert names.in_text("src/users.ts. It is") == ["src/users.ts"]
