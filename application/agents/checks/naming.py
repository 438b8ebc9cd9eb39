"""Ids across documents: unique, known, of the right kind.

Invariant: a finding names the id it is about.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator


def repeated(what: str, ids: Iterable[str]) -> Iterator[str]:
    """Ids that stand twice where each must stand once."""
    for ident, count in Counter(ids).items():
        if count > 1:
            yield f"{what} {ident} stands {count} times; ids are unique."


def misnamed(what: str, prefix: str, ids: Iterable[str]) -> Iterator[str]:
    """Ids that do not begin with the prefix of their kind."""
    for ident in ids:
        if not ident.startswith(f"{prefix}-"):
            yield f"{what} {ident} must be named {prefix}-1, {prefix}-2 and so on."


def unknown(where: str, ids: Iterable[str], known: Collection[str], what: str) -> Iterator[str]:
    """Ids that nothing before defines."""
    for ident in dict.fromkeys(ids):
        if ident not in known:
            yield f"{where} names {ident}, which is not {what}."
