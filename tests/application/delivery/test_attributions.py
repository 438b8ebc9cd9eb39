"""Attributions as the service asks for them: computed apart, remembered, of a second round too."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from application.delivery.attribution import Attribution
from application.delivery.attributions import Attributions
from application.delivery.download import Download
from application.delivery.points_said import points_said
from application.delivery.why import reason_for, standing_on
from application.running.computing import Here
from domain import documents as d
from domain import events as e
from domain.errors import NotNow
from domain.feature import Feature
from infrastructure.computing.frames import signature_of
from infrastructure.inspection.pieces import pieces_of
from tests import given
from tests.delivered import FEATURE, LIVES, TENANT, Shop


class Apart(Here):
    """Computes here what went through messages there and back, as processes of their own do."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(self, whose: object, work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        self.ran.append(work.__name__)
        types = signature_of(work)
        body = msgspec.msgpack.encode(args)
        found = work(*msgspec.msgpack.decode(body, type=types.takes))
        return msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=types.gives)


async def attributed(shop: Shop, computing: Here) -> Attribution:
    feature = await shop.features.load(TENANT, FEATURE)
    made = Attributions(shop.features, shop.artifacts, computing, pieces_of)
    found = await made.of(TENANT, FEATURE, feature.content)
    assert await made.of(TENANT, FEATURE, feature.content) is found
    return found


@pytest.mark.parametrize("life", LIVES)
async def test_what_is_computed_apart_is_the_same(life):
    shop, apart = Shop(LIVES[life]().events), Apart()
    found = await attributed(shop, apart)
    assert apart.ran == ["ground_of", "pieces_of", "attribution_of"]
    assert found == await attributed(shop, Here())
    assert {file.path for file in found.files} == {file.path for file in found.trace.files}
    reason = reason_for(found, "src/server.ts", 1)
    assert [need.id for need in reason.requirements] == ["FR-1"]
    assert reason.written
    carried = life == "forked" and reason.written.carried
    assert bool(reason.written.model) is not carried
    assert {place.path for place in standing_on(found, points=("BF-1",)).places} >= {
        "src/server.ts"
    }


async def test_a_zip_that_is_computed_apart_has_the_same_bytes():
    shop = Shop(LIVES["changed"]().events)
    download, apart = Download(shop.features, shop.artifacts, shop.log), Apart()
    elsewhere = Download(shop.features, shop.artifacts, shop.log, apart)
    one, other = await download.of(TENANT, FEATURE), await elsewhere.of(TENANT, FEATURE)
    assert one.fingerprint == other.fingerprint
    assert apart.ran == ["writings_of", "dossier"]


async def test_before_a_specification_nothing_stands_on_anything():
    shop = Shop([e.FeatureCreated("Tools")])
    made = Attributions(shop.features, shop.artifacts, Here(), pieces_of)
    with pytest.raises(NotNow):
        await made.of(TENANT, FEATURE, Feature().content)


def test_a_point_comes_from_the_messages_that_its_proposal_cites():
    said, unsaid = UUID(int=51), UUID(int=52)
    point = d.Point("BF-1", "Lend tools", (str(said), str(unsaid)))
    brief = d.Brief("Tools", "Lend.", ("members",), (point, d.Point("BF-2", "A list")))
    asked = e.MessagePosted(said, "x" * 5_000)
    reply = replace(
        e.AgentReplied(given.Attempt(given.Step.CONVERSE, 1, 1), said, "Like this?", given.RUN),
        brief=brief,
    )
    confirmed = e.BriefConfirmed("- BF-1 Lend tools\n- BF-2 A list\n- BF-3 mine", "aa" * 32, 1)
    events = [e.FeatureCreated("Tools"), asked, reply, confirmed]
    recorded = [
        given.recorded(x, n, given.PERSON, given.BEGINNING) for n, x in enumerate(events, 1)
    ]
    points = points_said(recorded, 4)
    assert [(p.id, [m.version for m in p.messages]) for p in points] == [
        ("BF-1", [2]),
        ("BF-2", []),
        ("BF-3", []),
    ]
    assert len(points[0].messages[0].text) == 2_000
    assert points_said(recorded, 3) == ()
