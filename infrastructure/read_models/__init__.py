"""Read models in PostgreSQL: kept up with the log, rebuilt beside themselves, and read.

Invariant: rows are a function of the log; whatever stands in app.views can be thrown away.
"""

from infrastructure.read_models.parked import ParkedFeature, Retrying, parked, retry_parked
from infrastructure.read_models.projector import Projector
from infrastructure.read_models.rebuild import Rebuilder, RebuildProgress
from infrastructure.read_models.source import PostgresSource
from infrastructure.read_models.status import ProjectionStatus, status
from infrastructure.read_models.store import PostgresReadStore

__all__ = [
    "ParkedFeature",
    "PostgresReadStore",
    "PostgresSource",
    "ProjectionStatus",
    "Projector",
    "RebuildProgress",
    "Rebuilder",
    "Retrying",
    "parked",
    "retry_parked",
    "status",
]
