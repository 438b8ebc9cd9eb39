"""The names of stored files: tenant, feature and content hash, and nothing an agent wrote."""

from uuid import UUID


def artifact_key(tenant_id: UUID, feature_id: UUID, sha256: str) -> str:
    """The key of a file: its owner, its feature and the SHA-256 of its bytes, in hex."""
    return f"{artifact_prefix(tenant_id, feature_id)}{sha256}"


def artifact_prefix(tenant_id: UUID, feature_id: UUID) -> str:
    """The prefix of all files of one feature."""
    return f"{tenant_id}/{feature_id}/"
