"""Hostile shapes of text: each is what some reader may take long over, in any length.

Invariant: a shape of n characters has n characters, give or take one of its units.
"""

from collections.abc import Callable, Mapping
from itertools import cycle, islice
from random import Random
from typing import Final

Shape = Callable[[int], str]

RUNS: Final = (
    " ", "\t", "\n", "\r\n", "\x0b", "\u2028", "\xa0", "#", "*", "**", "_", "`", "```", "~~~", "-",
    "+", "=", ">", "[", "]", "(", ")", "{", "}", "<", '"', "'", "\\", "/", "|", "&", "%", "$", "@",
    ".", ",", ":", ";", "!", "?", "0", "9", "a", "A", "e\u0301", "\u0301", "\u0316\u0301",
    "\u0f71\u0f72\u0f74", "\u1100\u1161", "\u200d", "\u200e", "\u202e", "\U0001f600", "\ufdfa",
    "ß",
)  # fmt: skip
"""One sign after the other. Pairs of marks stand in the wrong order, so that they are sorted."""

UNITS: Final = (
    "a ", "a\n", "a\n\n", " a", "a. ", "a.\n", "a, ", "a and ", "(a", "a)", "(a)", "[a", '{"a":',
    "[1,", "- a\n", "- \n", "* a\n  b\n", "1. a\n", "- BF-1: a\n", "BF-1 ", "FR-1 AC-1 T-1 ",
    "# a\n", "## Data\n", "**a**\n", "**a", "*a* ", "_a", "`a` ", "`a", "```\na\n", "```a\n",
    "~~~\n", "| a ", "|-|\n", "> a\n", "    a\n", "[a](b) ", "![a](", "[a]: b\n", "<b>", "</b>",
    '<a href="', "<!-- ", '<input name="a">', "</input>", "<input", "< /", "&amp;", "&#65;", "&#",
    "\\u0000", "\\\\", '\\"', "%41", "\\x41", "0a", "eyJaaaaaa-", "eyJaaaaaa.",
    "-----BEGIN PRIVATE KEY-----\n", 'password=\\"', "password: a ", "bearer a", "postgres://a:",
    "https://a:b", "sk-ant-", "Each tool has a, b. ", "tool: a (b, c)\n", "for each a we keep b, ",
    "We need to:\n", "please ", "no a ", "must not ", "a-", "A a. B b! C c? ", "/* ",
    "// ... rest of the code\n", '"a",', "SELECT ${", "`SELECT ", "catch (",
    'import a from "b";\n', "a=>", "f(", "a{", "a:b;", "'a'+", " - at `$", "Object ", "user:a,",
    "a=b,", "v1:1", "https://", "a@", "{{", "}}", "${", "\n\t", ": ", " ,", "; ", "….", "\u2013 ",
    "“a”", "x'", '="', "\t\n", "# Agent: a\n", "true false ",
)  # fmt: skip
"""What opens, closes, lists or names something, again and again."""

FRAMES: Final = (
    ("# a", "x"), ("- ", "x"), ("**a", "*"), ("1. a", "."), ("a:", "b"), ("```\n", "a"),
    ("<", "i"), ("- BF-1", "a"), ("Each a has ", "."), ("(", ")"), ('"', '"'), ("[", "]"),
    ('{"a":', "}"), ("// ", "todo"), ('<input name="a"', ">"), ("password=", "a"),
)  # fmt: skip
"""What begins a reading that the run between decides only at its end."""


