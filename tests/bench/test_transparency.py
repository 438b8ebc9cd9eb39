"""How fast the whole store is verified, and what signing costs: prints, asserts nothing on time.

`pytest -m bench -s tests/bench/test_transparency.py`.
"""

import time
from pathlib import Path

import psycopg
import pytest

from tests.security.signed_log import signed_log

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

EVENTS = 200_000
FEATURES = 2_000

# Rows as appends make them, written by the superuser in one statement for each version.
FILL = """
INSERT INTO es.events
SELECT (%(version)s::int - 1) * %(features)s::int + n, t, md5(n::text)::uuid, %(version)s,
  md5(n || ' ' || %(version)s)::uuid, 'message_posted', 1, payload, sealed, md5(t::text)::uuid,
  t, null, 'user:00000000-0000-0000-0000-000000000003', clock_timestamp(), '', ''
FROM generate_series(1, %(features)s) n, (SELECT
  convert_to('{"message_id":"' || repeat('x', 250) || '"}', 'UTF8') payload,
  convert_to(repeat('y', 600), 'UTF8') sealed, gen_random_uuid() t) content
"""
STREAMS = """
INSERT INTO es.streams (tenant_id, stream_id, version, head_hash, head_at)
SELECT gen_random_uuid(), md5(n::text)::uuid, 1, '', clock_timestamp()
FROM generate_series(1, %(features)s) n
"""
OWNED = """
UPDATE es.events e SET tenant_id = s.tenant_id FROM es.streams s WHERE s.stream_id = e.stream_id
"""
CHAIN = """
UPDATE es.events e SET previous_hash = coalesce((SELECT b.hash FROM es.events b
    WHERE b.stream_id = e.stream_id AND b.version = e.version - 1), ''),
  hash = es.event_hash(coalesce((SELECT b.hash FROM es.events b
    WHERE b.stream_id = e.stream_id AND b.version = e.version - 1), ''), position, tenant_id,
    stream_id, version, event_id, type, schema_version, payload, sealed, key_id, correlation_id,
    causation_id, actor, recorded_at)
WHERE version = %(version)s
"""
HEADS = """
UPDATE es.streams s SET version = e.version, head_hash = e.hash FROM es.events e
WHERE e.stream_id = s.stream_id AND e.version = %(version)s
"""


def fill(url: str) -> None:
    versions = EVENTS // FEATURES
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE es.events DISABLE TRIGGER ALL")
        connection.execute(STREAMS, {"features": FEATURES})
        for version in range(1, versions + 1):
            connection.execute(FILL, {"version": version, "features": FEATURES})
        connection.execute(OWNED)
        for version in range(1, versions + 1):
            connection.execute(CHAIN, {"version": version})
        connection.execute(HEADS, {"version": versions})
        connection.execute("SELECT setval('es.positions', %s)", (EVENTS,))
        connection.execute("ALTER TABLE es.events ENABLE TRIGGER ALL")
        connection.execute("ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE es.events")


async def test_rates(database: str, tmp_path: Path) -> None:
    fill(database)
    async with signed_log(database, tmp_path / "checkpoints") as kept:
        began = time.perf_counter()
        await kept.seal()
        sealing = time.perf_counter() - began
        count = len(await kept.store.list())
        began, worked = time.perf_counter(), time.process_time()
        report = await kept.verify()
        verifying = time.perf_counter() - began
        cpu = time.process_time() - worked
        assert report.valid, report.broken
        assert (report.covered, report.checkpoints) == (EVENTS, count)
        await kept.record("A")
        began = time.perf_counter()
        await kept.seal()
        one = time.perf_counter() - began
    print(
        f"\n{EVENTS:,} events of {FEATURES:,} features: verified at {EVENTS / verifying:,.0f}/s "
        f"({cpu / EVENTS * 1e6:.1f} µs of our processor each); "
        f"signing {sealing / EVENTS * 1e6:.1f} µs an event in a backlog ({count} tree heads), "
        f"{one * 1e3:.1f} ms for a tree head of one event"
    )
