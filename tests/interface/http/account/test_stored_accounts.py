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
from typing import LiteralString

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.identity.account_ports import Account, AddressUnsafe, SessionEnded, SessionReused
from application.ports import Claim, DueStep, Metadata
from domain.content import sha256_of
from domain.events import BriefConfirmed, FeatureCreated, FeatureDeleted
from domain.pipeline import AGENT_OF
from domain.status import Step
from infrastructure.audit.changes import PostgresAudit
from infrastructure.event_log import PostgresEventLog
from infrastructure.identity.accounts import PostgresAccounts, PostgresSessions
from infrastructure.identity.api_keys import RevealedApiKeys, SealedApiKeys
from infrastructure.identity.mail_folder import MailFolder
from infrastructure.identity.refresh import RefreshTokens
from infrastructure.identity.signing_keys import OwnTokens, SigningKeys
from infrastructure.identity.tokens import TokenIssuer
from infrastructure.identity.verify import TokenVerifier
from infrastructure.postgres.database import Database
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import DataKeys, KeyRing

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


async def test_a_reset_is_used_once_in_time_and_ends_all_sessions(api: Database) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    session = await sessions.start(ann.user_id, ann.tenant_id)
    assert session is not None
    network = secrets.token_bytes(32)
    await store.know(ann.user_id, network, NOW)
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    await store.add_reset(ann, first, NOW + timedelta(hours=1))
    await store.add_reset(ann, second, NOW + timedelta(hours=1))
    assert await store.reset_of(first, NOW + timedelta(hours=2)) is None
    assert await store.reset(first, "new", NOW + timedelta(hours=2)) is None
    assert await store.reset_of(first, NOW) == ann.email
    assert await store.reset(first, "new", NOW) == ann.user_id
    assert await store.reset_of(first, NOW) is None
    assert await store.reset(first, "newer", NOW) is None
    assert await store.reset(second, "newest", NOW) is None
    found = await store.find(ann.email, [network])
    assert found == replace(ann, password_hash="new", sessions_valid_from=NOW)  # noqa: S106 - no password.
    with pytest.raises(SessionEnded):
        await sessions.rotate(session.token)
    assert await PostgresSessions(api).ended_since(NOW) == [(session.session_id, NOW)]
    assert await PostgresSessions(api).ended_since(NOW + timedelta(seconds=1)) == []


async def test_a_sign_in_with_the_old_password_does_not_outlive_a_reset(api: Database) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    token = secrets.token_bytes(32)
    await store.add_reset(ann, token, NOW + timedelta(hours=1))
    verified = await store.find(ann.email)
    assert verified is not None
    await store.reset(token, "new", NOW)
    since = verified.sessions_valid_from
    assert await sessions.start(ann.user_id, ann.tenant_id, since) is None
    now = await store.find(ann.email)
    assert now is not None
    assert await sessions.start(ann.user_id, ann.tenant_id, now.sessions_valid_from)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT app.set_password(%(user)s, 'stolen')",
        "SELECT app.use_reset(%(token)s, now())",
        "UPDATE app.accounts SET password_hash = 'stolen' WHERE user_id = %(user)s",
        "SELECT * FROM app.ended_sessions",
        "INSERT INTO app.known_networks VALUES (%(user)s, %(token)s, now())",
    ],
)
async def test_no_password_is_set_without_a_token(api: Database, statement: LiteralString) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    given = {"user": ann.user_id, "token": secrets.token_bytes(32)}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with api.system() as connection:
            await connection.execute(statement, given)
    assert await store.find(ann.email) == ann


async def test_what_versions_before_gave_goes_on_in_the_cookie_that_they_gave_it_in(
    api: Database,
) -> None:
    ann = account()
    await PostgresAccounts(api).add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    token, later = "bprt_" + "A" * 43, NOW + timedelta(days=30)
    values = (sha256(token.encode()).digest(), uuid7(), ann.user_id, ann.tenant_id)
    async with api.system() as connection:
        await connection.execute(
            "SELECT app.refresh_start(%s, %s, %s, %s, %s, %s, %s)", (*values, NOW, later, later)
        )
    following = await sessions.rotate(token, is_prefixed=False)
    with pytest.raises(SessionEnded):
        await sessions.rotate(following.token, is_prefixed=False)
    assert await sessions.rotate(following.token)


