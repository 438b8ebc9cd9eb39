"""Checks of code over what agents hand over, before it becomes an event.

Invariant: a check is a pure function from documents to findings, one plain sentence each, that the
agent and a person can both act on. No findings means that the document may be shown.
"""
