"""What a change of the brief makes stale, from points to files, and what surely stays.

Invariant: whatever cites a changed point is stale; more changes never make less stale; the same
application and change give the same answer. Each stale thing names the path that led to it.
"""

from collections.abc import Mapping

from msgspec import Struct

from domain.impact_index import Base, ImpactKind, Index
from domain.impact_search import ImpactSearch
from domain.impact_words import changes_between

__all__ = ["Base", "Impact", "ImpactKind", "Stale", "impact_of"]


class Stale(Struct, frozen=True):
    """One thing that must be made anew or go."""

    id: str
    """A requirement's, criterion's or task's id; a path; `export path#name`, `route METHOD /path`
    or `table name`."""
    why: tuple[str, ...]
    """The ids that led here, from the changed point on."""


class Impact(Struct, frozen=True):
    """What a change touches, and what it leaves."""

    points: tuple[str, ...] = ()
    """Points that are changed, new or gone."""
    stale: Mapping[ImpactKind, tuple[Stale, ...]] = {}
    stays: Mapping[ImpactKind, tuple[str, ...]] = {}
    """Ids and paths of what surely stays as it is, by kind."""

    def ids(self, kind: ImpactKind) -> frozenset[str]:
        """What is stale of a kind."""
        return frozenset(one.id for one in self.stale.get(kind, ()))


def impact_of(base: Base, points: Mapping[str, str], also: tuple[str, ...] = ()) -> Impact:
    """What is stale when the brief says this.

    Args:
        base: The application as it stands.
        points: Text of each point of the brief that takes its place, by id.
        also: Requirements, tasks and paths that are known to change beside.
    """
    index = Index(base)
    changes = changes_between(base.points, points)
    search = ImpactSearch(index, changes)
    search.run(also)
    everything = {
        ImpactKind.REQUIREMENTS: list(index.needs),
        ImpactKind.CRITERIA: [one.id for need in index.needs.values() for one in need.criteria],
        ImpactKind.INTERFACES: list(search.interfaces),
        ImpactKind.TASKS: list(index.tasks),
        ImpactKind.TESTS: list(index.tested),
        ImpactKind.FILES: list(index.owner),
    }
    return Impact(
        tuple(change.point for change in changes),
        {
            kind: tuple(Stale(i, search.stale[kind][i]) for i in ids if i in search.stale[kind])
            for kind, ids in everything.items()
        },
        {
            kind: tuple(ident for ident in ids if ident not in search.stale[kind])
            for kind, ids in everything.items()
        },
    )
