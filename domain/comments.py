"""What a person says about single parts of a document at a gate, and what was done about it."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class CommentKind(StrEnum):
    """What a comment asks for."""

    WRONG = "wrong"
    """What stands there is not right."""
    ADD = "add"
    """Something is missing."""
    OTHER = "other"
    """Anything else, in the person's own words."""


class Comment(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A remark on one part of a document, or on all of it."""

    text: Annotated[
        str, Meta(min_length=1, max_length=2_000, description="At most 2,000 characters")
    ]
    target: Annotated[str, Meta(max_length=2_000)] = ""
    """An id, a path or a name in the document; empty for the document as a whole."""
    kind: CommentKind = CommentKind.OTHER

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: there is no letter and no number in it."""
        return not any(sign.isalnum() for sign in self.text)


class AnsweredComment(Struct, frozen=True, omit_defaults=True):
    """A comment, and what its writer did about it."""

    comment: Comment
    done: str
    """In the writer's words."""
    changed: tuple[str, ...] = ()
    """Ids, paths and names of what really is different since then, computed by code."""
