"""What a message says about an event: ids and its type, never content.

Invariant: every part of a subject is a UUID or an event's tag, so that no name can widen it. Every
event can be announced, whatever a later version calls it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, get_args
from uuid import UUID

import msgspec

from application.due_steps import task_id_of
from application.ports import DueStep
from domain import events as e
from domain.events import tag_of
from domain.pipeline import AGENT_OF, DUE_AFTER
from domain.status import Agent, Step


class Header(Protocol):
    """An event of the log without its content."""

    @property
    def position(self) -> int: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def feature_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def correlation_id(self) -> UUID: ...
    @property
    def resume(self) -> Sequence[str]:
        """The steps that a retry or a replay makes due; empty for every other event."""


class Headers(Protocol):
    """The log as those read it who only spread the word."""

    async def after(self, position: int, limit: int) -> Sequence[Header]:
        """The next events in order, behind the high-water mark: none is ever skipped.

        Raises:
            Unavailable: the database does not answer.
        """


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The message: a header, as JSON."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    correlation_id: UUID
    resume: tuple[str, ...] = ()


class UnknownType(ValueError):
    """The message announces a type of event that makes nothing due."""


RESUMING: Final = frozenset(
    tag_of(event)
    for event in (
        e.FeatureRetried,
        e.FeatureReplayed,
        e.FeatureForked,
        e.WorkResumed,
        e.RewriteRequested,
    )
)
DUE_AFTER_TAG: Final[Mapping[str, tuple[Step, ...]]] = {
    tag_of(event): steps for event, steps in DUE_AFTER.items()
}
TAG: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
NO_TAG: Final = "-"
"""Stands in a subject for a type that no tag of this version could be."""
LONGEST_TYPE: Final = 200
"""Characters of a type that a message tells: the server bounds what it takes."""
TAGS: Final = frozenset(tag_of(event) for event in get_args(e.FeatureEvent))


def tags_for(agent: Agent) -> tuple[str, ...]:
    """The events that can make work for an agent, sorted."""
    due = {
        tag
        for tag, steps in DUE_AFTER_TAG.items()
        if any(AGENT_OF[step] is agent for step in steps)
    }
    return tuple(sorted(due | RESUMING))


def due_steps(header: Header, agent: Agent | None = None) -> list[DueStep]:
    """The steps that an event makes due, for one agent or for all.

    Raises:
        UnknownType: `type` is no event's tag.
        ValueError: `resume` holds what is no step.
    """
    if header.type not in TAGS:
        raise UnknownType(f"no event has the type {header.type[:60]!r}")
    steps = (
        tuple(Step(step) for step in header.resume)
        if header.type in RESUMING
        else DUE_AFTER_TAG.get(header.type, ())
    )
    return [
        DueStep(
            task_id=task_id_of(header.event_id, step),
            tenant_id=header.tenant_id,
            feature_id=header.feature_id,
            step=step,
            event_id=header.event_id,
            version=header.version,
            correlation_id=header.correlation_id,
        )
        for step in steps
        if agent is None or AGENT_OF[step] is agent
    ]


def subject_of(header: Header) -> str:
    """Where an event is announced. Its type may be one that only a later version knows."""
    tag = header.type if TAG.fullmatch(header.type) else NO_TAG
    return f"evt.{header.tenant_id}.{tag}.{header.feature_id}"


def encode(header: Header) -> bytes:
    """The message for an event."""
    return msgspec.json.encode(
        Announcement(
            position=header.position,
            tenant_id=header.tenant_id,
            feature_id=header.feature_id,
            version=header.version,
            event_id=header.event_id,
            type=header.type[:LONGEST_TYPE],
            correlation_id=header.correlation_id,
            resume=tuple(str(step) for step in header.resume),
        )
    )


def decode(body: bytes) -> Announcement:
    """Read a message.

    Raises:
        msgspec.MsgspecError: it is no announcement.
    """
    return msgspec.json.decode(body, type=Announcement)
