"""An event as read models see it: what happened, to whom, when and by whom.

It carries the log's own words, so that a row never needs anything but facts and its former self.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from domain.events import FeatureEvent


class Fact(Struct, frozen=True):
    """One event of one feature."""

    event: FeatureEvent
    version: int
    """Place in the feature's stream: 1, 2, 3, …"""
    position: int
    """Place in the whole log. Grows, with holes."""
    tenant_id: UUID
    feature_id: UUID
    event_id: UUID
    actor: str
    """`user:<uuid>`, `agent:<name>` or `system:<process>`."""
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None = None
