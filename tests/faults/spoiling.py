"""What a rolling deploy and a failing disk leave: events of a later version, files that rot.

Invariant: each touches one feature, which the caller keeps apart from those it asserts things of.
"""

import psycopg
from uuid_utils.compat import uuid7

from application.ports import Metadata
from infrastructure.event_log import PostgresEventLog
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from tests.faults.service import Service
from tests.faults.user import User
from tests.integration.poison import LATER, Odd, Paused, Resumed

LATER_EVENTS = (Paused("lunch"), Odd(), Resumed(1, 1, {"status": "drafting"}, ("dance",)))


async def write_later(service: Service, user: User) -> str:
    """A feature to which a later version wrote; its id."""
    feature = await user.draft()
    user.features.remove(feature)
    with psycopg.connect(service.stack.dsn) as connection:
        row = connection.execute(
            "SELECT tenant_id, version FROM es.streams WHERE stream_id = %s", (feature,)
        ).fetchone()
    assert row is not None
    ring = KeyRing(MasterKey.from_file(service.master))
    async with PostgresEventLog(service.stack.dsn, "bp_api", ring, registry=LATER) as log:
        named = [(uuid7(), event) for event in LATER_EVENTS]
        origin = Metadata(row[0], f"user:{uuid7()}", uuid7())
        service.unreadable.add(feature)
        await log.append(feature, named, expected=row[1], origin=origin)  # type: ignore[arg-type]
    return str(feature)


async def rot(service: Service, user: User) -> str:
    """A finished feature that is forked, whose files rot, and that is then deleted; its id."""
    parent = await user.create()
    shown = await user.drive(parent)
    user.features.remove(parent)
    body = {"version": shown["version"]}
    await user.command("POST", f"/api/features/{parent}/fork", body)
    stored = [*(service.folder / "artifacts").glob(f"*/{parent}/*")]
    assert stored
    for file in stored:
        file.write_bytes(b"rotten")
    await user.command("DELETE", f"/api/features/{parent}")
    service.overlook()
    return str(parent)
