"""Finished tasks, kept for a while and then removed: the queue stays as small as what is recent.

Invariant: a task is kept for longer than any message that could have it made again.
"""

from typing import Final

from infrastructure.nats.stream import DEFAULT_LIMITS
from infrastructure.postgres.database import Database

AT_ONCE: Final = 1_000
"""Rows of one sweep: enough to keep up, few enough to hold no lock for long."""
LEAST_DAYS: Final = DEFAULT_LIMITS.max_age_seconds / 86_400 + 1
"""A consumer that is made anew begins with the stream's oldest message, and would make old steps
again: superseded, and dropped without a request, but for nothing."""

FORGET: Final = """
WITH old AS (
  SELECT task_id FROM app.tasks
  WHERE status IN ('done', 'failed', 'cancelled')
    AND finished_at <= clock_timestamp() - make_interval(secs => %s)
  ORDER BY finished_at LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM app.tasks t USING old WHERE t.task_id = old.task_id
"""


class FinishedTasks:
    """Finished tasks of all tenants, for the sweeper. Raises Unavailable."""

    def __init__(self, database: Database, keep_days: float) -> None:
        """Take the sweeper's database, and for how many days a finished task is kept."""
        self._database = database
        self._keep_seconds = keep_days * 86_400

    async def forget_old(self) -> int:
        """Remove some of those past their time, oldest first; how many."""
        async with self._database.system() as connection:
            return (await connection.execute(FORGET, (self._keep_seconds, AT_ONCE))).rowcount
