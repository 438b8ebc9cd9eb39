"""The replay certificate, and an exported log on its way out and in again."""

import asyncio
import socket
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict

from application.transparency.export import lines_of
from application.transparency.verifier import verify
from domain import commands as c
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.event_log.imports import ImportRefused, read_export
from infrastructure.read_models.certifying import PostgresCertifier
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from projections.catalogue import PROJECTIONS
from projections.certificate import Certificate, fingerprints, fold
from tests.given import at_gate, done, drafted
from tests.integration.reading import MASTER, World, stories, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


def ring() -> KeyRing:
    return KeyRing(MasterKey([MASTER]))


async def certified(there: World, feature_id: UUID) -> Certificate:
    made = await PostgresCertifier(there.reading, ring()).certify(there.tenant, feature_id)
    assert made is not None
    return made


async def exported(there: World, feature_id: UUID) -> list[bytes]:
    log = PostgresStoredLog(there.reading, ring())
    chunks = [chunk async for chunk in lines_of(log, there.tenant, feature_id, 1_000)]
    return b"".join(chunks).splitlines(keepends=True)


async def test_every_life_folds_to_what_is_shown_with_the_network_cut_off(
    there: World, monkeypatch: pytest.MonkeyPatch
):
    told = stories()
    features = [await there.tell(story) for story in told]
    await there.catch_up()
    assert conninfo_to_dict(there.url)["host"].startswith("/"), "the database is no network"
    refused = []

    def cut(_socket: socket.socket, address: object) -> None:
        refused.append(address)
        raise OSError("the network is cut off")

    monkeypatch.setattr(socket.socket, "connect", cut)
    monkeypatch.setattr(socket.socket, "connect_ex", cut)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: cut(None, _))
    with pytest.raises(OSError, match="cut off"):
        socket.create_connection(("127.0.0.1", 9))
    refused.clear()
    for feature_id, story in zip(features, told, strict=True):
        certificate = await certified(there, feature_id)
        assert certificate.equal, certificate
        assert certificate.events == len(story.events)
        assert certificate.model_calls == 0
        assert {one.projection for one in certificate.projections} == {p.name for p in PROJECTIONS}
    assert refused == []
    assert sum(one.rows for one in certificate.projections) > 0


async def test_a_row_changed_behind_our_back_is_named(there: World):
    feature_id = await there.tell(at_gate(c.Gate.SPEC))
    await there.catch_up()
    there.sql(
        "update app.views set row = jsonb_set(row, '{title}', '\"Other\"')"
        " where projection = 'dashboard' and feature_id = %s",
        feature_id,
    )
    there.sql(
        "delete from app.views where projection = 'run' and ctid = (select ctid from app.views"
        " where projection = 'run' and feature_id = %s order by key limit 1)",
        feature_id,
    )
    there.sql(
        "insert into app.views (projection, generation, tenant_id, feature_id, key, version, row)"
        " values ('message', 1, %s, %s, 'made-up', 1, '{}')",
        there.tenant,
        feature_id,
    )
    certificate = await certified(there, feature_id)
    assert not certificate.equal
    differing = {
        one.projection: one.differences for one in certificate.projections if not one.equal
    }
    assert differing["dashboard"] == ("the row differs in `title`",)
    assert len(differing["run"]) == 1
    assert differing["run"][0].endswith("is missing")
    assert differing["message"] == ("made-up does not follow from the log",)
    assert set(differing) == {"dashboard", "run", "message"}
    await there.rebuilder().rebuild()
    assert (await certified(there, feature_id)).equal


async def test_read_models_that_are_behind_are_compared_where_they_stand(there: World):
    feature_id = await there.tell(drafted())
    await there.catch_up()
    await there.tell(drafted().do(c.RenameFeature("Later")), feature_id, after=1)
    certificate = await certified(there, feature_id)
    assert certificate.equal
    assert certificate.events == 1
    await there.catch_up()
    certificate = await certified(there, feature_id)
    assert (certificate.equal, certificate.events) == (True, 2)


async def test_of_a_deleted_feature_nothing_is_shown_and_nothing_follows(there: World):
    feature_id = await there.tell(at_gate(c.Gate.SPEC).do(c.DeleteFeature()))
    await there.catch_up()
    certificate = await certified(there, feature_id)
    assert certificate.equal
    assert {one.rows for one in certificate.projections} == {0}
    lines = await exported(there, feature_id)
    report = verify(lines)
    assert report.valid
    assert report.opened == 0
    assert report.sealed > 0
    whole = b"".join(lines)
    assert b"Tools" not in whole
    assert b"personal_sha256" in whole


async def test_nobody_elses_feature_is_certified_or_exported(there: World):
    feature_id = await there.tell(drafted(), tenant=UUID(int=1))
    await there.catch_up()
    assert (
        await PostgresCertifier(there.reading, ring()).certify(there.tenant, feature_id)
    ) is None
    assert await exported(there, feature_id) == []


async def test_what_went_out_comes_in_with_equal_hashes(there: World):
    feature_id = await there.tell(done())
    await there.catch_up()
    lines = await exported(there, feature_id)
    assert verify(lines).valid
    assert verify(lines).sealed == 0
    imported = await asyncio.to_thread(read_export, lines)
    certificate = await certified(there, feature_id)
    assert imported.report.events == certificate.events
    assert imported.report.head == certificate.head
    folded = {one.projection: one.sha256 for one in fingerprints(fold(imported.facts))}
    assert folded == {one.projection: one.folded_sha256 for one in certificate.projections}
    assert folded == {one.projection: one.shown_sha256 for one in certificate.projections}


async def test_an_export_is_the_same_bytes_every_time(there: World):
    feature_id = await there.tell(done())
    first = await exported(there, feature_id)
    assert first == await exported(there, feature_id)


async def test_what_was_changed_on_the_way_is_not_imported(there: World):
    feature_id = await there.tell(drafted("Tools"))
    lines = await exported(there, feature_id)
    with pytest.raises(ImportRefused, match="Line 1 has personal content"):
        read_export([lines[0].replace(b"Tools", b"Fools")])


async def test_a_feature_that_no_read_model_has_come_to_is_compared_with_nothing(there: World):
    await there.tell(drafted("Applied"))
    await there.catch_up()
    fresh = await there.tell(drafted("Fresh"))
    early = await certified(there, fresh)
    assert (early.equal, early.events, early.head) == (True, 0, "")
    await there.catch_up()
    assert (await certified(there, fresh)).events == 1
