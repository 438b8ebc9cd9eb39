"""All read models of the service. What is not listed here is neither folded nor rebuilt."""

from typing import Any, Final

from projections.dashboard import DASHBOARD
from projections.feature import FEATURE
from projections.message import MESSAGE
from projections.projection import Projection
from projections.run import RUN

PROJECTIONS: Final[tuple[Projection[Any], ...]] = (DASHBOARD, FEATURE, MESSAGE, RUN)

RETIRED: Final = ("file", "in_progress")
"""Read models of earlier versions that nobody read: what is stored of them counts for nothing, and
is removed. Their names are never given to another one."""
