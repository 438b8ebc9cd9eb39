"""Forks through the pipeline: nothing recorded is bought again, and no file is lost or copied."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.delivery.artifact_keys import artifact_key, artifact_prefix
from application.delivery.stored_files import read_stored, remove_stored
from application.ports import ArtifactMissing, Conflict
from domain import commands as c
from domain import events as e
from domain.errors import NotFound
from domain.status import Gate, Status
from tests.application.workshop import Workshop


class Line:
    """The descendants that the log would name."""

    def __init__(self, *forks: UUID) -> None:
        self.forks = forks

    async def descendants(self, tenant_id: UUID, feature_id: UUID) -> list[UUID]:
        return list(self.forks)


async def forked(shop: Workshop, parent: UUID) -> UUID:
    """A fork of the last checkpoint, which the workshop goes on with."""
    fork_id = uuid7()
    feature = await shop.features.load(shop.tenant, parent)
    await shop.features.fork(
        parent,
        fork_id,
        c.ForkFeature(feature.checkpoints[-1].version),
        tenant_id=shop.tenant,
        actor=shop.person,
        correlation_id=uuid7(),
    )
    shop.feature = fork_id
    return fork_id


async def finish(shop: Workshop) -> None:
    for gate in Gate:
        await shop.approve(gate)
    await shop.settle()


async def files_of(shop: Workshop, feature_id: UUID) -> list[e.FileWritten]:
    feature = await shop.features.load(shop.tenant, feature_id)
    version = feature.content.implementation.version
    found = await shop.features.texts(shop.tenant, feature_id, [version])
    return list(found[version].event.files)


async def bodies(shop: Workshop, feature_id: UUID) -> list[bytes]:
    files = await files_of(shop, feature_id)
    return [await read_stored(shop.artifacts, shop.tenant, feature_id, f) for f in files]


async def test_a_fork_of_a_finished_feature_is_finished_again_for_nothing() -> None:
    shop = await Workshop().finished()
    parent, asked, stored = shop.feature, len(shop.model.requests), dict(shop.artifacts.kept)
    await forked(shop, parent)
    assert (await shop.state()).status is Status.TESTS_READY
    await finish(shop)
    state = await shop.state()
    assert state.status is Status.DONE
    assert len(shop.model.requests) == asked
    assert shop.artifacts.kept == stored
    assert await bodies(shop, shop.feature) == await bodies(shop, parent)


async def test_files_outlive_the_parent_and_the_parents_parent() -> None:
    shop = await Workshop().finished()
    first, before = shop.feature, await bodies(shop, shop.feature)
    second = await forked(shop, first)
    await finish(shop)
    third = await forked(shop, second)
    await finish(shop)
    await delete(shop, first, second, third)
    assert await bodies(shop, second) == before
    assert await bodies(shop, third) == before
    fourth = await forked(shop, second)
    await finish(shop)
    assert await bodies(shop, fourth) == before
    await delete(shop, second, third, fourth)
    assert await bodies(shop, third) == before
    assert await bodies(shop, fourth) == before
    await delete(shop, third)
    await delete(shop, fourth)
    assert shop.artifacts.kept == {}


async def delete(shop: Workshop, feature_id: UUID, *descendants: UUID) -> None:
    """Delete a feature and remove its files, twice: a removal may be cut short and done again."""
    shop.feature = feature_id
    await shop.do(c.DeleteFeature())
    for _ in range(2):
        line = Line(*descendants)
        await remove_stored(shop.artifacts, shop.features, line, shop.tenant, feature_id)
    assert not [k for k in shop.artifacts.kept if k.startswith(prefix(shop, feature_id))]


def prefix(shop: Workshop, feature_id: UUID) -> str:
    return artifact_prefix(shop.tenant, feature_id)


async def test_a_file_that_no_place_has_is_missing() -> None:
    shop = Workshop()
    file = e.FileWritten("a", 1, "ab" * 32, also_in=(uuid7(),))
    with pytest.raises(ArtifactMissing):
        await read_stored(shop.artifacts, shop.tenant, shop.feature, file)


async def test_a_descendant_that_was_deleted_too_is_passed_over() -> None:
    shop = await Workshop().finished()
    parent = shop.feature
    fork_id = await forked(shop, parent)
    await shop.do(c.DeleteFeature())
    line = Line(fork_id)
    shop.feature = parent
    await remove_stored(shop.artifacts, shop.another_process(), line, shop.tenant, parent)
    assert shop.artifacts.kept == {}


async def test_a_parent_that_is_deleted_at_that_moment_is_not_forked() -> None:
    shop = await Workshop().drafted()
    parent, append = shop.feature, shop.log.append

    async def beaten(feature_id, events, **more):
        if more["effects"].forked_from:
            shop.log.append = append
            await shop.do(c.DeleteFeature())
            raise Conflict
        return await append(feature_id, events, **more)

    shop.log.append = beaten
    with pytest.raises(NotFound):
        await forked(shop, parent)


async def test_the_texts_of_a_fork_are_its_own() -> None:
    shop = await Workshop().finished()
    parent = shop.feature
    await forked(shop, parent)
    brief = (await shop.state()).content.brief
    told = await shop.another_process().texts(shop.tenant, shop.feature, [brief.version])
    assert isinstance(told[brief.version].event, e.BriefConfirmed)
    assert told[brief.version].feature_id == shop.feature
    assert artifact_key(shop.tenant, parent, "x").startswith(prefix(shop, parent))
