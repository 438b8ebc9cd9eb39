"""The truth in PostgreSQL, through the `eventsourcing` library with our own recorder and mapper.

Invariant: what is acknowledged is stored, once, in order, chained; what is stored is never changed.
"""

from infrastructure.event_log.chain import ChainBroken, event_hash, verify_chain
from infrastructure.event_log.followed import HeaderPage, SealedEvent, StoredHeader, UnreadableEvent
from infrastructure.event_log.log import PostgresEventLog
from infrastructure.event_log.reader import LogReader
from infrastructure.event_log.registry import REGISTRY, Registry, UnknownEvent
from infrastructure.event_log.stored import KeyDestroyed

__all__ = [
    "REGISTRY",
    "ChainBroken",
    "HeaderPage",
    "KeyDestroyed",
    "LogReader",
    "PostgresEventLog",
    "Registry",
    "SealedEvent",
    "StoredHeader",
    "UnknownEvent",
    "UnreadableEvent",
    "event_hash",
    "verify_chain",
]
