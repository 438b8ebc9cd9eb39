"""What a fork brings along from its parent: the facts of one checkpoint, and no approval.

A fork of the brief only begins a similar feature: the brief can be changed before it is confirmed.

Invariant: a fork stands at the last gate whose deliverable the checkpoint has, with every approval
still to be given; until a person gives them, no step that is paid for starts but missing advice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from msgspec.structs import replace

from domain import events as e
from domain.commands import UNTITLED, ForkFeature
from domain.content import Content, Deliverable
from domain.errors import NoSuchCheckpoint, NotFound, NotNow
from domain.feature import Feature
from domain.lifecycle import DOCUMENTS
from domain.pipeline import ADVICE_AT, REVIEWS
from domain.recorded import Recorded
from domain.status import Gate, Part, Status


def fork_of(
    command: ForkFeature,
    parent_id: UUID,
    parent: Feature,
    history: Sequence[Recorded],
    parent_hash: str,
) -> tuple[e.FeatureEvent, ...]:
    """The events that begin a fork.

    Args:
        command: From where, and under what title.
        parent_id: Whose fork it is.
        parent: As it is now.
        history: All of the parent's events up to the checkpoint.
        parent_hash: The hash, in hex, of the event at the checkpoint.

    Raises:
        NotFound: there is no such parent.
        NoSuchCheckpoint: the version is no checkpoint of it.
    """
    if parent.status is None or parent.status is Status.DELETED:
        raise NotFound
    target = parent.checkpoint_at(command.version)
    if target is None:
        raise NoSuchCheckpoint
    content = _brief_of(target.content) if command.brief_only else target.content
    told = {each.version: each for each in history}
    parts = sorted(_documents(content))
    if not command.brief_only:
        parts = sorted([*parts, *_conversation(content, history), *_carried_before(history)])
    carried = [_carried(part, told[version], parent_id) for version, part in parts]
    gate = gate_of(content)
    advised = content.advice is not None and content.advice.gate is gate
    title, named = _title(history)
    return (
        e.FeatureForked(
            title=command.title or title,
            parent=parent_id,
            parent_version=command.version,
            parent_hash=parent_hash,
            epoch=1 if content.brief else 0,
            parts=len(carried),
            titled=named or command.title is not None,
            resume=() if gate is None or advised else (ADVICE_AT[DOCUMENTS[gate].status],),
        ),
        *carried,
    )


def _brief_of(content: Content) -> Content:
    """Nothing but the brief. Raises NotNow: there is none yet."""
    if content.brief is None:
        raise NotNow("There is no confirmed brief yet to begin a similar feature with.")
    return Content(brief=content.brief, mode=content.mode)


def gate_of(content: Content) -> Gate | None:
    """The last gate whose deliverable is there: where a fork of this content stands."""
    return next((gate for gate in reversed(Gate) if content.deliverable(gate)), None)


def _conversation(content: Content, history: Iterable[Recorded]) -> Iterator[tuple[int, Part]]:
    for each in history:
        if content.shows(each.version) and isinstance(
            e.told(each.event), e.MessagePosted | e.AgentReplied
        ):
            yield each.version, Part.MESSAGE


def _documents(content: Content) -> Iterator[tuple[int, Part]]:
    gate, advice, rework = gate_of(content), content.advice, content.rework
    versions: Mapping[Part, int | None] = {
        Part.BRIEF: content.brief.version if content.brief else None,
        Part.ADVICE: advice.version if advice and advice.gate is gate else None,
        Part.PREVIOUS_IMPLEMENTATION: content.base,
        Part.REWORK_IMPLEMENTATION: rework.implementation if rework else None,
        **{Part(each.value): _version(content.deliverable(each)) for each in Gate},
        **{Part(f"previous_{each}"): _before(content, each) for each in Gate},
        **{Part(f"rework_{step}"): rework.review(step) if rework else None for step in REVIEWS},
    }
    yield from ((version, part) for part, version in versions.items() if version is not None)
    for made in (content.implementation, *map(content.review, REVIEWS)):
        if made is not None:
            yield made.version, Part.RESULT


def _before(content: Content, gate: Gate) -> int | None:
    """The version before, unless it still stands while it is written anew."""
    before = content.previous(gate)
    return None if before == _version(content.deliverable(gate)) else before


def _version(made: Deliverable | None) -> int | None:
    return made.version if made else None


def _carried_before(history: Iterable[Recorded]) -> Iterator[tuple[int, Part]]:
    """Results that the parent, itself a fork, brought along beyond its gate."""
    for each in history:
        if isinstance(each.event, e.PartCarried) and each.event.part is Part.RESULT:
            yield each.version, Part.RESULT


def _carried(part: Part, told: Recorded, parent_id: UUID) -> e.PartCarried:
    before = told.event if isinstance(told.event, e.PartCarried) else None
    event = e.told(told.event)
    if isinstance(event, e.ImplementationCompleted):
        files = tuple(replace(f, also_in=(parent_id, *f.also_in)) for f in event.files)
        event = replace(event, files=files)
    return e.PartCarried(
        part=part,
        parent_version=told.version,
        by=before.by if before else told.actor,
        at=before.at if before else told.recorded_at,
        event=event,  # type: ignore[arg-type]  # Content names events that carry words only.
        event_schema_version=event.schema_version,
    )


def _title(history: Iterable[Recorded]) -> tuple[str, bool]:
    """The title at the end of this history, and whether somebody chose it."""
    title, named = UNTITLED, False
    for each in history:
        match each.event:
            case e.FeatureCreated(title=title):
                pass
            case e.FeatureForked(title=title, titled=named):
                pass
            case e.FeatureRenamed(title=title) | e.FeatureTitled(title=title):
                named = True
            case _:
                pass
    return title, named