@pytest.mark.parametrize("kept", [0, 1])
async def test_of_two_uses_at_once_whichever_is_kept_is_good_and_then_not_the_other(
    api: Database, kept: int
) -> None:
    store, ann = PostgresAccounts(api), account()
    await store.add(ann)
    now = [NOW]
    sessions = RefreshTokens(PostgresSessions(api), lambda: now[0])
    first = await sessions.start(ann.user_id, ann.tenant_id)
    assert first is not None
    second = await sessions.rotate(first.token)
    assert (second.user_id, second.tenant_id) == (ann.user_id, ann.tenant_id)
    both = await asyncio.gather(*(sessions.rotate(second.token) for _ in range(2)))
    now[0] += timedelta(minutes=14)
    third = await sessions.rotate(both[kept].token)
    with pytest.raises(SessionReused):
        await sessions.rotate(both[1 - kept].token)
    with pytest.raises(SessionEnded):
        await sessions.rotate(third.token)


async def test_a_token_whose_successor_was_used_ends_its_session_at_once(api: Database) -> None:
    ann = account()
    await PostgresAccounts(api).add(ann)
    sessions = RefreshTokens(PostgresSessions(api), lambda: NOW)
    first = await sessions.start(ann.user_id, ann.tenant_id)
    assert first is not None
    second = await sessions.rotate((await sessions.rotate(first.token)).token)
    with pytest.raises(SessionReused):
        await sessions.rotate(first.token)
    with pytest.raises(SessionEnded):
        await sessions.rotate(second.token)


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
    before = OwnTokens(issuer, keys).issue(user, tenant, uuid7())
    assert (await verifier.whose(before.token)) is not None
    rotated = await others.rotate()
    loaded = await keys.load()
    assert [key.kid for key in loaded] == [rotated.kid, mine[0].kid]
    tokens = OwnTokens(issuer, keys)
    await tokens.renew()
    after = tokens.issue(user, tenant, uuid7())
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
    assert await keys.reveal(ann, replace(claim, fencing_token=claim.fencing_token + 1)) is None
    assert await keys.reveal(ann, replace(claim, task_id=uuid7())) is None
    await tasks.cancel_task(claim.task_id, claim.fencing_token, "cancelled")
    assert await keys.reveal(ann, claim) is None


async def test_the_audit_sees_ones_own_log_and_what_was_done_to_it(
    api: Database, database: str
) -> None:
    ring = KeyRing(MASTER)
    ann, feature = uuid7(), uuid7()
    origin = Metadata(ann, "user:ann", uuid7())
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
    origin = Metadata(ann, "user:ann", uuid7())
    async with PostgresEventLog(database, "bp_api", ring) as log:
        events = [(uuid7(), FeatureCreated("T")), (uuid7(), FeatureDeleted())]
        await log.append(feature, events, expected=0, origin=origin)
    with psycopg.connect(database) as superuser:
        superuser.execute("DELETE FROM app.data_keys")
    report = await PostgresAudit(api).verify(ann, feature)
    assert report is not None
    assert (report.valid, report.events) == (True, 2)


async def test_a_letter_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    mail_folder = MailFolder(tmp_path / "outbox", "service@localhost", lambda: NOW)
    await mail_folder.send(
        "ann@example.org", "A new password", "Über this link: https://x/#token=1\n"
    )
    [path] = (tmp_path / "outbox").iterdir()
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o777 == 0o600
    letter = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["To"] == "ann@example.org"
    body = letter.get_body()
    assert body is not None
    assert "Über this link" in body.get_content()


async def test_a_letter_goes_to_exactly_the_stored_address_or_nowhere(tmp_path: Path) -> None:
    mail_folder = MailFolder(tmp_path / "outbox", "service@localhost", lambda: NOW)
    for odd in (
        "ann@example.org\r\nBcc: all@example.org",
        "=?utf-8?q?eve=40evil.org?=@example.org",
        "=?utf-8?q?eve=40evil.org=2C?= ann@example.org",
        "Ann <eve@evil.org>",
        "eve@evil.org, ann@example.org",
        '"eve@evil.org"@example.org',
        "ann(eve)@example.org",
        "k\u00fcche@example.org",
        "ann@ex\u00e4mple.org",
        "ann",
        "",
    ):
        with pytest.raises(AddressUnsafe):
            await mail_folder.send(odd, "A new password", "y")
    assert not (tmp_path / "outbox").exists()
    for plain in ("o'hara+x@example.org", "a=b@example.org", "a" * 64 + "@" + "b" * 60 + ".org"):
        await mail_folder.send(plain, "A new password", "y")
    letters = [path.read_bytes() for path in (tmp_path / "outbox").iterdir()]
    read = {email.message_from_bytes(raw, policy=policy.default)["To"] for raw in letters}
    assert read == {"o'hara+x@example.org", "a=b@example.org", "a" * 64 + "@" + "b" * 60 + ".org"}
