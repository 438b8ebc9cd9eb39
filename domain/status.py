"""Where a feature can stand, and the words of its life. Values are wire format: for ever."""

from enum import StrEnum


class Status(StrEnum):
    """Where a feature stands."""

    DRAFTING = "drafting"
    SPEC_GENERATING = "spec_generating"
    SPEC_READY = "spec_ready"
    SPEC_APPROVED = "spec_approved"
    PLAN_GENERATING = "plan_generating"
    PLAN_READY = "plan_ready"
    PLAN_APPROVED = "plan_approved"
    TESTS_GENERATING = "tests_generating"
    TESTS_READY = "tests_ready"
    TESTS_APPROVED = "tests_approved"
    IMPLEMENTING = "implementing"
    REVIEW = "review"
    DONE = "done"
    FAILED = "failed"
    DELETED = "deleted"


class Gate(StrEnum):
    """What a person approves before the pipeline goes on."""

    SPEC = "spec"
    PLAN = "plan"
    TESTS = "tests"


class OutputMode(StrEnum):
    """What the pipeline makes of a brief: chosen when the brief is confirmed."""

    FULL_CODE = "full_code"
    """A whole project in source code, with its tests."""


class Agent(StrEnum):
    """Who works: one model, one prompt, one job."""

    BA = "ba"
    SPEC = "spec"
    PLANNER = "planner"
    CONTRACT_TEST = "contract_test"
    IMPLEMENTER = "implementer"
    SECURITY_REVIEW = "security_review"
    CODE_REVIEW = "code_review"
    ALIGNMENT_REVIEW = "alignment_review"
    TITLE = "title"


class Step(StrEnum):
    """A piece of work that one agent does for one feature."""

    CONVERSE = "converse"
    SPEC = "spec"
    TITLE = "title"
    ALIGN_SPEC = "align_spec"
    PLAN = "plan"
    ALIGN_PLAN = "align_plan"
    TESTS = "tests"
    ALIGN_TESTS = "align_tests"
    IMPLEMENT = "implement"
    SECURITY_REVIEW = "security_review"
    CODE_REVIEW = "code_review"


class Stage(StrEnum):
    """A part of the way from a brief to its result, as people see it."""

    SPEC = "spec"
    PLAN = "plan"
    TESTS = "tests"
    IMPLEMENTATION = "implementation"
    REVIEW = "review"


class Input(StrEnum):
    """What an agent can be given to read. Values name the blocks of a request."""

    STATUS = "status"
    GATE = "gate"
    """The gate that the step advises on, or where the feature stands."""
    BRIEF = "brief"
    POINTS = "points"
    """The brief's points by id, made by code."""
    DELIVERABLE = "deliverable"
    """The document at the gate."""
    CONVERSATION = "conversation"
    SPEC = "spec"
    PLAN = "plan"
    TESTS = "tests"
    PREVIOUS_SPEC = "previous_spec"
    """The last one of an earlier epoch, whose ids stay stable; so with the next two."""
    PREVIOUS_PLAN = "previous_plan"
    PREVIOUS_TESTS = "previous_tests"
    COMMENTS = "comments"
    """What a person said about the previous version, each to be answered."""
    FILES = "files"
    """The implementation, frozen tests included."""
    FROZEN = "frozen"
    """What of the finished application stays as it is in this round, by id or path."""
    PREVIOUS_FILES = "previous_files"
    """The implementation that failed its reviews, when it is written again; else the one that stood
    when this round began."""
    ACCEPTED_FILES = "accepted_files"
    """Files that an attempt before a retry had written and stored when it failed."""
    REFUSED_FILES = "refused_files"
    """Files of the implementation that the checks refused to the end, with their faults."""
    REVIEWS = "reviews"
    """The reviews that it failed."""
    EARLIER_REVIEWS = "earlier_reviews"
    """What the reviews found that failed before these, while the same code was mended."""
    MAY_CHANGE = "may_change"
    """The files that may be written: all others are frozen. Left out: any planned file."""
    EARLIER_FINDINGS = "earlier_findings"
    """What the same reviewer found before, in any round of mending, each to be answered."""


class Part(StrEnum):
    """What a carried event is to the fork that brought it with it."""

    MESSAGE = "message"
    BRIEF = "brief"
    SPEC = "spec"
    PLAN = "plan"
    TESTS = "tests"
    ADVICE = "advice"
    RESULT = "result"
    """Recorded beyond the gate where the fork stands: shown to nobody, and not bought again."""
    PREVIOUS_SPEC = "previous_spec"
    PREVIOUS_PLAN = "previous_plan"
    PREVIOUS_TESTS = "previous_tests"
    PREVIOUS_IMPLEMENTATION = "previous_implementation"
    """The code that a round goes on from."""
    REWORK_IMPLEMENTATION = "rework_implementation"
    REWORK_SECURITY_REVIEW = "rework_security_review"
    REWORK_CODE_REVIEW = "rework_code_review"


class Recommendation(StrEnum):
    """What the alignment reviewer advises at a gate. The person decides."""

    APPROVE = "APPROVE"
    REVISE = "REVISE"


class Verdict(StrEnum):
    """What code computes from a reviewer's findings."""

    PASS = "PASS"  # noqa: S105  # A verdict, not a password.
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"
    """Something grave was said that code cannot place, or something asked was left open: no yes."""
