"""A cursor opens in its own list only; whatever else comes as one is a plain 400."""

import base64
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from interface.http.problems.table import HttpProblem
from interface.http.requests.cursors import SEAL_BYTES, Cursors
from interface.incoming import LONGEST_CURSOR
from tests.interface.world import Person

CURSORS = Cursors([b"key"])


def refused(cursors: Cursors, cursor: str, *of: object) -> None:
    with pytest.raises(HttpProblem) as problem:
        cursors.of(*of).after(cursor)
    said = problem.value.problem
    assert (said.status, said.errors[0].pointer) == (400, "cursor")


@forall(st.text(min_size=1))
def test_a_cursor_gives_back_the_key_it_was_made_of(key: str) -> None:
    key = key.encode(errors="replace").decode()
    cursor = CURSORS.of("t", "files", None).cursor(key)
    assert cursor.isascii()
    assert CURSORS.of("t", "files", None).after(cursor) == key
    assert CURSORS.of("t", "files").after(None) is None


def test_a_cursor_of_another_list_tenant_or_filter_is_refused() -> None:
    cursor = CURSORS.of("ann", "runs", 3, {"q": "a"}).cursor(17)
    for other in (
        ("eve", "runs", 3, {"q": "a"}),
        ("ann", "messages", 3, {"q": "a"}),
        ("ann", "runs", 4, {"q": "a"}),
        ("ann", "runs", 3, {"q": "b"}),
        ("ann", "runs", 3),
    ):
        refused(CURSORS, cursor, *other)


def test_keys_are_changed_without_ending_a_list() -> None:
    cursor = CURSORS.of("t").cursor("a")
    assert Cursors([b"new", b"key"]).of("t").after(cursor) == "a"
    refused(Cursors([b"new"]), cursor, "t")


@forall(
    st.text(max_size=80)
    | st.binary(max_size=80).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_whatever_else_is_no_cursor(given: str) -> None:
    refused(CURSORS, given, "t")


def test_a_changed_cursor_is_none() -> None:
    cursor = CURSORS.of("t").cursor("17")
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for at in (0, SEAL_BYTES - 1, SEAL_BYTES, len(raw) - 1):
        forged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        refused(CURSORS, base64.urlsafe_b64encode(forged).decode(), "t")
    refused(CURSORS, base64.urlsafe_b64encode(raw[:SEAL_BYTES]).decode(), "t")


async def listed(person: Person, path: str) -> tuple[int, Any]:
    answer = await person.ask("GET", path)
    return answer.status_code, answer.json()


async def test_a_list_takes_its_own_cursors_alone(ann: Person, bob: Person) -> None:
    feature, other = await ann.finished(), await ann.finished()
    lists = (
        "/api/features",
        "/api/features?status=done",
        "/api/features?q=tool",
        "/api/events",
        "/api/events?order=asc",
        "/api/events?type=spec_generated",
        f"/api/features/{feature}/events",
        f"/api/features/{feature}/events?order=desc",
        f"/api/features/{feature}/runs",
        f"/api/features/{feature}/checkpoints",
        f"/api/features/{feature}/checkpoints?version=9",
        f"/api/features/{other}/runs",
    )
    cursors = {}
    for path in lists:
        mark = "&" if "?" in path else "?"
        status, page = await listed(ann, f"{path}{mark}limit=1")
        assert (status, len(page["items"])) == (200, 1), path
        cursors[path] = page["next_cursor"]
        status, page = await listed(ann, f"{path}{mark}limit=1&cursor={cursors[path]}")
        assert status == 200, path
    for path in lists:
        for source, cursor in cursors.items():
            mark = "&" if "?" in path else "?"
            status, page = await listed(ann, f"{path}{mark}cursor={cursor}")
            assert status == (200 if source == path else 400), (path, source)
    status, page = await listed(bob, f"/api/features?cursor={cursors['/api/features']}")
    assert (status, page["errors"][0]["pointer"]) == (400, "cursor")
    status, _ = await listed(ann, f"/api/features?cursor={'A' * (LONGEST_CURSOR + 1)}")
    assert status == 400
