"""Which files were generated? One row for each implementation, whole: it is replaced, not edited.

`FeatureRow.files_version` names the implementation that counts; the others stay for comparing and
for going back.
"""

from msgspec import Struct

from domain import events as e
from projections.fact import Fact
from projections.message import item_of
from projections.projection import EVERY_ROW, NOTHING, Projection, Touched


class FilesRow(Struct, frozen=True):
    """All files of one implementation."""

    version: int
    content_sha256: str
    files: tuple[e.FileWritten, ...]
    """In the order of their paths."""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def touched(fact: Fact) -> Touched:
    """Its own row; deleting touches every row."""
    match fact.event:
        case e.ImplementationCompleted():
            return Touched(item_of(fact.version))
        case e.FeatureDeleted():
            return EVERY_ROW
        case _:
            return NOTHING


def evolve(row: FilesRow | None, fact: Fact) -> FilesRow | None:
    """The row after a fact: files never change, another implementation has a row of its own."""
    if row is not None:
        return None if isinstance(fact.event, e.FeatureDeleted) else row
    match fact.event:
        case e.ImplementationCompleted(files=files, content_sha256=sha):
            return FilesRow(fact.version, sha, tuple(sorted(files, key=lambda f: f.path)))
        case _:
            return None


FILE = Projection("file", FilesRow, touched, evolve)
