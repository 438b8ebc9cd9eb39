"""Each kind of thing that comes from outside: what is taken, what is refused, and nothing else."""

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from domain.commands import LARGEST_VERSION
from interface.incoming import (
    LARGEST_POSITION,
    LONGEST_KEY,
    Malformed,
    SeenPosition,
    SeenVersion,
    Version,
    id_of,
    key_of,
    number_of,
    time_of,
    version_of_tag,
)
from tests.interface.world import Person

ODD_NUMBERS = (
    "",
    " ",
    "+5",
    "-1",
    " 5",
    "5 ",
    "05",
    "00",
    "1_0",
    "0x10",
    "5.5",
    "1e400",
    "NaN",
    "inf",
    "\u0665",
    "\uff15",
    "\u00b2",
    "1\x00",
    "5\n",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "9" * 400,
    "9" * 5_000,
)


@pytest.mark.parametrize("text", ODD_NUMBERS)
@pytest.mark.parametrize("kind", [Version, SeenVersion], ids=["version", "seen"])
def test_what_is_no_version_is_refused(text: str, kind: object) -> None:
    with pytest.raises(Malformed):
        number_of(text, kind)


@forall(st.integers(0, 2**64), st.sampled_from([Version, SeenVersion, SeenPosition]))
def test_a_number_is_taken_inside_its_bounds_and_refused_outside(number: int, kind: object) -> None:
    least = 1 if kind is Version else 0
    most = LARGEST_POSITION if kind is SeenPosition else LARGEST_VERSION
    if least <= number <= most:
        assert number_of(str(number), kind) == number
    else:
        with pytest.raises(Malformed):
            number_of(str(number), kind)


@forall(st.text(), st.sampled_from([number_of, id_of, time_of, version_of_tag, key_of]))
def test_whatever_the_text_it_is_a_value_or_malformed(text: str, decode: object) -> None:
    with suppress(Malformed):
        if decode is number_of:
            assert 0 <= number_of(text, SeenPosition) <= LARGEST_POSITION
        else:
            decode(text)  # type: ignore[operator]


ID = "01890000-0000-7000-8000-00000000000a"


def test_an_id_is_taken_in_either_case_and_in_no_other_dress() -> None:
    assert str(id_of(ID)) == str(id_of(ID.upper())) == ID
    for text in (
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f" {ID}",
        f"{ID}\n",
        ID.replace("-", "--"),
        ID[:-1],
        ID[:-1] + "\uff41",
        "0x" + ID.replace("-", "")[2:],
        ID.replace("0", "_", 1),
        "",
    ):
        with pytest.raises(Malformed):
            id_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T09:00:00+00:00",
        "2026-11-28T09:00:00 00:00",
        "2026-11-28T09:00:00Z",
        "2026-11-28t09:00:00z",
        "2026-11-28 09:00:00Z",
        "2026-11-28T14:30:00 05:30",
        "2026-11-28T04:00:00-05:00",
        "2026-11-28T09:00:00.000",
    ],
)
def test_a_time_is_in_utc_whatever_its_offset_and_however_its_plus_came_in(text: str) -> None:
    assert time_of(text) == datetime(2026, 11, 28, 9, tzinfo=UTC)
    assert time_of(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "5",
        "1e400",
        "9" * 400,
        "2026-11-28",
        "2026-11-28T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-28T09:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "\u0662\u0660\u0662\u0666-01-01T00:00:00Z",
        "2026-11-28T09:00:00Z\x00",
    ],
)
def test_what_is_no_time_of_ours_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        time_of(text)


def test_the_past_asks_for_an_offset() -> None:
    with pytest.raises(Malformed, match="offset"):
        time_of("2026-11-28T09:00:00", zoned=True)


@pytest.mark.parametrize(
    ("text", "version"), [('"23"', 23), ('W/"1"', 1), (' "5" ', 5), ("*", None)]
)
def test_a_tag_names_a_version(text: str, version: int | None) -> None:
    assert version_of_tag(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "23",
        '"023"',
        '"1", "2"',
        '"-1"',
        '"0"',
        '"',
        '""',
        'w/"1"',
        '"1"x',
        f'"{2**31}"',
        '"1e3"',
    ],
)
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        version_of_tag(text)


def test_a_key_is_visible_ascii() -> None:
    assert key_of("a" * LONGEST_KEY) == "a" * LONGEST_KEY
    for text in ("", "a" * (LONGEST_KEY + 1), "a b", "a\n", "\x7f", "é", "a\x00"):
        with pytest.raises(Malformed):
            key_of(text)


async def test_a_time_with_a_plus_in_the_query_is_taken(ann: Person) -> None:
    feature = await ann.new_feature()
    for time in ("2026-11-28T09:00:00+00:00", "2026-11-28T09:00:00%2B00:00"):
        past = await ann.ask("GET", f"/api/features/{feature}?at={time}")
        assert past.status_code == 200, past.text
        for path in ("/api/events", "/api/usage", f"/api/features/{feature}/events"):
            answer = await ann.ask("GET", f"{path}?from={time}&to={time}")
            assert answer.status_code == 200, (path, answer.text)
    wrong = await ann.ask("GET", f"/api/features/{feature}?at=2026-11-28T09:00:00")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "at")


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("a\x07b", "U+0007"),
        ("a\u202eb", "U+202E"),
        ("\u2066a", "U+2066"),
        ("\x1b[31ma", "U+001B"),
        ("a\x00b", "U+0000"),
        (" \n ", "nothing that can be seen"),
        ("x" * 121, "at most 120 characters"),
    ],
)
async def test_a_title_that_cannot_be_shown_is_refused_in_one_sentence(
    ann: Person, title: str, told: str
) -> None:
    feature = await ann.new_feature()
    for method, path in (
        ("POST", "/api/features"),
        ("PATCH", f"/api/features/{feature}"),
        ("POST", f"/api/features/{feature}/fork"),
    ):
        body = {"title": title, **({"version": 1} if path.endswith("fork") else {})}
        answer = await ann.ask(method, path, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "invalid_body"), path
        (fault,) = problem["errors"]
        assert fault["pointer"] == "/title"
        assert told in fault["detail"]


async def test_a_title_of_two_lines_is_one(ann: Person) -> None:
    feature = await ann.new_feature("A\r\n\tlibrary\u2028of tools ")
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert seen["title"] == "A library of tools"


async def test_numbers_out_of_bounds_are_refused_wherever_one_is_asked_for(ann: Person) -> None:
    feature = await ann.new_feature()
    root = f"/api/features/{feature}"
    for body in (
        b'{"version": 2147483648}',
        b'{"version": 1e400}',
        b'{"version": ' + b"9" * 5_000 + b"}",
    ):
        for path in ("replay", "fork"):
            answer = await ann.ask(
                "POST", f"{root}/{path}", content=body, headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    for number in ("9" * 5_000, "-1", "%D9%A5", "+5", "2147483648"):
        for place in ("/live?after=", "/messages?version=", "?min_version=", "/diff?from="):
            answer = await ann.ask("GET", f"{root}{place}{number}")
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), place
    answer = await ann.ask("GET", f"{root}/live", headers={"Last-Event-ID": "2147483648"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "Last-Event-ID")


def test_a_command_and_a_parameter_have_the_same_bound() -> None:
    for number in (LARGEST_VERSION, LARGEST_VERSION + 1):
        try:
            msgspec.convert(number, Version)
        except msgspec.ValidationError:
            assert number > LARGEST_VERSION
