"""Refusals: expected answers, not crashes. Each docstring is the message a person reads."""

from typing import ClassVar

from domain.status import Status


class Refused(Exception):
    """The request cannot be honoured."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.__doc__)


class NotFound(Refused):
    """There is no such feature."""

    code = "not_found"


class NotNow(Refused):
    """The feature is not at a stage where that is possible."""

    code = "not_now"

    def __init__(
        self,
        detail: str | None = None,
        status: Status | None = None,
        *,
        due: bool = False,
        stopped: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.due = due
        """Whether a step waits or runs there."""
        self.stopped = stopped


class ContentChanged(Refused):
    """What you are approving has changed since you saw it. Look at it again."""

    code = "content_changed"

    def __init__(self, current_sha256: str | None) -> None:
        super().__init__()
        self.current_sha256 = current_sha256


class ProposalPending(Refused):
    """In the conversation a changed brief is proposed, and approving would leave it out.

    Take it, by revising the brief, or approve and say that it is put aside.
    """

    code = "proposal_pending"

    def __init__(self, version: int) -> None:
        super().__init__(
            "In the conversation a changed brief is proposed, and approving would leave it out. "
            f"Take it, by revising the brief, or put aside the proposal of version {version}."
        )
        self.version = version


class UnknownParts(Refused):
    """A comment is about something that the document at the gate does not have."""

    code = "unknown_parts"

    def __init__(self, names: tuple[str, ...]) -> None:
        shown = ", ".join(name[:80] for name in names[:10])
        super().__init__(
            f"The document at the gate has no part named so: {shown}. Comment on an id, a path or "
            "a name that stands in it, or on the document as a whole."
        )
        self.names = names


class NothingChanged(Refused):
    """The edited document reads as the one that stands there. Change something, then send it."""

    code = "nothing_changed"


class FaultyDocument(Refused):
    """The edited document does not pass the checks; nothing was recorded."""

    code = "faulty_document"

    def __init__(self, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.faults = faults
        """Where each fault is, as a JSON pointer into the document, and what it is."""


class EmptyBrief(Refused):
    """There is no word in the brief. Write what the software should do: one sentence is enough."""

    code = "empty_brief"


class NoSuchCheckpoint(Refused):
    """That version is no checkpoint of this feature. GET its checkpoints and choose one of them."""

    code = "no_such_checkpoint"


class Superseded(Refused):
    """Something newer has replaced this attempt."""

    code = "superseded"
