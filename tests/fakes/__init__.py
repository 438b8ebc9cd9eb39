"""In-memory adapters that pass the same contract tests as the real ones, one module a port.

Invariant: whatever a contract test asserts, holds here too; where the real one reads the database's
clock, these read one that a test may turn.
"""

from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import Clock
from tests.fakes.ledger import MemoryLedger
from tests.fakes.log import MemoryLog
from tests.fakes.receipts import MemoryReceipts
from tests.fakes.tasks import MemoryTasks, Task

__all__ = [
    "Clock",
    "MemoryArtifacts",
    "MemoryLedger",
    "MemoryLog",
    "MemoryReceipts",
    "MemoryTasks",
    "Task",
]