def run(unit: str) -> Shape:
    """The same, over and over, and whole: half a unit at the end would be another shape."""
    return lambda n: unit * (n // len(unit))


def framed(head: str, unit: str, tail: str) -> Shape:
    """A run between a beginning and an end."""
    return lambda n: head + run(unit)(n - len(head) - len(tail)) + tail


def headed(unit: str) -> Shape:
    """A long heading over a long list: whatever is asked of the heading for every item."""
    return lambda n: "# " + run(unit)(n // 2 - 3) + "\n" + run("- a\n")(n // 2)


def introduced(unit: str) -> Shape:
    """The same with an introduction, and lines that go on."""
    return lambda n: run(unit)(n // 2 - 3) + ":\n" + run("- a\n  b\n")(n // 2)


def gone_on(n: int) -> str:
    """An item that goes on for ever, a letter a line."""
    return "- a\n" + run("  b\n")(n - 4)


def nested(opening: str, closing: str) -> Shape:
    """Brackets in brackets, all of them closed."""
    return lambda n: opening * (n // 2 // len(opening)) + closing * (n // 2 // len(closing))


def distinct_words(n: int) -> str:
    """No word twice."""
    return " ".join(f"w{i}" for i in range(n // 3 + 1))[:n]


def distinct_lines(n: int) -> str:
    """No line twice."""
    return "".join(f"- line {i} has a, b\n" for i in range(n // 15 + 1))[:n]


def repeated_lines(n: int) -> str:
    """A hundred lines in ever another order."""
    return "".join(f"{i * i % 101}\n" for i in range(n // 2))[:n]


def things(n: int) -> str:
    """A new thing with a new field in every sentence."""
    return "".join(f"Each tool{i} has name{i}, day{i}. " for i in range(n // 25 + 1))[:n]


def interleaved(first: str, second: str) -> Shape:
    """Two units in turn."""
    both = len(first + second)
    return lambda n: "".join(islice(cycle((first, second)), 2 * (n // both) + 2))[:n]


def mixed(seed: int) -> Shape:
    """Anything after anything, and all of it again."""

    random = Random(seed)  # noqa: S311 - the same text every time.
    return run("".join(random.choice(UNITS) * random.randint(1, 20) for _ in range(80)))


SHAPES: Final[Mapping[str, Shape]] = {
    **{f"run of {unit!a}": run(unit) for unit in RUNS},
    **{f"units {unit!a}": run(unit) for unit in UNITS},
    **{
        f"{unit!a} between {head!a} and {tail!a}": framed(head, unit, tail)
        for head, tail in FRAMES
        for unit in (" ", "\n", "a", "#", "*", "\\", "(", "`", "a ")
    },
    **{f"heading of {unit!a}": headed(unit) for unit in ("a", "a ", "not ", "(", "*", "#")},
    **{f"introduction of {unit!a}": introduced(unit) for unit in ("a", "a ", "need ", "a. ", "(")},
    **{
        f"nested {opening!a}": nested(opening, closing)
        for opening, closing in (("(", ")"), ("[", "]"), ("{", "}"), ("<b>", "</b>"), ("((", "))"))
    },
    **{
        f"{first!a} and {second!a} in turn": interleaved(first, second)
        for first, second in (("(a", "b)"), ("`", "'"), ("*", " "), ("- a\n", "# b\n"), ("\n", " "))
    },
    "an item that goes on": gone_on,
    "distinct words": distinct_words,
    "distinct lines": distinct_lines,
    "repeated lines": repeated_lines,
    "many things": things,
    **{f"mixed {seed}": mixed(seed) for seed in range(6)},
}
"""The catalogue."""

HARSH: Final = (
    "run of ' '", "run of '\\n'", "run of '('", "run of '\\\\'", "run of '`'", "run of 'a'",
    "run of '\\u0316\\u0301'", "units '- a\\n'", "units '<input name=\"a\">'", "units '</input>'",
    "units 'Each tool has a, b. '", "units 'tool: a (b, c)\\n'", "units 'We need to:\\n'",
    "units 'BF-1 '", "units '- BF-1: a\\n'", "units 'eyJaaaaaa-'", "units 'password=\\\\\"'",
    "units ' - at `$'", "units '\"a\",'", "' ' between '# a' and 'x'", "' ' between '<' and 'i'",
    "'\\\\' between 'password=' and 'a'", "'#' between '# a' and 'x'", "heading of 'a '",
    "introduction of 'need '", "nested '('", "an item that goes on", "distinct lines",
    "many things", "repeated lines", "mixed 1",
)  # fmt: skip
"""Those that the suite tries each time; `python -m tests.growth` tries all."""
