"""Why each paid token was paid: one cause for each run of a log, whatever happened afterwards.

Invariant: every event that says what an attempt used has exactly one cause, so that sums by cause
are the sum of all. Only the clear part of events is read, which outlives deletion.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, NamedTuple

from msgspec import Struct

from application.agents.failures import BY_THE_PROVIDER, BY_US
from domain import events as e
from domain.lifecycle import APPROVED_AT
from domain.pipeline import GATE_OF, RESULT_OF, RESULTS, REVIEWS
from domain.runs import Attempt, Run
from domain.status import Gate, Step, Verdict


class SpendingCause(StrEnum):
    """What became of tokens, and by whose doing."""

    IN_USE = "in_use"
    """It is part of what stands now, or of a round that was done."""
    CHANGED = "changed"
    """A person revised, commented, went back, decided without it, or deleted the feature."""
    STOPPED = "stopped"
    """A person stopped work while it was written."""
    FAILED_CHECK = "failed_check"
    """The agent brought nothing that passes: by a check, by its bounds, or because it declined."""
    FAILED_REVIEW = "failed_review"
    """The code did not pass its review, and something else took its place; so did its reviews."""
    PROVIDER = "provider"
    """The provider of the model gave no usable answer."""
    OURS = "ours"
    """A restart, a loss or a defect of ours."""
    UNREAD = "unread"
    """A newer version of this program wrote it: what it used is counted once that runs here."""


class ClearPart(Struct, frozen=True):
    """What a cause is found by, of an event's clear part. All of it is missing in most events."""

    attempt: Attempt | None = None
    run: Run | None = None
    code: str = ""
    step: Step | None = None
    gate: Gate | None = None
    verdict: Verdict | None = None
    to_version: int = 0
    restored: "Restored | None" = None


class At(Struct, frozen=True):
    """A place in the log."""

    version: int


class Restored(Struct, frozen=True):
    """What going back kept of reviews."""

    security_review: At | None = None
    code_review: At | None = None


def clear_part_of(event: e.FeatureEvent) -> ClearPart:
    """The same of an event that is open."""
    known: dict[str, Any] = {
        name: value
        for name in ClearPart.__struct_fields__
        if (value := getattr(event, name, None)) is not None
    }
    if "restored" in known:
        kept = {step.value: known["restored"].review(step) for step in REVIEWS}
        known["restored"] = Restored(**{n: At(made.version) for n, made in kept.items() if made})
    return ClearPart(**known)


class _Made(NamedTuple):
    """A result, and those before it that stand with it."""

    version: int
    step: Step
    before: "_Made | None"


class _Standing(NamedTuple):
    """What stands at one version."""

    talk: _Made | None = None
    made: _Made | None = None
    """Of this round, since its brief."""
    delivered: _Made | None = None
    """Of rounds that were done."""
    done: bool = False
    failed: bool = False
    """Whether a review found fault with the code that stands, or came to no verdict."""


CODE: Final = frozenset(
    {*REVIEWS, *(step for step, made in RESULT_OF.items() if made is e.ImplementationCompleted)}
)
"""Steps whose results a failed review is about."""
TALK: Final = frozenset({*GATE_OF, Step.CONVERSE})
"""Steps that nobody waits for once a document is approved."""
DECIDING: Final = (
    e.StepStarted,
    e.VerdictReached,
    e.BriefConfirmed,
    e.BriefRevised,
    e.FeatureRetried,
    e.FeatureReplayed,
    e.FeatureRenamed,
    e.FeatureDeleted,
    e.WorkStopped,
    e.RewriteRequested,
    e.MendingStarted,
    e.StepAbandoned,
    e.FeatureFailed,
    *APPROVED_AT,
)
"""Events that say nothing of what was used, and decide about causes all the same."""


def blame(code: str) -> SpendingCause:
    """Whose doing a failed attempt was."""
    if code in BY_US:
        return SpendingCause.OURS
    return SpendingCause.PROVIDER if code in BY_THE_PROVIDER else SpendingCause.FAILED_CHECK


