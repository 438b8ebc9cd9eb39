"""What cannot be read, or breaks off, hurts one feature or one answer, and says what is wrong."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest

from application.ports import ArtifactDamaged, ArtifactMissing, Unavailable, Why
from tests import given
from tests.interface.world import Person, World, public, serving


@pytest.fixture
async def person(servers: None) -> AsyncIterator[Person]:
    world = World()
    async with serving(public(world)) as url, httpx2.AsyncClient(trust_env=False) as http:
        yield Person(world, url, http)


STATUS = {Why.NEWER: 503, Why.DAMAGED: 500, Why.LOCKED: 503}


@pytest.mark.parametrize("why", Why)
async def test_a_feature_that_cannot_be_read_says_so_and_the_others_go_on(
    person: Person, why: Why
) -> None:
    bad, good = await person.at_spec_gate(), await person.at_spec_gate()
    person.world.log.unread[UUID(bad), 3] = why
    person.world.features._folded.clear()  # noqa: SLF001 - another process.
    refused = [
        await person.ask("GET", f"/api/features/{bad}"),
        await person.ask("GET", f"/api/features/{bad}/messages"),
        await person.ask("PATCH", f"/api/features/{bad}", json={"title": "Other"}),
        await person.ask("POST", f"/api/features/{bad}/fork", json={"version": 2}),
        await person.ask("GET", f"/api/features/{bad}/download"),
        await person.ask("GET", f"/api/features/{bad}/diff?from=1"),
    ]
    for answer in refused:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (STATUS[why], why)
        assert "Event 3 (" in problem["detail"]
        assert ("Retry-After" in answer.headers) == (why is not Why.DAMAGED)
    for path in ("", "/messages", "/events", "/runs"):
        assert (await person.ask("GET", f"/api/features/{good}{path}")).status_code == 200
    assert (await person.ask("GET", "/api/features")).status_code == 200
    renamed = await person.ask("PATCH", f"/api/features/{good}", json={"title": "Other"})
    assert renamed.status_code == 202
    # The newer version comes: nothing was lost.
    unread = dict(person.world.log.unread)
    person.world.log.unread.clear()
    assert (await person.ask("GET", f"/api/features/{bad}")).status_code == 200
    # And whoever wants to be rid of it need not wait for that.
    person.world.log.unread.update(unread)
    person.world.features._folded.clear()  # noqa: SLF001 - another process.
    assert (await person.ask("DELETE", f"/api/features/{bad}")).status_code == 202
    assert (await person.ask("GET", f"/api/features/{bad}")).status_code == 404


async def test_the_log_of_a_feature_shows_what_cannot_be_read_as_such(person: Person) -> None:
    feature = await person.at_spec_gate()
    whole = (await person.ask("GET", f"/api/features/{feature}/events")).json()
    person.world.log.unread[UUID(feature), 2] = Why.NEWER
    person.world.features._folded.clear()  # noqa: SLF001 - another process.
    for query in ("", "?order=desc", "?at=2", "?type=brief_confirmed"):
        answer = await person.ask("GET", f"/api/features/{feature}/events{query}")
        assert answer.status_code == 200, answer.text
        [unread] = answer.json()["unread"]
        assert (unread["version"], unread["why"]) == (2, "newer_version")
        assert "payload" not in unread
    page = (await person.ask("GET", f"/api/features/{feature}/events")).json()
    assert page["items"] == [one for one in whole["items"] if one["version"] != 2]
    exported = await person.ask(
        "GET", f"/api/features/{feature}/events", headers={"Accept": "application/x-ndjson"}
    )
    assert exported.status_code == 200
    assert len(exported.text.splitlines()) == len(whole["items"])


async def test_a_live_stream_goes_on_behind_an_event_that_cannot_be_read(person: Person) -> None:
    feature = await person.at_spec_gate()
    person.world.log.unread[UUID(feature), 2] = Why.NEWER
    person.world.features._folded.clear()  # noqa: SLF001 - another process.
    async with person.stream("GET", f"/api/features/{feature}/live?after=0") as events:
        seen = await events.until("spec_generated")
    names = [event["event"] for event in seen]
    assert names[:2] == ["feature_created", "unread"]
    assert json.loads(seen[1]["data"])["type"] == "brief_confirmed"
    assert seen[1]["id"] == "2"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unavailable("the object store", "ClientPayloadError"), 503, "unavailable"),
        (ArtifactDamaged("x"), 500, "artifact_lost"),
        (ArtifactMissing("x"), 500, "artifact_lost"),
    ],
    ids=["cut", "damaged", "missing"],
)
async def test_a_download_whose_first_files_cannot_be_read_is_a_problem(
    person: Person, error: Exception, status: int, code: str
) -> None:
    feature = await person.finished()

    async def refuse(_key: str) -> bytes:
        raise error

    person.world.artifacts.get = refuse  # type: ignore[method-assign]
    for form in ("zip", "git"):
        answer = await person.ask("GET", f"/api/features/{feature}/download?format={form}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_download_that_breaks_off_is_never_taken_for_a_whole_one(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many files that the first bytes are out before the last file is read.
    files = tuple(
        given.FILES[0].__class__(f"src/f{number}.ts", 1, f"{number:064x}") for number in range(40)
    )
    monkeypatch.setattr(given, "FILES", files)

    async def nothing(*_: object) -> None:
        """What is read below is in no store."""

    monkeypatch.setattr(person.world, "store_files", nothing)
    feature = await person.finished()
    import random  # noqa: PLC0415 - what does not shrink in a zip.

    noise = random.Random(1).randbytes(40_000)  # noqa: S311 - no secret.

    asked = Counter[str]()

    async def get(key: str) -> bytes:
        asked[key] += 1
        if key.endswith(f"{39:064x}") and asked[key] > 1:  # Sound when the papers were made of it.
            raise ArtifactDamaged(key)
        return noise

    person.world.artifacts.get = get  # type: ignore[method-assign]
    received = bytearray()

    async def download() -> None:
        async with person.http.stream(
            "GET", f"{person.url}/api/features/{feature}/download", headers=person.headers
        ) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_bytes():
                received.extend(chunk)

    with pytest.raises(httpx2.RemoteProtocolError):
        await download()
    assert received
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(received))
