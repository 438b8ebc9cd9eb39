"""What replay restores: everything a feature has produced, by hash and by its place in the log.

A deliverable's text stands once, in the event that recorded it; here it is named by that event's
version and the SHA-256 of the text that people see. So going back is cheap, and what is shown,
approved and restored can never be two things.

The fields of `Content` are wire format: they stand in events and read models. Whoever asks by gate
or by step asks the methods, which find the field of that name; `test_steps.py` holds every gate and
review to having its fields.
"""

from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from domain.status import Gate, OutputMode, Recommendation, Status, Step, Verdict


def sha256_of(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, in lower-case hex (64 characters)."""
    return sha256(text.encode()).hexdigest()


class Deliverable(Struct, frozen=True):
    """One document: `version` is the event that holds its text."""

    version: int
    content_sha256: str


class Approval(Struct, frozen=True):
    """A person's yes to exactly this content."""

    version: int
    content_sha256: str


class Advice(Struct, frozen=True):
    """The alignment reviewer's recommendation for the content at a gate."""

    version: int
    gate: Gate
    recommendation: Recommendation


class Review(Struct, frozen=True):
    """A review of the implementation, with the verdict that code computed."""

    version: int
    content_sha256: str
    verdict: Verdict


class Span(Struct, frozen=True, array_like=True):
    """Versions of the log from `first` to `last`, both included."""

    first: int
    last: int


class Left(Struct, frozen=True):
    """Files that a failed attempt left behind: `version` is the event that names them."""

    version: int
    approval: int
    """The approval of the tests that they were written for, by version."""


class Rework(Struct, frozen=True):
    """What an implementation that failed its review leaves to the next one, by version."""

    implementation: int
    security_review: int | None
    code_review: int | None

    def review(self, step: Step) -> int | None:
        """The version of a step's review."""
        return getattr(self, step.value)  # type: ignore[no-any-return]  # See above.

    def with_review(self, step: Step, version: int) -> "Rework":
        """With a step's review, by its version."""
        return replace(self, **{step.value: version})


class Mending(Struct, frozen=True, omit_defaults=True):
    """What is known of the mending of code that failed its reviews."""

    version: int
    """The event that names the files that may change: all others are frozen."""
    round: int = 0
    """Rounds begun without a person, since one last decided."""
    of: int = 0
    """How many of these are allowed."""
    found: tuple[tuple[str, ...], ...] = ()
    """The marks of what each failed review found, oldest first; see `domain.mending`."""
    reviews: tuple[Rework, ...] = ()
    """The code and the reviews of each of these, oldest first."""


class Round(Struct, frozen=True):
    """A round that has ended, and that a later one goes on from."""

    ended: int
    """The version that the next round began behind: the feature as it was then is the round."""
    status: Status
    """`done` or `failed`."""


class Content(Struct, frozen=True, omit_defaults=True):
    """A feature's deliverables, approvals and visible conversation at one version."""

    status: Status | None = None
    brief: Deliverable | None = None
    spec: Deliverable | None = None
    plan: Deliverable | None = None
    tests: Deliverable | None = None
    implementation: Deliverable | None = None
    security_review: Review | None = None
    code_review: Review | None = None
    advice: Advice | None = None
    spec_approval: Approval | None = None
    plan_approval: Approval | None = None
    tests_approval: Approval | None = None
    rework: Rework | None = None
    previous_spec: int | None = None
    """Version of the specification that a revised brief replaced; its ids stay taken."""
    previous_brief: int | None = None
    """Version of the brief that it was made from; None also in a fork."""
    previous_plan: int | None = None
    previous_tests: int | None = None
    checkpoint: int = 0
    """The last place to go back to on the way to this content: a version; 0 before the first."""
    conversation: tuple[Span, ...] = ()
    """Closed spans of the log whose messages are visible."""
    since: int = 1
    """Messages from this version on are visible too."""
    mode: OutputMode = OutputMode.FULL_CODE
    """What the brief is made into."""
    accepted: int | None = None
    """Version of the failed attempt whose files the code is written on from."""
    rounds: tuple[Round, ...] = ()
    """The rounds before this one, oldest first; none in a fork."""
    comments: int | None = None
    """Version of the request whose comments the gate's document is being written anew with. The
    document that they are about stands until then."""
    proposal: int | None = None
    """Version of the reply that proposes another brief than the one that is confirmed, as long as
    nobody has taken it or put it aside."""
    base: int | None = None
    """Version of the implementation that stood when this round began: its files are changed, and
    those that need no change stay as they are."""
    mending: Mending | None = None
    """Of the code that failed its reviews, until the brief is revised."""

    @property
    def round(self) -> int:
        """The number of this round, from 1: one more whenever an ended feature is changed."""
        return len(self.rounds) + 1

    @property
    def finished_round(self) -> Round | None:
        """The last round before this one that was done."""
        return next((one for one in reversed(self.rounds) if one.status is Status.DONE), None)

    def shows(self, version: int) -> bool:
        """Whether a message recorded at `version` belongs to the visible conversation."""
        return version >= self.since or any(s.first <= version <= s.last for s in self.conversation)

    def awaiting(self, gate: Gate) -> tuple[Gate, ...]:
        """The gates up to this one whose approval is missing, in order: several in a fork only."""
        upto = list(Gate)[: list(Gate).index(gate) + 1]
        return tuple(each for each in upto if not self.approves(each))

    def approves(self, gate: Gate) -> bool:
        """Whether what is there at a gate now was approved by a person."""
        made, given = self.deliverable(gate), self.approval(gate)
        return bool(made and given and made.content_sha256 == given.content_sha256)

    def deliverable(self, gate: Gate) -> Deliverable | None:
        """The document a gate is about."""
        return getattr(self, gate.value)  # type: ignore[no-any-return]  # See above.

    def approval(self, gate: Gate) -> Approval | None:
        """The approval given at a gate, if it still counts."""
        return getattr(self, f"{gate}_approval")  # type: ignore[no-any-return]  # See above.

    def previous(self, gate: Gate) -> int | None:
        """Version of the gate's document that a revised brief replaced; its ids stay taken."""
        return getattr(self, f"previous_{gate}")  # type: ignore[no-any-return]  # See above.

    def review(self, step: Step) -> Review | None:
        """What a step found as a review of the implementation; None of other steps."""
        found = getattr(self, step.value, None)
        return found if isinstance(found, Review) else None

    def with_deliverable(self, gate: Gate, made: Deliverable) -> "Content":
        """With another document at a gate, which nobody has advised on."""
        return replace(self, advice=None, comments=None, **{gate.value: made})

    def replacing(self, gate: Gate) -> "Content":
        """With what stands at a gate as the version before the one that is to come."""
        current = self.deliverable(gate)
        if current is None:
            return self
        of_brief = self.brief.version if self.brief and gate is Gate.SPEC else self.previous_brief
        return replace(self.with_previous(gate, current.version), previous_brief=of_brief)

    def with_approval(self, gate: Gate, given: Approval) -> "Content":
        """With an approval at a gate."""
        return replace(self, **{f"{gate}_approval": given})

    def with_previous(self, gate: Gate, version: int | None) -> "Content":
        """With a document of an earlier epoch, by its version."""
        return replace(self, **{f"previous_{gate}": version})

    def with_review(self, step: Step, made: Review) -> "Content":
        """With a step's review of the implementation."""
        return replace(self, **{step.value: made})
