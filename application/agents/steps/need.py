"""A document that a step cannot do without.

Invariant: a step that is due has what it needs; that it has not is a defect, never a refusal.
"""

from typing import TypeVar

T = TypeVar("T")


def needed(document: T | None) -> T:
    """The document.

    Raises:
        LookupError: it is missing, although the step was due.
    """
    if document is None:
        raise LookupError("A step was due without the document it needs.")
    return document