class Causes:
    """The causes of one feature's runs, folded from its events in order."""

    def __init__(self) -> None:
        """Nothing was spent yet."""
        self._now = _Standing()
        self._then: list[tuple[int, _Standing]] = []
        """What stood from each version on that changed it."""
        self._running: dict[str, Attempt] = {}
        self._ended: dict[str, SpendingCause] = {}
        """Of attempts that are over: why whatever else they used was for nothing."""
        self._causes: dict[int, SpendingCause] = {}
        """By version; of results, what it was when they last went out of use."""
        self._lasting: set[int] = set()
        self._failure = SpendingCause.FAILED_CHECK
        self.deleted = False
        """Whether the feature was deleted."""

    def add(self, version: int, kind: type[e.FeatureEvent], told: ClearPart) -> None:
        """Take in an event: of those that say what was used, and of `DECIDING`."""
        attempt = told.attempt
        if attempt is not None and kind is e.StepStarted:
            self._running[attempt.name] = attempt
        elif attempt is not None:
            self._spent(version, kind, told, attempt)
        else:
            self._decided(kind, told)
        if not self._then or self._then[-1][1] is not self._now:
            self._then.append((version, self._now))

    def causes(self) -> Mapping[int, SpendingCause]:
        """The cause of what each event says was used, by its version, as things stand now."""
        now = self._now
        standing = {made.version for one in now[:3] for made in _all(one)} | self._lasting
        use = SpendingCause.CHANGED if self.deleted else SpendingCause.IN_USE
        return {v: use if v in standing else cause for v, cause in self._causes.items()}

    def _spent(
        self, version: int, kind: type[e.FeatureEvent], told: ClearPart, attempt: Attempt
    ) -> None:
        self._running.pop(attempt.name, None)
        if kind is e.AttemptFailed:
            self._causes[version] = self._ended[attempt.name] = blame(told.code)
        elif kind is e.RunDiscarded:
            known = self._ended.get(attempt.name)
            late = SpendingCause.OURS if told.code in BY_US else SpendingCause.CHANGED
            self._causes[version] = known or late
        elif kind in RESULTS:
            self._ended[attempt.name] = SpendingCause.OURS  # Whatever else comes of it came twice.
            self._causes[version] = SpendingCause.CHANGED
            self._stands(version, attempt.step)

    def _stands(self, version: int, step: Step) -> None:
        now = self._now
        if step is Step.TITLE:
            self._lasting.add(version)
        elif step is Step.CONVERSE:
            self._now = now._replace(talk=_Made(version, step, now.talk))
        else:
            failed = now.failed and step not in CODE
            self._now = now._replace(made=_Made(version, step, now.made), failed=failed)

    def _decided(self, kind: type[e.FeatureEvent], told: ClearPart) -> None:
        now = self._now
        if kind is e.VerdictReached:
            passed = told.verdict is Verdict.PASS
            self._now = now._replace(done=passed, failed=not passed)
        elif kind is e.BriefConfirmed or kind is e.BriefRevised:
            self._cut(SpendingCause.CHANGED)
            kept = _with(now.delivered, now.made) if now.done else now.delivered
            self._goes_on(_Standing(now.talk, None, kept), SpendingCause.CHANGED)
        elif kind is e.FeatureReplayed:
            self._cut(SpendingCause.CHANGED)
            self._goes_on(self._at(told.to_version), SpendingCause.CHANGED)
        elif kind is e.FeatureRetried:
            self._retried(told)
        elif kind is e.RewriteRequested and told.gate is not None:
            self._cut(SpendingCause.CHANGED)
            kept = _until(now.made, Step(told.gate.value))
            self._goes_on(now._replace(made=kept), SpendingCause.CHANGED)
        elif kind is e.MendingStarted:
            kept = _without(now.made, CODE)
            begun = now._replace(made=kept, done=False, failed=False)
            self._goes_on(begun, SpendingCause.FAILED_REVIEW)
        elif kind is e.FeatureFailed:
            self._failure = blame(told.code)
            self._cut(self._failure)
        elif kind is e.StepAbandoned:
            self._cut(blame(told.code), told.step)
        else:
            self._cut_by_a_person(kind)

    def _cut_by_a_person(self, kind: type[e.FeatureEvent]) -> None:
        if kind is e.WorkStopped:
            self._cut(SpendingCause.STOPPED)
        elif kind is e.FeatureRenamed:
            self._cut(SpendingCause.CHANGED, Step.TITLE)
        elif kind is e.FeatureDeleted:
            self.deleted = True
            self._cut(SpendingCause.CHANGED)
        elif kind in APPROVED_AT:
            self._cut(SpendingCause.CHANGED, *TALK)

    def _retried(self, told: ClearPart) -> None:
        """Back to a checkpoint; the conversation stays, and so do reviews that passed."""
        now, then = self._now, self._at(told.to_version)
        kept = told.restored or Restored()
        named = {one.version for one in (kept.security_review, kept.code_review) if one}
        made = then.made
        for one in reversed([*_all(now.made)]):
            if one.version in named - {known.version for known in _all(made)}:
                made = _Made(one.version, one.step, made)
        self._cut(self._failure)
        self._goes_on(now._replace(made=made, done=False, failed=False), self._failure)

    def _at(self, version: int) -> _Standing:
        place = bisect_right(self._then, version, key=itemgetter(0))
        return self._then[place - 1][1] if place else _Standing()

    def _cut(self, cause: SpendingCause, *steps: Step | None) -> None:
        """Nobody waits any more for what runs: all of it, or that of some steps."""
        for name, attempt in list(self._running.items()):
            if not steps or attempt.step in steps:
                self._ended[name] = cause
                del self._running[name]

    def _goes_on(self, after: _Standing, cause: SpendingCause) -> None:
        """Something else stands from here on; what does not any more has a cause."""
        now, self._now = self._now, after
        kept = {made.version for one in after[:3] for made in _all(one)}
        for one in (now.talk, now.made, now.delivered):
            for made in _all(one):
                if made.version not in kept:
                    failed = now.failed and made.step in CODE
                    self._causes[made.version] = SpendingCause.FAILED_REVIEW if failed else cause


def _all(made: _Made | None) -> Iterator[_Made]:
    while made is not None:
        yield made
        made = made.before


def _until(made: _Made | None, step: Step) -> _Made | None:
    """What stood before the last result of a step."""
    last = next((one for one in _all(made) if one.step is step), None)
    return last.before if last else made


def _without(made: _Made | None, steps: Collection[Step]) -> _Made | None:
    kept: _Made | None = None
    for one in reversed([*_all(made)]):
        if one.step not in steps:
            kept = _Made(one.version, one.step, kept)
    return kept


def _with(delivered: _Made | None, made: _Made | None) -> _Made | None:
    for one in reversed([*_all(made)]):
        delivered = _Made(one.version, one.step, delivered)
    return delivered
