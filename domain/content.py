"""What replay restores: everything a feature has produced, by hash and by its place in the log.

A deliverable's text stands once, in the event that recorded it; here it is named by that event's
version and the SHA-256 of the text that people see. So going back is cheap, and what is shown,
approved and restored can never be two things.
"""

from hashlib import sha256

from msgspec import Struct

from domain.status import Gate, Recommendation, Status, Verdict


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


class Rework(Struct, frozen=True):
    """What an implementation that failed its review leaves to the next one, by version."""

    implementation: int
    security_review: int | None
    code_review: int | None


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
    previous_plan: int | None = None
    previous_tests: int | None = None
    checkpoint: int = 0
    """The last place to go back to on the way to this content: a version; 0 before the first."""
    conversation: tuple[Span, ...] = ()
    """Closed spans of the log whose messages are visible."""
    since: int = 1
    """Messages from this version on are visible too."""

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
        return {Gate.SPEC: self.spec, Gate.PLAN: self.plan, Gate.TESTS: self.tests}[gate]

    def approval(self, gate: Gate) -> Approval | None:
        """The approval given at a gate, if it still counts."""
        return {
            Gate.SPEC: self.spec_approval,
            Gate.PLAN: self.plan_approval,
            Gate.TESTS: self.tests_approval,
        }[gate]
