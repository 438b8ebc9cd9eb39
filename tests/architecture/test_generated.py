"""Pages that are made from the code are what the code gives now."""

from pathlib import Path

import pytest

from interface.cli.app import app
from interface.cli.generate.documents import MARKED, WHOLE, fill, pages
from tests.architecture.pages import PROJECT, name_of, text


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {name_of(path): page for path, page in pages(PROJECT, app).items()}


@pytest.mark.parametrize("name", [*WHOLE, *MARKED])
def test_a_generated_page_is_what_the_code_gives(name: str, made: dict[str, str]) -> None:
    assert text(name) == made[name], "run ./bp docs"


def test_a_mark_that_nothing_is_made_for_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing-of-ours"):
        fill("<!-- generated: nothing-of-ours -->\n<!-- end -->", {"commands": ""})


def test_only_what_stands_between_its_marks_is_replaced() -> None:
    page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n"
    filled = fill(page, {"a": "new"})
    assert filled == "before\n<!-- generated: a -->\n\nnew\n\n<!-- end -->\nafter\n"
    assert fill(filled, {"a": "new"}) == filled


def test_every_marked_page_is_known(made: dict[str, str]) -> None:
    marked = {
        name_of(page)
        for page in (*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"))
        if _is_marked(page)
    }
    assert marked == set(MARKED)
    assert set(made) == {*WHOLE, *MARKED}


def _is_marked(page: Path) -> bool:
    return any(
        line.startswith("<!-- generated:") for line in page.read_text(encoding="utf-8").splitlines()
    )
