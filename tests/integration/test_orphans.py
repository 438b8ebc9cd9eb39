"""Files and requests that are in no log are named, and nothing of them is deleted."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.audit.orphans import OrphanWatch, orphan_files
from application.delivery.artifact_keys import artifact_key
from application.ports import ArtifactStore
from domain import events as e
from infrastructure.artifacts import FolderStore
from infrastructure.audit.orphans import PostgresOrphans
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from tests.given import Story, in_review
from tests.integration.copies import cut
from tests.integration.reading import MASTER, World, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FolderStore]:
    async with FolderStore(tmp_path / "files") as opened:
        await opened.tree_heads().put_new(1, b"no file of a feature")
        yield opened


@pytest.fixture
async def recorded(database: str) -> AsyncIterator[PostgresOrphans]:
    async with Database(database, "bp_sweeper", max_size=2) as sweeper:
        yield PostgresOrphans(sweeper, KeyRing(MasterKey([MASTER])))


async def stored(store: ArtifactStore, tenant: UUID, feature: UUID, body: bytes) -> str:
    key = artifact_key(tenant, feature, sha256(body).hexdigest())
    await store.put(key, body)
    return key


def with_file(story: Story, body: bytes) -> Story:
    """The story, with this as its only file."""
    file = e.FileWritten("a.ts", len(body), sha256(body).hexdigest())
    story.events = [
        replace(event, files=(file,)) if isinstance(event, e.ImplementationCompleted) else event
        for event in story.events
    ]
    return story


async def test_files_that_no_event_names_are_named_and_left_alone(
    there: World, store: FolderStore, recorded: PostgresOrphans
) -> None:
    story = with_file(in_review(), b"named")
    feature, deleted, nobodys = await there.tell(story), await there.tell(story), uuid7()
    await stored(store, there.tenant, feature, b"named")
    extra = await stored(store, there.tenant, feature, b"of no event")
    lost = await stored(store, there.tenant, nobodys, b"of no feature")
    await stored(store, there.tenant, deleted, b"named")
    await there.append(deleted, len(story.events), e.FeatureDeleted())  # Its files are to go.
    found = {each.key: each.reason async for each in orphan_files(store, recorded)}
    assert found == {extra: "no event names it", lost: "no such feature"}
    assert len([key async for key in store.names()]) == 4
    there.sql("update app.removals set done_at = clock_timestamp()")
    found = {each.key: each.reason async for each in orphan_files(store, recorded)}
    assert len(found) == 3


async def test_what_a_set_back_makes_an_orphan_is_named_in_the_log_of_the_process(
    there: World, store: FolderStore, recorded: PostgresOrphans
) -> None:
    story = with_file(in_review(), b"named")
    feature = await there.tell(story)
    key = await stored(store, there.tenant, feature, b"named")
    [(task, attempt)] = there.sql(
        "select convert_from(payload, 'UTF8')::jsonb ->> 'task_id',"
        " convert_from(payload, 'UTF8')::jsonb -> 'attempt' -> 'number' from es.events"
        " where type = 'step_started' order by position limit 1"
    )
    for turn in (1, 2):
        there.sql(
            "insert into app.model_calls (task_id, attempt, turn, tenant_id, feature_id,"
            " request_sha256, outcome) values (%s, %s, %s, %s, %s, 'x', 'answered')",
            *(UUID(task), attempt, turn, there.tenant, feature),
        )
    watch = OrphanWatch(recorded, store)
    with capture_logs() as said:
        await watch.look()
    assert (said[0]["files"], said[0]["calls"]) == (0, 0)
    cut(there.url, 1)
    with capture_logs() as said:
        await watch.look()
    [line] = said
    assert line["event"] == "orphans"
    assert line["first_files"] == [key]
    assert line["first_calls"] == [f"{task}-{attempt}-1", f"{task}-{attempt}-2"]
