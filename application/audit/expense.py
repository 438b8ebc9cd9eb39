"""What one attempt used, what became of it and why, as the log tells it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from application.audit.waste import SpendingCause
from domain.runs import Run


class Fate(StrEnum):
    """What became of what an attempt brought."""

    COUNTS = "counts"
    """It is part of what stands now."""
    FAILED = "failed"
    """The attempt brought no result."""
    DISCARDED = "discarded"
    """The answer came too late."""
    OURS = "ours"
    """A restart or a loss of ours cut it off; another attempt went on."""
    REPLACED = "replaced"
    """A revision, a retry or a replay put something else in its place."""
    DELETED = "deleted"
    """Its feature was deleted."""
    UNREAD = "unread"
    """A newer version of this program wrote it: what it used is counted once that runs here."""


class Expense(Struct, frozen=True):
    """What one attempt used."""

    feature_id: UUID
    agent: str
    model: str
    at: datetime
    """When it was recorded."""
    run: Run
    fate: Fate
    prices: str = ""
    """Version of the table that it was priced by; `UNPRICED` if that did not know the model; empty
    where the log does not say it."""
    cause: SpendingCause = SpendingCause.IN_USE
    """Why it was paid, as things stand now."""
