"""All read models of the service. What is not listed here is neither folded nor rebuilt."""

from typing import Any, Final

from projections.dashboard import DASHBOARD
from projections.feature import FEATURE
from projections.file import FILE
from projections.in_progress import IN_PROGRESS
from projections.message import MESSAGE
from projections.projection import Projection
from projections.run import RUN

PROJECTIONS: Final[tuple[Projection[Any], ...]] = (
    DASHBOARD,
    FEATURE,
    MESSAGE,
    FILE,
    RUN,
    IN_PROGRESS,
)
