"""What commands print of people's texts is seen on a terminal, and never obeyed by it."""

import io
import sys

import msgspec
import pytest

from interface.cli import console

HOSTILE = "a\x1b[2J\x9b31m\r\n\x07\u202eevil\u2066\x00 [red]b[/red] [/x] :smile:"
SEEN = r"a\x1b[2J\x9b31m\r\n\x07\u202eevil\u2066\x00 [red]b[/red] [/x] :smile:"


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal that keeps what it was sent."""
    sent = io.StringIO()
    terminal = console.plain(file=sent, force_terminal=True, width=400)
    monkeypatch.setattr(console, "OUT", terminal)
    monkeypatch.setattr(console, "ERR", terminal)
    monkeypatch.setattr(sys, "stdout", sent)
    return sent


def test_lines_tables_and_errors_are_escaped(out: io.StringIO) -> None:
    console.say(HOSTILE)
    console.fail(HOSTILE)
    console.progress(HOSTILE)
    console.show([{"title": HOSTILE, "version": 3}], as_json=False, empty="")
    sent = out.getvalue()
    assert sent.count(SEEN) == 4
    for odd in ("\x1b[2J", "\x9b", "\x07", "\u202e", "\u2066", "\x00", "a\r"):
        assert odd not in sent


def test_json_says_the_same_and_holds_nothing_to_obey(out: io.StringIO) -> None:
    console.show([{"title": HOSTILE}], as_json=True, empty="")
    console.write_lines(msgspec.json.encode({"title": HOSTILE}) + b"\n")
    for line in out.getvalue().splitlines():
        assert "\u202e" not in line
        found = msgspec.json.decode(line)
        assert (found[0] if isinstance(found, list) else found)["title"] == HOSTILE


def test_what_is_piped_is_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    pipe = io.TextIOWrapper(raw, encoding="utf-8")
    monkeypatch.setattr(console, "OUT", console.plain(file=pipe))
    monkeypatch.setattr(sys, "stdout", pipe)
    line = msgspec.json.encode({"title": HOSTILE}) + b"\n"
    console.write_lines(line)
    assert raw.getvalue() == line
