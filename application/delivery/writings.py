"""Which recordings wrote a feature's files, and which earlier files each of them went on from.

Invariant: a pure function of the log. A file is followed by its hash and its path alone; a result
that was recorded again is the recording that it repeats.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from domain import events as e
from domain.content import Content, sha256_of
from domain.feature import Feature, evolve
from domain.recorded import Recorded
from domain.status import Agent


class Writing(Struct, frozen=True, omit_defaults=True):
    """A recording of files: what an attempt handed over, or left behind when it failed."""

    version: int
    """Of its event."""
    event_id: UUID
    at: datetime
    by: str
    """`agent:<name>`, or `user:<id>`."""
    round: int
    attempt: str = ""
    """As `implement:2`; empty where a person wrote."""
    model: str = ""
    """That answered; empty where the log does not say, as of what a fork brought along."""
    carried: bool = False
    """Whether a fork brought it along; it happened in the feature it descends from."""
    files: Mapping[str, str] = {}
    """The SHA-256 of each file by its path."""
    elsewhere: Mapping[str, int] = {}
    """Paths whose texts another recording wrote, with its version: the frozen tests."""
    bases: tuple[int, ...] = ()
    """Recordings whose files stood when it was written, by version; the first that has a path
    counts."""
    same_as: int | None = None
    """The recording that this one repeats."""
    brief: int | None = None
    spec: int | None = None
    plan: int | None = None


class Writings(Struct, frozen=True):
    """All recordings of files up to a moment."""

    by_version: dict[int, Writing] = {}
    """By version."""
    stored: dict[str, e.FileWritten] = {}
    """Where the bytes of each hash are."""
    texts: dict[str, str] = {}
    """Texts that stand in the log itself, by their hash: the tests."""
    ids: dict[int, UUID] = {}
    """Of the events that recordings name, by version."""

    def holder(self, version: int, path: str) -> Writing | None:
        """The recording that wrote a file as it stood at a recording; None if it had none."""
        writing = self.by_version.get(version)
        while writing is not None:
            if path in writing.files:
                return writing
            earlier = writing.elsewhere.get(path, writing.same_as)
            writing = self.by_version.get(earlier) if earlier is not None else None
        return None

    def chain(self, version: int, path: str) -> Iterator[Writing]:
        """The recordings that changed a file, the last first, as it stands at a recording."""
        writing = self.holder(version, path)
        while writing is not None:
            held = (self.holder(base, path) for base in writing.bases)
            before = next((one for one in held if one is not None), None)
            if before is None or before.files[path] != writing.files[path]:
                yield writing
            writing = before

    def wanted(self, version: int, paths: Sequence[str]) -> dict[str, e.FileWritten]:
        """The stored files, by hash, whose texts tell who wrote the lines of these paths."""
        hashes = {one.files[path] for path in paths for one in self.chain(version, path)}
        return {sha256: self.stored[sha256] for sha256 in hashes if sha256 in self.stored}


def writings_of(events: tuple[Recorded, ...]) -> Writings:
    """All that was written in these events, which are a feature's first ones."""
    writings = Writings()
    feature = Feature()
    models: dict[str, str] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, e.StepStarted):
            models[event.attempt.name] = event.manifest.model
        writing = _writing(recorded, feature.content, models, writings)
        if writing is not None:
            writings.by_version[recorded.version] = writing
        if isinstance(
            e.told(event), e.BriefConfirmed | e.BriefRevised | e.SpecWritten | e.PlanWritten
        ):
            writings.ids[recorded.version] = recorded.event_id
        feature = evolve(feature, event)
    return writings


def _writing(
    recorded: Recorded, content: Content, models: Mapping[str, str], writings: Writings
) -> Writing | None:
    told = e.told(recorded.event)
    repeats: int | None = None
    elsewhere: dict[str, int] = {}
    bases: tuple[int, ...]
    match told:
        case e.TestsGenerated(document=document) | e.TestsEdited(document=document):
            repeats = getattr(told, "reused_from", None)
            files = {file.path: sha256_of(file.content) for file in document.files}
            writings.texts.update(
                {sha256_of(file.content): file.content for file in document.files}
            )
            before = content.tests.version if content.tests else content.previous_tests
            bases = () if before is None else (before,)
        case e.ImplementationCompleted() | e.AttemptFailed() | e.RunDiscarded() if told.files:
            repeats = getattr(told, "reused_from", None)
            writings.stored.update({file.sha256: file for file in told.files})
            frozen = content.tests.version if content.tests else None
            elsewhere = {
                file.path: frozen
                for file in told.files
                if frozen is not None
                and file.by is Agent.CONTRACT_TEST
                and (held := writings.holder(frozen, file.path)) is not None
                and held.files[file.path] == file.sha256
            }
            files = {f.path: f.sha256 for f in told.files if f.path not in elsewhere}
            bases = _went_on_from(content)
        case _:
            return None
    carried = recorded.event if isinstance(recorded.event, e.PartCarried) else None
    attempt = getattr(told, "attempt", None)
    name = attempt.name if attempt else ""
    if repeats is not None and repeats in writings.by_version and not carried:
        files, elsewhere = {}, {}
    else:
        repeats = None
    return Writing(
        version=recorded.version,
        event_id=recorded.event_id,
        at=carried.at if carried else recorded.recorded_at,
        by=carried.by if carried else recorded.actor,
        round=content.round,
        attempt=name,
        model="" if carried else models.get(name, ""),
        carried=carried is not None,
        files=files,
        elsewhere=elsewhere,
        bases=tuple(base for base in bases if base in writings.by_version),
        same_as=repeats,
        brief=content.brief.version if content.brief else None,
        spec=content.spec.version if content.spec else None,
        plan=content.plan.version if content.plan else None,
    )


def _went_on_from(content: Content) -> tuple[int, ...]:
    """The files that stood when code was written, those written last first."""
    before = content.rework.implementation if content.rework else content.base
    return tuple(version for version in (content.accepted, before) if version is not None)
