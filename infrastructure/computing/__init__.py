"""Computes over people's texts in processes of its own, which can be ended.

A pattern, a parser or a fold that takes too long holds Python's one lock, so that no thread of the
same process could go on or stop it. Another process can be killed, and costs nobody else anything.
"""

from infrastructure.computing.pool import Pool

__all__ = ["Pool"]
