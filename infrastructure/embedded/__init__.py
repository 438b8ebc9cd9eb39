"""PostgreSQL and NATS out of wheels, run beside this process: one command is enough to start.

Meant for trial, development and tests; in production both come from settings.
"""

from infrastructure.embedded.errors import StackError
from infrastructure.embedded.stack import Stack

__all__ = ["Stack", "StackError"]
