"""NATS: it wakes and spreads, and whatever it loses is made again from the log.

Invariant: nothing here is the only holder of anything. Messages carry ids, never content.
"""

from infrastructure.jetstream.bell import Bell
from infrastructure.jetstream.delivery import DeadLetters
from infrastructure.jetstream.fanout import Fanout
from infrastructure.jetstream.link import Link, NatsRefused
from infrastructure.jetstream.live import NatsLive
from infrastructure.jetstream.reconciler import Positions, Reconciler
from infrastructure.jetstream.relay import Relay

__all__ = [
    "Bell",
    "DeadLetters",
    "Fanout",
    "Link",
    "NatsLive",
    "NatsRefused",
    "Positions",
    "Reconciler",
    "Relay",
]
