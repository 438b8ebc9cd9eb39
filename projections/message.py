"""What was said? One row a message; its words stand in the event at the row's version.

Which messages are visible is not a row's business but the feature's (`FeatureRow.shows`): so going
back hides and shows messages without touching them.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.recorded import Recorded
from domain.runs import Tokens
from domain.status import Part, Step
from projections.projection import EVERY_ROW, NOTHING, Projection, Touched


class Speaker(StrEnum):
    """Who speaks."""

    USER = "user"
    AGENT = "agent"


class MessageRow(Struct, frozen=True):
    """One message of the conversation."""

    message_id: UUID
    version: int
    role: Speaker
    at: datetime
    by: str
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)
    has_question: bool = False
    has_brief: bool = False
    error: str | None = None
    """Why there is no answer: a code. The reason's words stand in the event at `version`."""


def item_of(version: int) -> str:
    """The row's item: versions in an order that text sorts by."""
    return f"{version:08d}"


def touched(fact: Recorded) -> Touched:
    """Its own row; deleting touches every row."""
    match fact.event:
        case (
            e.MessagePosted()
            | e.AgentReplied()
            | e.StepAbandoned(step=Step.CONVERSE)
            | e.PartCarried(part=Part.MESSAGE)
        ):
            return Touched(item_of(fact.version))
        case e.FeatureDeleted():
            return EVERY_ROW
        case _:
            return NOTHING


def evolve(row: MessageRow | None, fact: Recorded) -> MessageRow | None:
    """The row after a fact: a message never changes."""
    if row is not None:
        return None if isinstance(fact.event, e.FeatureDeleted) else row
    version, at, by = fact.version, fact.recorded_at, fact.actor
    if isinstance(fact.event, e.PartCarried):
        carried = replace(
            fact, event=fact.event.event, recorded_at=fact.event.at, actor=fact.event.by
        )
        message = evolve(None, carried)
        return replace(message, tokens=Tokens(), cost_usd=Decimal(0)) if message else None
    match fact.event:
        case e.MessagePosted(message_id=message_id):
            return MessageRow(message_id, version, Speaker.USER, at, by)
        case e.AgentReplied(message_id=message_id, run=run) as said:
            return MessageRow(
                message_id,
                version,
                Speaker.AGENT,
                at,
                by,
                run.tokens,
                run.cost_usd,
                has_question=said.question is not None,
                has_brief=said.brief is not None or said.brief_markdown is not None,
            )
        case e.StepAbandoned(step=Step.CONVERSE, code=code):
            return MessageRow(fact.event_id, version, Speaker.AGENT, at, by, error=code)
        case _:
            return None


MESSAGE = Projection("message", MessageRow, touched, evolve)
