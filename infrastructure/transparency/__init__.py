"""Tamper evidence on real servers: the tree, the key, the signed notes, the verifier.

Invariant: what `verify_store` trusts is the public key and the tree heads, never the database.
"""

from infrastructure.transparency.keys import LogKeys
from infrastructure.transparency.note import NoteSigner, NoteVerifier, VerifierKeyInvalid
from infrastructure.transparency.tree import PostgresLogTree
from infrastructure.transparency.verifier import LogReport, Verifier
from infrastructure.transparency.verify import verify_store

__all__ = [
    "LogKeys",
    "LogReport",
    "NoteSigner",
    "NoteVerifier",
    "PostgresLogTree",
    "Verifier",
    "VerifierKeyInvalid",
    "verify_store",
]
