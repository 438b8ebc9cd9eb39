"""Changes that will come, as they would be written: what has to be edited by hand for each.

An edit puts lines behind an anchor that stands in the file exactly once; a new file is put whole.
"""

from pathlib import Path
from typing import NamedTuple


class Edit(NamedTuple):
    """Lines that are put behind an anchor in a file; with no anchor, the whole of a new file."""

    path: str
    anchor: str
    lines: str


def files_of(edits: tuple[Edit, ...]) -> set[str]:
    """The files that somebody has to open."""
    return {edit.path for edit in edits}


def apply(edits: tuple[Edit, ...], root: Path) -> None:
    """Make the edits in a copy of the tree."""
    for path, anchor, lines in edits:
        file = root / path
        if not anchor:
            assert not file.exists(), path
            file.write_text(lines, encoding="utf-8")
            continue
        text = file.read_text(encoding="utf-8")
        assert text.count(anchor) == 1, (
            f"{path}: {anchor!r} stands there {text.count(anchor)} times"
        )
        file.write_text(text.replace(anchor, anchor + lines), encoding="utf-8")
