"""Accounts, sessions and the mail to them, in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from application.identity.account_ports import EVER, Account
from infrastructure.identity.refresh import RefreshRecord
from infrastructure.identity.tokens import TokenIssuer

KNOWN_NETWORKS = 20
"""Of each account the newest; as many as `app.know_network` keeps."""


class MemoryAccounts:
    """The port `AccountStore`, and the rows of its sessions."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.resets: dict[bytes, tuple[UUID, datetime]] = {}
        """Those that were not used."""
        self.tokens: dict[bytes, RefreshRecord] = {}
        self.ended: dict[UUID, datetime] = {}
        self.replaces: dict[bytes, bytes] = {}
        """What each token was given in exchange for."""
        self.networks: dict[tuple[UUID, bytes], datetime] = {}
        """When each was last seen."""

    async def add(self, account: Account) -> bool:
        if self.of_user(account.user_id) or account.email in self.accounts:
            return False
        self.accounts[account.email] = account
        return True

    async def find(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        found = self.accounts.get(email)
        if found is None:
            return None
        knows = any((found.user_id, network) in self.networks for network in networks)
        return replace(found, is_network_known=knows)

    async def know(self, user_id: UUID, network: bytes, at: datetime) -> None:
        seen = self.networks.get((user_id, network), at)
        self.networks[user_id, network] = max(seen, at)
        known = [name for name in self.networks if name[0] == user_id]
        for name in sorted(known, key=self.networks.__getitem__)[:-KNOWN_NETWORKS]:
            del self.networks[name]

    async def rehash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        account = self.of_user(user_id)
        if account and account.password_hash == old_hash:
            self.accounts[account.email] = replace(account, password_hash=new_hash)

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        self.resets[token_sha256] = (account.user_id, expires_at)

    async def reset_of(self, token_sha256: bytes, at: datetime) -> str | None:
        account = self._resettable(token_sha256, at)
        return account and account.email

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        account = self._resettable(token_sha256, at)
        if account is None:
            return None
        since = max(at, account.sessions_valid_from + timedelta(microseconds=1))
        self.accounts[account.email] = replace(
            account, password_hash=password_hash, sessions_valid_from=since
        )
        mine = account.user_id
        self.resets = {name: reset for name, reset in self.resets.items() if reset[0] != mine}
        self.networks = {name: seen for name, seen in self.networks.items() if name[0] != mine}
        self.end_user(mine, at)
        return mine

    def of_user(self, user_id: UUID) -> Account | None:
        return next((a for a in self.accounts.values() if a.user_id == user_id), None)

    def end_user(self, user_id: UUID, at: datetime) -> None:
        for record in self.tokens.values():
            if record.user_id == user_id:
                self.ended.setdefault(record.family_id, at)

    def _resettable(self, token_sha256: bytes, at: datetime) -> Account | None:
        user_id, expires_at = self.resets.get(token_sha256, (None, at))
        return self.of_user(user_id) if user_id and expires_at > at else None


class MemorySessions:
    """The port `RefreshStore` beside the accounts."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._all = accounts

    async def start(self, first: RefreshRecord, valid_from: datetime = EVER) -> bool:
        account = self._all.of_user(first.user_id)
        if account is None or account.tenant_id != first.tenant_id:
            return False
        if account.sessions_valid_from != valid_from:
            return False
        self._all.tokens[first.token_sha256] = first
        return True

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        found = self._all.tokens.get(token_sha256)
        return found and replace(found, family_ended_at=self._all.ended.get(found.family_id))

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        tokens, replaces = self._all.tokens, self._all.replaces
        stored, now = tokens.get(used.token_sha256), successor.issued_at
        if stored is None or stored.family_id in self._all.ended:
            return False
        if stored.used_at is None:
            before = replaces.get(stored.token_sha256)
            beside = [name for name, replaced in replaces.items() if replaced == before]
            for name in {stored.token_sha256, *beside}:
                tokens[name] = replace(tokens[name], used_at=tokens[name].used_at or now)
        else:
            given = [name for name, replaced in replaces.items() if replaced == used.token_sha256]
            if not given or any(tokens[name].used_at for name in given):
                return False
        tokens[successor.token_sha256] = replace(successor, is_prefixed=True)
        replaces[successor.token_sha256] = used.token_sha256
        return True

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        if any(record.family_id == family_id for record in self._all.tokens.values()):
            self._all.ended.setdefault(family_id, at)

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        self._all.end_user(user_id, at)

    async def ended_since(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        return [(session, at) for session, at in self._all.ended.items() if at >= since]


class Tokens:
    """The port `AccessTokens`."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issue = issuer.issue
        self._issuer = issuer

    async def jwks(self) -> Mapping[str, Any]:
        return self._issuer.jwks()


class Letters:
    """The port `Mail`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, to: str, subject: str, text: str) -> None:
        self.sent.append((to, subject, text))
