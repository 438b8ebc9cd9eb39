"""Accounts, sessions, signing keys, API keys and the audit on a real database, as its roles."""

import asyncio
import base64
import email
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import policy
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.accounts import Account, SessionEnded
from application.ports import Claim, DueStep, Origin
from domain.content import sha256_of
from domain.events import BriefConfirmed, FeatureCreated, FeatureDeleted
from domain.pipeline import AGENT_OF
from domain.status import Step
from infrastructure.accounts import PostgresAccounts, PostgresSessions
from infrastructure.api_keys import RevealedApiKeys, SealedApiKeys
from infrastructure.audit import PostgresAudit
from infrastructure.data_keys import DataKeys, KeyRing
from infrastructure.database import Database
from infrastructure.event_log import PostgresEventLog
from infrastructure.identity.refresh import RefreshTokens
from infrastructure.identity.tokens import TokenIssuer
from infrastructure.identity.verify import TokenVerifier
from infrastructure.outbox import OutboxFolder
from infrastructure.sealing import MasterKey
from infrastructure.signing_keys import OwnTokens, SigningKeys
from infrastructure.tasks import PostgresTasks

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MASTER = MasterKey.from_text(MasterKey.generate_text())
CANARY = "sk-ant-canary-0123456789-abcd"


def kid_of(token: str) -> str:
    """The key that a token says it was signed with."""
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


@pytest.fixture
async def api(database: str) -> AsyncIterator[Database]:
    async with Database(database, "bp_api", max_size=4) as opened:
        yield opened


@pytest.fixture
async def worker(database: str) -> AsyncIterator[Database]:
    async with Database(database, "bp_worker", max_size=2) as opened:
        yield opened


def account(address: str = "ann@example.org") -> Account:
    return Account(uuid7(), uuid7(), address, "$argon2id$stored")


async def test_an_address_has_one_account_and_finds_it(api: Database) -> None:
    store, ann = PostgresAccounts(api), account()
    assert await store.add(ann) is True
    assert await store.add(account()) is False
    assert await store.find("ann@example.org") == ann
    assert await store.find("bob@example.org") is None
    assert await store.find("a\x00b") is None
    await store.rehash(ann.user_id, "$argon2id$better")
    found = await store.find(ann.email)
    assert found is not None
    assert found.password_hash == "$argon2id$better"  # noqa: S105 - no password.


async def test_two_sign_ups_at_once_make_one_account(api: Database) -> None:
    store = PostgresAccounts(api)
    made = await asyncio.gather(*(store.add(account()) for _ in range(4)))
    assert sorted(made) == [False, False, False, True]


async def test_a_reset_is_used_once_in_time_and_ends_all_sessions(api: Database) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    session = await sessions.start(ann.user_id, ann.tenant_id)
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    await store.add_reset(ann, first, NOW + timedelta(hours=1))
    await store.add_reset(ann, second, NOW + timedelta(hours=1))
    assert await store.reset(first, "new", NOW + timedelta(hours=2)) is None
    assert await store.reset(first, "new", NOW) == ann.user_id
    assert await store.reset(first, "newer", NOW) is None
    assert await store.reset(second, "newest", NOW) is None
    found = await store.find(ann.email)
    assert found == replace(ann, password_hash="new")  # noqa: S106 - no password.
    with pytest.raises(SessionEnded):
        await sessions.rotate(session.token)


async def test_sessions_rotate_and_of_two_uses_at_once_one_token_is_good(
    api: Database,
) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    first = await sessions.start(ann.user_id, ann.tenant_id)
    second = await sessions.rotate(first.token)
    assert (second.user_id, second.tenant_id) == (ann.user_id, ann.tenant_id)
    both = await asyncio.gather(sessions.rotate(second.token), sessions.rotate(second.token))
    store_of_tokens = PostgresSessions(api)
    found = [await store_of_tokens.find(sha256(one.token.encode()).digest()) for one in both]
    good, superseded = sorted(zip(found, both, strict=True), key=lambda p: p[0].used_at is not None)
    assert (good[0].used_at, superseded[0].used_at) == (None, NOW)
    third = await sessions.rotate(good[1].token)
    with pytest.raises(SessionEnded):
        await sessions.rotate(superseded[1].token)
    with pytest.raises(SessionEnded):
        await sessions.rotate(third.token)


async def test_processes_share_signing_keys_and_a_rotation_refuses_nobody(api: Database) -> None:
    keys, others = SigningKeys(api, MASTER), SigningKeys(api, MASTER)
    mine, theirs = await asyncio.gather(keys.load(), others.load())
    assert [key.kid for key in mine] == [key.kid for key in theirs]
    clock = NOW.timestamp
    issuer = TokenIssuer("https://here", "here", mine, clock)
    now = [0.0]
    verifier = TokenVerifier(
        keys,
        issuer="https://here",
        audience="here",
        foreign=False,
        clock=clock,
        monotonic=lambda: now[0],
    )
    user, tenant = uuid7(), uuid7()
    before = OwnTokens(issuer, keys).issue(user, tenant)
    assert (await verifier.whose(before.token)) is not None
    rotated = await others.rotate()
    loaded = await keys.load()
    assert [key.kid for key in loaded] == [rotated.kid, mine[0].kid]
    tokens = OwnTokens(issuer, keys)
    await tokens.renew()
    after = tokens.issue(user, tenant)
    assert kid_of(after.token) == rotated.kid
    now[0] += 60
    principal = await verifier.whose(after.token)
    assert principal is not None
    assert principal.tenant_id == tenant
    assert (await verifier.whose(before.token)) is not None
    published = (await OwnTokens(issuer, keys).jwks())["keys"]
    assert {key["kid"] for key in published} == {rotated.kid, mine[0].kid}
    assert all("d" not in key for key in published)


