"""What a decision would cost: asked by whoever may take it, refused as the decision is."""

from collections.abc import AsyncIterator
from decimal import Decimal

import httpx2
import pytest

from domain.status import Step
from tests.interface.world import Person, World, public, serving

KEY = {"api_key": "sk-ant-mine-0123456789abc"}


@pytest.fixture
async def ann(servers: None) -> AsyncIterator[Person]:
    world = World()
    async with (
        serving(public(world)) as address,
        httpx2.AsyncClient(timeout=10, trust_env=False) as http,
    ):
        yield Person(world, address, http)
        world.services.stopping.set()


async def estimate(ann: Person, feature: str, action: str, **query: int) -> dict[str, object]:
    answer = await ann.ask(
        "GET", f"/api/features/{feature}/estimate", params={"action": action, **query}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_the_demo_model_costs_nothing_and_says_so(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    found = await estimate(ann, feature, "approve")
    assert (found["basis"], found["low_usd"], found["high_usd"]) == ("demo", "0", "0")
    assert [step["step"] for step in found["steps"]] == ["plan", "align_plan"]


async def test_without_a_run_it_rests_on_prices_and_grows_with_the_brief(ann: Person) -> None:
    await ann.ask("PUT", "/api/settings/api-key", json=KEY)
    feature = await ann.new_feature()
    short = await estimate(ann, feature, "confirm", length=100)
    assert (await ann.ask("GET", "/api/estimate?length=100")).json() == short
    long = await estimate(ann, feature, "confirm", length=40_000)
    assert (short["basis"], short["runs"]) == ("prices", 0)
    assert [step["step"] for step in short["steps"]] == ["spec", "align_spec", "title"]
    assert 0 < Decimal(str(short["low_usd"])) < Decimal(str(short["high_usd"]))
    assert Decimal(str(short["low_usd"])) < Decimal(str(long["low_usd"]))


async def test_with_runs_it_rests_on_them_and_on_the_length_of_what_goes_in(ann: Person) -> None:
    await ann.ask("PUT", "/api/settings/api-key", json=KEY)
    await ann.finished()
    feature = await ann.at_spec_gate()
    found = await estimate(ann, feature, "approve")
    plan, align = found["steps"]
    assert found["basis"] == "runs_and_prices"
    assert (plan["runs"], align["runs"], found["runs"]) == (1, 0, 1)
    # The same documents as before: the tokens of the one run at today's prices, give or take half.
    assert (plan["low_usd"], plan["high_usd"]) == ("0.000350", "0.001050")
    again = await estimate(ann, feature, "revise", length=12)
    longer = await estimate(ann, feature, "revise", length=12_000)
    assert Decimal(str(again["high_usd"])) < Decimal(str(longer["high_usd"]))


async def test_going_back_to_a_gate_costs_nothing_and_to_work_perhaps(ann: Person) -> None:
    await ann.ask("PUT", "/api/settings/api-key", json=KEY)
    feature = await ann.finished()
    points = (await ann.ask("GET", f"/api/features/{feature}/checkpoints")).json()["items"]
    at = {point["event"]: point["version"] for point in points}
    advice = await estimate(ann, feature, "replay", version=at["spec_generated"])
    assert [step["step"] for step in advice["steps"]] == ["align_spec"]
    work = await estimate(ann, feature, "replay", version=at["plan_approved"])
    assert [step["step"] for step in work["steps"]] == ["tests", "align_tests"]
    assert work["low_usd"] == "0"
    assert Decimal(str(work["high_usd"])) > 0
    done = await estimate(ann, feature, "replay", version=at["verdict_reached"])
    assert (done["basis"], done["high_usd"], done["steps"]) == ("nothing", "0", [])


async def test_what_would_be_refused_is_refused_and_nothing_is_recorded(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    before = len(ann.world.log.events)
    path = f"/api/features/{feature}/estimate"
    for action, status, code in (
        ("confirm", 409, "not_now"),
        ("retry", 409, "not_now"),
        ("replay", 400, "invalid_request"),
        ("replay&version=900", 409, "no_such_checkpoint"),
        ("dance", 400, "invalid_request"),
        ("revise&length=-1", 400, "invalid_request"),
    ):
        answer = await ann.ask("GET", f"{path}?action={action}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), action
    await ann.work(feature, Step.ALIGN_SPEC)
    assert len(ann.world.log.events) == before + 2
    await ann.ask("DELETE", f"/api/features/{feature}")
    assert (await ann.ask("GET", f"{path}?action=approve")).status_code == 404


async def test_runs_of_features_that_are_deleted_still_count(ann: Person) -> None:
    await ann.ask("PUT", "/api/settings/api-key", json=KEY)
    gone = await ann.finished()
    feature = await ann.at_spec_gate()
    await ann.ask("DELETE", f"/api/features/{gone}")
    assert (await estimate(ann, feature, "approve"))["runs"] == 1
