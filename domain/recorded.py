"""An event as it stands in the log: what happened, to which feature, when, and by whom.

Everything that goes by events takes them in this form: use cases, read models, forks.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from domain.events import FeatureEvent


class Recorded(Struct, frozen=True):
    """An event as it stands in the log."""

    position: int
    """Place in the whole log. Grows, with holes."""
    tenant_id: UUID
    feature_id: UUID
    version: int
    """Place in the feature's stream: 1, 2, 3, …"""
    event_id: UUID
    type: str
    """The tag under which it is stored."""
    schema_version: int
    event: FeatureEvent
    actor: str
    """`user:<uuid>`, `agent:<name>` or `system:<process>`."""
    correlation_id: UUID
    causation_id: UUID | None
    recorded_at: datetime
    """By the database's clock, never decreasing inside a stream."""
    hash: bytes
    previous_hash: bytes
