"""What is understood of a brief is shown before it is confirmed, and recorded when it is."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.interface.world import Person, World, public, serving

BRIEF = "# Repairs\n\nI mend bicycles.\n\n- Ask\n- Answer within 24 hours\n"
KEY = {"api_key": "sk-ant-mine-0123456789abc"}


@pytest.fixture
async def ann(servers: None) -> AsyncIterator[Person]:
    world = World()
    async with (
        serving(public(world)) as address,
        httpx2.AsyncClient(timeout=10, trust_env=False) as http,
    ):
        person = Person(world, address, http)
        await person.ask("PUT", "/api/settings/api-key", json=KEY)
        yield person
        world.services.stopping.set()


async def test_the_person_sees_what_was_understood_and_makes_a_sentence_a_point(ann: Person):
    read = (await ann.ask("POST", "/api/brief/reading", json={"brief": BRIEF})).json()
    assert [(p["id"], p["text"]) for p in read["points"]] == [
        ("BF-1", "Ask"), ("BF-2", "Answer within 24 hours"),
    ]  # fmt: skip
    assert read["background"] == [
        {"text": "Repairs", "heading": True},
        {"text": "I mend bicycles."},
    ]
    wanted = {"brief": BRIEF, "wanted": ["I mend bicycles."]}
    again = (await ann.ask("POST", "/api/brief/reading", json=wanted)).json()
    assert again["points"][0]["text"] == "I mend bicycles."
    feature = await ann.new_feature()
    confirmed = await ann.ask("POST", f"/api/features/{feature}/brief", json=wanted)
    assert confirmed.status_code == 202, confirmed.text
    shown = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert shown["deliverables"]["brief"]["reading"] == again


@pytest.mark.parametrize("brief", [" \n ", "😀🚲!", "---\n\n***"])
async def test_a_brief_without_a_word_is_refused_at_once(ann: Person, brief: str):
    feature = await ann.new_feature()
    for path in ("/api/brief/reading", f"/api/features/{feature}/brief"):
        refused = await ann.ask("POST", path, json={"brief": brief})
        assert (refused.status_code, refused.json()["code"]) == (422, "empty_brief")
        assert refused.json()["detail"].startswith("There is no word in the brief.")
    assert (await ann.ask("GET", f"/api/features/{feature}")).json()["status"] == "drafting"


async def test_a_brief_that_is_too_long_is_refused_with_its_bound(ann: Person):
    feature = await ann.new_feature()
    long = {"brief": "a wish " * 9_000}
    refused = await ann.ask("POST", f"/api/features/{feature}/brief", json=long)
    assert refused.status_code == 400
    assert "40000" in refused.text.replace(",", "")
