"""What every store of idempotency keys keeps: written by an append, found by whoever asks again."""

import asyncio
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.ports import Accepted, Conflict, Effects, Metadata, Receipt, ReceiptExists
from domain import events as e
from tests.contracts.conftest import Adapters


def new(*events: e.FeatureEvent) -> list[tuple[UUID, e.FeatureEvent]]:
    return [(uuid7(), event) for event in events]


async def rename(adapters: Adapters, origin: Metadata, feature_id: UUID, version: int) -> int:
    """Rename a feature that is at a version, under the key `key`; its position."""
    effects = Effects(
        receipt=Receipt("key", str(version) * 64),
        accepted=Accepted(feature_id, version + 1, "drafting"),
    )
    [renamed] = await adapters.log.append(
        feature_id, new(e.FeatureRenamed("B")), expected=version, origin=origin, effects=effects
    )
    return renamed.position


async def test_a_receipt_answers_its_key_once_for_its_tenant(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    accepted = Accepted(feature_id, 1, "drafting")
    effects = Effects(receipt=Receipt("key", "a" * 64), accepted=accepted)
    await adapters.log.append(
        feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin, effects=effects
    )
    assert await adapters.receipts.find(origin.tenant_id, "key") == ("a" * 64, accepted)
    assert await adapters.receipts.find(uuid7(), "key") is None
    assert await adapters.receipts.find(origin.tenant_id, "other") is None
    with pytest.raises(ReceiptExists):
        await adapters.log.append(
            uuid7(), new(e.FeatureCreated("A")), expected=0, origin=origin, effects=effects
        )
    await adapters.log.append(
        uuid7(), new(e.FeatureCreated("A")), expected=0, origin=adapters.origin(), effects=effects
    )


async def test_of_many_requests_with_one_key_one_is_carried_out(adapters: Adapters) -> None:
    origin = adapters.origin()
    answers = await asyncio.gather(
        *(
            adapters.log.append(
                feature_id,
                new(e.FeatureCreated("A")),
                expected=0,
                origin=origin,
                effects=Effects(
                    receipt=Receipt("key", "a" * 64), accepted=Accepted(feature_id, 1, "drafting")
                ),
            )
            for feature_id in (uuid7() for _ in range(10))
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, ReceiptExists) for answer in answers) == 9


async def test_a_refused_append_leaves_no_receipt(adapters: Adapters) -> None:
    origin = adapters.origin()
    effects = Effects(receipt=Receipt("key", "a" * 64), accepted=Accepted(uuid7(), 1, "drafting"))
    with pytest.raises(Conflict):
        await adapters.log.append(
            uuid7(), new(e.FeatureRenamed("B")), expected=5, origin=origin, effects=effects
        )
    assert await adapters.receipts.find(origin.tenant_id, "key") is None


async def test_a_key_is_free_again_after_a_day(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    await rename(adapters, origin, feature_id, 1)
    with pytest.raises(ReceiptExists):
        await rename(adapters, origin, feature_id, 2)
    await adapters.a_day_later()
    assert await adapters.receipts.find(origin.tenant_id, "key") is None
    await rename(adapters, origin, feature_id, 2)
    found = await adapters.receipts.find(origin.tenant_id, "key")
    assert found == ("2" * 64, Accepted(feature_id, 3, "drafting"))


async def test_receipts_are_forgotten_after_a_day_and_not_before(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    await rename(adapters, origin, feature_id, 1)
    assert await adapters.forget_receipts() == 0
    assert await adapters.receipts.find(origin.tenant_id, "key") is not None
    await adapters.a_day_later()
    assert [await adapters.forget_receipts() for _ in range(2)] == [1, 0]


async def test_a_key_is_free_again_when_the_log_loses_what_it_was_used_for(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    [created] = await adapters.log.append(
        feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin
    )
    kept = await rename(adapters, origin, feature_id, 1)
    await adapters.set_back(kept)
    assert await adapters.receipts.find(origin.tenant_id, "key") is not None
    await adapters.set_back(created.position)
    assert await adapters.receipts.find(origin.tenant_id, "key") is None
    await rename(adapters, origin, feature_id, 1)
    assert await adapters.receipts.find(origin.tenant_id, "key") is not None


async def test_a_key_that_was_used_is_told_before_anything_else_is_refused(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    await rename(adapters, origin, feature_id, 1)
    with pytest.raises(ReceiptExists):  # And no conflict, though the feature has moved on.
        await rename(adapters, origin, feature_id, 1)
