"""Accounts, sessions and the mail to them, in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from application.identity.account_ports import EVER, Account
from infrastructure.identity.refresh import RefreshRecord
from infrastructure.identity.tokens import TokenIssuer
from tests.exchanging import exchange


class MemoryAccounts:
    """The ports `AccountStore` and `RefreshStore`."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.resets: dict[bytes, tuple[UUID, datetime]] = {}
        self.tokens: dict[bytes, RefreshRecord] = {}
        self.ended: dict[UUID, datetime] = {}
        self.replaces: dict[bytes, bytes] = {}
        """What each token was given in exchange for."""
        self.networks: set[tuple[UUID, bytes]] = set()

    async def add(self, account: Account) -> bool:
        return self.accounts.setdefault(account.email, account) is account

    async def find_account(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        found = self.accounts.get(email)
        if found is None:
            return None
        knows = any((found.user_id, network) in self.networks for network in networks)
        return replace(found, is_network_known=knows)

    async def know(self, user_id: UUID, network: bytes, at: datetime) -> None:
        self.networks.add((user_id, network))

    async def rehash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        for email, account in self.accounts.items():
            if account.user_id == user_id and account.password_hash == old_hash:
                self.accounts[email] = replace(account, password_hash=new_hash)

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        self.resets[token_sha256] = (account.user_id, expires_at)

    async def reset_of(self, token_sha256: bytes, at: datetime) -> str | None:
        user_id, expires_at = self.resets.get(token_sha256, (None, at))
        of_user = [a.email for a in self.accounts.values() if a.user_id == user_id]
        return of_user[0] if expires_at > at else None

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        user_id, expires_at = self.resets.pop(token_sha256, (None, at))
        if user_id is None or expires_at <= at:
            return None
        for email, account in self.accounts.items():
            if account.user_id == user_id:
                self.accounts[email] = replace(
                    account, password_hash=password_hash, sessions_valid_from=at
                )
        self.networks = {known for known in self.networks if known[0] != user_id}
        for record in list(self.tokens.values()):
            if record.user_id == user_id:
                self.ended[record.family_id] = at
        return user_id


class MemorySessions:
    """The port `RefreshStore` beside the accounts."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._all = accounts

    async def start(self, first: RefreshRecord, valid_from: datetime = EVER) -> bool:
        mine = [a for a in self._all.accounts.values() if a.user_id == first.user_id]
        if not mine or mine[0].sessions_valid_from != valid_from:
            return False
        self._all.tokens[first.token_sha256] = first
        return True

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        found = self._all.tokens.get(token_sha256)
        return found and replace(found, family_ended_at=self._all.ended.get(found.family_id))

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        return exchange(
            self._all.tokens, self._all.replaces, self._all.ended.keys(), used, successor
        )

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        self._all.ended.setdefault(family_id, at)

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        for record in self._all.tokens.values():
            if record.user_id == user_id:
                self._all.ended.setdefault(record.family_id, at)


class MemoryAccountStore(MemoryAccounts):
    """`AccountStore.find` looks for accounts."""

    async def find(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        return await self.find_account(email, networks)

    async def ended_since(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        return [(session, at) for session, at in self.ended.items() if at >= since]


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
