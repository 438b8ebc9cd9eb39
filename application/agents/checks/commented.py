"""Checks of a document that was written anew with a person's comments.

Invariant: every comment has one answer; what no comment and no answer names stands as it stood; and
what is said to have changed has changed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from application.agents.checks.spec import with_gone_listed
from application.agents.markdown import clipped
from domain import documents as d
from domain.comments import AnsweredComment, Comment, CommentKind
from domain.parts import differing, keep_unmentioned, parts_of

T = TypeVar("T", bound=d.AgentDocument)


def without_unnamed(
    previous: d.AgentDocument,
    document: d.AgentDocument,
    comments: Sequence[Comment],
    answers: Sequence[d.CommentAnswer],
) -> d.AgentDocument:
    """The document, in which only changes stand that a comment or an answer names."""
    touched = {comment.target for comment in comments}
    touched.update(name for answer in answers for name in answer.changed)
    kept = keep_unmentioned(previous, document, touched)
    if isinstance(kept, d.Spec) and isinstance(previous, d.Spec):
        return with_gone_listed(kept, previous)
    return kept


def comment_findings(
    previous: Struct,
    document: Struct,
    comments: Sequence[Comment],
    answers: Sequence[d.CommentAnswer],
) -> list[str]:
    """What is wrong with the answers to comments, a sentence each.

    Args:
        previous: What was commented on.
        document: What came of it, without changes that nothing names.
        comments: What the person said, in the order of their numbers.
        answers: What the agent says that it did.
    """
    return [*_unanswered(comments, answers), *_untrue(previous, document, answers)]


def _unanswered(comments: Sequence[Comment], answers: Sequence[d.CommentAnswer]) -> Iterator[str]:
    given = [answer.comment for answer in answers]
    for number, comment in enumerate(comments, start=1):
        if number not in given:
            yield (
                f"Comment {number} ({clipped(comment.text)}) has no answer: do what it asks, and "
                "say in `answers` what you did."
            )
        elif given.count(number) > 1:
            yield f"Comment {number} is answered {given.count(number)} times; answer it once."
    for number in sorted({*given} - {*range(1, len(comments) + 1)}):
        yield f"An answer is to comment {number}, which there is not."


def _untrue(
    previous: Struct, document: Struct, answers: Sequence[d.CommentAnswer]
) -> Iterator[str]:
    for answer in answers:
        really = differing(previous, document, answer.changed)
        for name in answer.changed:
            if name not in really:
                yield (
                    f"The answer to comment {answer.comment} says that {clipped(name)} was "
                    "changed, and it is as it was."
                )


def put_back(document: Struct, said: Struct) -> Iterator[str]:
    """What was changed without a word; it matters only if the whole does not hold without it."""
    names = [*parts_of(document), *parts_of(said)]
    back = differing(document, said, names)
    if back:
        shown = ", ".join(clipped(name) for name in back[:10])
        yield (
            f"These were changed without a word, and stand as they stood before: {shown}. Leave "
            "them as they were, or name them in `changed` of the answer that they belong to, with "
            "the reason in `done`."
        )


def unheeded(
    previous: Struct,
    document: Struct,
    comments: Sequence[Comment],
    answers: Sequence[d.CommentAnswer],
) -> list[str]:
    """Comments that ask for a change and changed nothing: told once, then the reason counts."""
    return [
        f"Comment {number} ({clipped(one.comment.text)}) asks for a change, and nothing changed "
        "for it. Do what it asks, or say in its answer why that cannot be."
        for number, one in enumerate(answered(previous, document, comments, answers), start=1)
        if not one.changed and one.comment.kind is not CommentKind.OTHER
    ]


def answered(
    previous: Struct,
    document: Struct,
    comments: Sequence[Comment],
    answers: Sequence[d.CommentAnswer],
) -> tuple[AnsweredComment, ...]:
    """Each comment with what was done about it, and what really is different."""
    given = {answer.comment: answer for answer in answers}
    nothing = d.CommentAnswer(1, "-")
    found = []
    for number, comment in enumerate(comments, start=1):
        answer = given.get(number, nothing)
        changed = differing(previous, document, (comment.target, *answer.changed))
        found.append(AnsweredComment(comment, answer.done, changed))
    return tuple(found)


def plain(said: Any, kind: type[T]) -> T:  # noqa: ANN401 - the document, with answers.
    """A document without what was said about comments."""
    return kind(**{name: getattr(said, name) for name in kind.__struct_fields__})