async def test_a_key_is_sealed_and_the_api_cannot_read_it_back(
    api: Database, database: str
) -> None:
    vault = SealedApiKeys(api, DataKeys(api, KeyRing(MASTER)))
    ann, bob = uuid7(), uuid7()
    assert (await vault.describe(ann)).configured is False
    await vault.store(ann, CANARY, verified=False)
    await vault.store(ann, CANARY[:-1] + "e", verified=True)
    said = await vault.describe(ann)
    assert (said.configured, said.last4, said.verified) == (True, "abce", True)
    assert said.updated_at is not None
    assert (await vault.describe(bob)).configured is False
    await vault.delete(bob)
    assert (await vault.describe(ann)).configured is True
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with api.tenant(ann) as connection:
            await connection.execute("SELECT sealed FROM app.api_keys")
    with psycopg.connect(database) as superuser:
        row = superuser.execute("SELECT sealed, k::text FROM app.api_keys k").fetchone()
    assert row is not None
    assert b"canary" not in bytes(row[0])
    assert "canary" not in row[1]
    await vault.delete(ann)
    assert (await vault.describe(ann)).configured is False


async def test_only_a_live_lease_of_the_same_tenant_opens_a_key(
    api: Database, worker: Database
) -> None:
    ring = KeyRing(MASTER)
    ann, bob = uuid7(), uuid7()
    await SealedApiKeys(api, DataKeys(api, ring)).store(ann, CANARY, verified=True)
    tasks = PostgresTasks(worker, max_attempts=3, per_tenant=2)
    due = DueStep(uuid7(), ann, uuid7(), Step.SPEC, uuid7(), 1, uuid7())
    await tasks.enqueue([due])
    [claim] = await tasks.claim("w", [AGENT_OF[Step.SPEC]], limit=1, lease_seconds=60)
    assert isinstance(claim, Claim)
    keys = RevealedApiKeys(worker, DataKeys(worker, ring))
    assert await keys.reveal(ann, claim) == CANARY
    assert await keys.reveal(bob, claim) is None
    assert await keys.reveal(ann, replace(claim, fence=claim.fence + 1)) is None
    assert await keys.reveal(ann, replace(claim, task_id=uuid7())) is None
    await tasks.drop(claim.task_id, claim.fence, "cancelled")
    assert await keys.reveal(ann, claim) is None


async def test_the_audit_sees_ones_own_log_and_what_was_done_to_it(
    api: Database, database: str
) -> None:
    ring = KeyRing(MASTER)
    ann, feature = uuid7(), uuid7()
    origin = Origin(ann, "user:ann", uuid7())
    audit = PostgresAudit(api)
    brief = BriefConfirmed("b", sha256_of("b"), 1)
    async with PostgresEventLog(database, "bp_api", ring) as log:
        first = await log.append(
            feature, [(uuid7(), FeatureCreated("T"))], expected=0, origin=origin
        )
        second = await log.append(feature, [(uuid7(), brief)], expected=1, origin=origin)
    report = await audit.verify(ann, feature)
    assert report is not None
    assert (report.valid, report.events, report.head) == (True, 2, second[0].hash.hex())
    assert await audit.verify(uuid7(), feature) is None
    assert await audit.verify(ann, uuid7()) is None
    upto = second[0].position
    changes = await audit.since(ann, 0, upto, 10)
    assert [(c.version, c.type, c.feature_id) for c in changes] == [
        (1, "feature_created", feature),
        (2, "brief_confirmed", feature),
    ]
    assert await audit.since(ann, first[0].position, upto, 10) == changes[1:]
    assert await audit.since(uuid7(), 0, upto, 10) == []
    with psycopg.connect(database) as superuser:
        superuser.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
        superuser.execute("UPDATE es.events SET actor = 'user:eve' WHERE version = 2")
    broken = await audit.verify(ann, feature)
    assert broken is not None
    assert (broken.valid, broken.first_broken_version) == (False, 2)


async def test_a_deleted_features_chain_still_verifies(api: Database, database: str) -> None:
    ring = KeyRing(MASTER)
    ann, feature = uuid7(), uuid7()
    origin = Origin(ann, "user:ann", uuid7())
    async with PostgresEventLog(database, "bp_api", ring) as log:
        events = [(uuid7(), FeatureCreated("T")), (uuid7(), FeatureDeleted())]
        await log.append(feature, events, expected=0, origin=origin)
    with psycopg.connect(database) as superuser:
        superuser.execute("DELETE FROM app.data_keys")
    report = await PostgresAudit(api).verify(ann, feature)
    assert report is not None
    assert (report.valid, report.events) == (True, 2)


async def test_a_letter_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    outbox = OutboxFolder(tmp_path / "outbox", "service@localhost", lambda: NOW)
    await outbox.send("ann@example.org", "A new password", "Über this link: https://x/#token=1\n")
    [path] = (tmp_path / "outbox").iterdir()
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o777 == 0o600
    letter = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["To"] == "ann@example.org"
    body = letter.get_body()
    assert body is not None
    assert "Über this link" in body.get_content()
    with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
        await outbox.send("ann@example.org\r\nBcc: all@example.org", "x", "y")
