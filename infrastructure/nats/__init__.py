"""NATS: it wakes and spreads, and whatever it loses is made again from the log.

Invariant: nothing here is the only holder of anything. Messages carry ids, never content.
"""

from infrastructure.nats.connection import NatsConnection, NatsRefused
from infrastructure.nats.delivery import DeadLetters
from infrastructure.nats.fanout import Fanout
from infrastructure.nats.live import NatsLive
from infrastructure.nats.reconciler import Positions, Reconciler
from infrastructure.nats.relay import Relay
from infrastructure.nats.signals import Signal

__all__ = [
    "DeadLetters",
    "Fanout",
    "NatsConnection",
    "NatsLive",
    "NatsRefused",
    "Positions",
    "Reconciler",
    "Relay",
    "Signal",
]
