"""Reads generated code with parsers of others; nothing of it is ever run."""

from infrastructure.inspection.inspector import Inspector

__all__ = ["Inspector"]
