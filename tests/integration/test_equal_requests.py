"""Eight equal requests at once under one key: one is carried out, and all get its answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from infrastructure.embedded import Stack
from tests.fuzz.service import Answer, Person, Service, opened

AT_ONCE = 8


@pytest.fixture
async def service(stack: Stack, database: str, tmp_path: Path) -> AsyncIterator[Service]:
    with structlog.testing.capture_logs():
        async with opened(database, stack.nats_url, tmp_path) as running:
            yield running


async def at_once(
    service: Service, person: Person, method: str, path: str, body: Any, key: str
) -> list[Answer]:
    headers = {
        **person.headers,
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    encoded = b"" if body is None else msgspec.json.encode(body)
    return await asyncio.gather(
        *(service.ask(method, path, headers=headers, body=encoded) for _ in range(AT_ONCE))
    )


async def test_every_one_gets_the_first_answer(service: Service) -> None:
    ann = service.people[0]
    drafting, gate, done, _ = ann.features
    shown = await service.ask("GET", f"/api/features/{gate}", headers=ann.headers)
    sha = shown.json()["deliverables"]["spec"]["content_sha256"]
    commands: list[tuple[str, str, Any]] = [
        ("POST", "/api/features", {"title": "Equal"}),
        ("PATCH", f"/api/features/{drafting}", {"title": "Renamed"}),
        ("POST", f"/api/features/{drafting}/brief", {"brief": "- BF-1 lend tools"}),
        ("POST", f"/api/features/{gate}/approve", {"gate": "spec", "content_sha256": sha}),
        ("POST", f"/api/features/{done}/fork", {"version": 1}),
        ("POST", f"/api/features/{done}/replay", {"version": 1}),
        ("DELETE", f"/api/features/{gate}", None),
    ]
    for number, (method, path, body) in enumerate(commands):
        answers = await at_once(service, ann, method, path, body, f"key-{number}")
        assert {answer.status for answer in answers} <= {201, 202}, (path, answers)
        assert len({answer.body for answer in answers}) == 1, path
        again = await at_once(service, ann, method, path, body, f"key-{number}")
        assert {answer.body for answer in again} == {answers[0].body}, path
    other = await at_once(service, ann, "POST", "/api/features", {"title": "Another"}, "key-0")
    assert {(answer.status, answer.json()["code"]) for answer in other} == {(422, "key_reused")}


async def test_a_message_is_said_once_however_often_it_is_sent(service: Service) -> None:
    ann = service.people[0]
    path = f"/api/features/{ann.features[0]}/messages"
    answers = await at_once(service, ann, "POST", path, {"text": "Hello"}, "said")
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["etag"][0] for answer in answers}) == 1
    said = await service.ask("GET", path, headers=ann.headers)
    assert [item["text"] for item in said.json()["items"]] == ["Hello"]


async def test_what_was_accepted_is_answered_also_when_it_would_be_refused_now(
    service: Service,
) -> None:
    """Without the key that it needed then, and at a stage where it is not possible any more."""
    ann = service.people[0]
    path = f"/api/features/{ann.features[0]}/brief"
    body = {"brief": "- BF-1 lend tools"}
    first = (await at_once(service, ann, "POST", path, body, "brief"))[0]
    service.services.keys._needed = True  # noqa: SLF001 - as if the operator had set another model.
    refused = await service.ask(
        "POST",
        path,
        headers={**ann.headers, "Content-Type": "application/json"},
        body=msgspec.json.encode(body),
    )
    assert (refused.status, refused.json()["code"]) == (409, "api_key_missing")
    again = (await at_once(service, ann, "POST", path, body, "brief"))[0]
    assert (again.status, again.body) == (first.status, first.body)


async def test_reading_right_after_creating_never_waits_for_a_projector(service: Service) -> None:
    ann = service.people[0]
    headers = {**ann.headers, "Content-Type": "application/json"}
    for _ in range(10):
        created = await service.ask("POST", "/api/features", headers=headers, body=b"{}")
        location = created.headers["location"][0]
        paths = (
            *("", "/messages", "/checkpoints", "/runs", "/files", "/events", "/certificate"),
            *("/events/verify", "/diff?from=1", "/estimate?action=confirm", "?min_version=1"),
        )
        answers = await asyncio.gather(
            *(service.ask("GET", location + path, headers=ann.headers) for path in paths)
        )
        assert {answer.status for answer in answers} == {200}, answers
