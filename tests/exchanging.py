"""The exchange of refresh tokens in memory, for the fakes: what `app.session_exchange` does."""

from collections.abc import Container
from uuid import UUID

from msgspec.structs import replace

from infrastructure.identity.refresh import RefreshRecord


def exchange(
    tokens: dict[bytes, RefreshRecord],
    replaces: dict[bytes, bytes],
    ended: Container[UUID],
    used: RefreshRecord,
    successor: RefreshRecord,
) -> bool:
    """Exchange `used` for `successor` in these tokens, or do nothing and say False."""
    stored, now = tokens[used.token_sha256], successor.issued_at
    if stored.family_id in ended:
        return False
    if stored.used_at is None:
        before = replaces.get(stored.token_sha256)
        beside = [name for name, replaced in replaces.items() if replaced == before]
        for name in {stored.token_sha256, *(beside if before else ())}:
            tokens[name] = replace(tokens[name], used_at=tokens[name].used_at or now)
    else:
        given = [name for name, replaced in replaces.items() if replaced == used.token_sha256]
        if not given or any(tokens[name].used_at for name in given):
            return False
    tokens[successor.token_sha256] = successor
    replaces[successor.token_sha256] = used.token_sha256
    return True
