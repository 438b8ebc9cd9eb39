"""Tamper evidence for the whole log: a Merkle tree over all events, and signed heads of it.

Invariant: a tree head of n events stands for exactly the first n events in the order of their
positions; nothing here knows a database, a key or an event.
"""

from application.transparency.proofs import (
    MerkleTree,
    verify_consistency,
    verify_inclusion,
)
from application.transparency.tree import EMPTY_ROOT, CompactRange, event_leaf, leaf_hash, node_hash
from application.transparency.tree_head import NotATreeHead, SignedTreeHead

__all__ = [
    "EMPTY_ROOT",
    "CompactRange",
    "MerkleTree",
    "NotATreeHead",
    "SignedTreeHead",
    "event_leaf",
    "leaf_hash",
    "node_hash",
    "verify_consistency",
    "verify_inclusion",
]
