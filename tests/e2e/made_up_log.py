"""Logs that nobody would wait for: one event of each type, and a thousand of them.

Invariant: each payload has the shape that the golden log of its type has.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from playwright.sync_api import Page, Route

from tests.e2e.service import PROJECT

GOLDEN = PROJECT / "tests" / "golden" / "v1" / "events.jsonl"
BEGAN = datetime(2026, 3, 1, 9, tzinfo=UTC)
PERSON = "user:00000000-0000-0000-0000-0000000000aa"

Event = dict[str, Any]


def examples() -> dict[str, Event]:
    """A payload of each type, as it stands in the golden log."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return {one["type"]: one["means"] for one in map(json.loads, lines)}


def event(version: int, payload: Event, *, seconds: float, actor: str = PERSON) -> Event:
    """An event as the service shows it, so many seconds after the beginning."""
    return {
        "position": version,
        "version": version,
        "event_id": str(UUID(int=version)),
        "type": payload["type"],
        "schema_version": 1,
        "actor": actor,
        "correlation_id": str(UUID(int=1)),
        "causation_id": str(UUID(int=version - 1)) if version > 1 else None,
        "recorded_at": (BEGAN + timedelta(seconds=seconds)).isoformat(),
        "hash": f"{version:064x}",
        "previous_hash": f"{version - 1:064x}",
        "payload": payload,
    }


def one_of_each() -> list[Event]:
    """Every type once; each attempt is one of its own."""
    made = []
    for version, payload in enumerate(examples().values(), 1):
        told = dict(payload)
        if "attempt" in told:
            told["attempt"] = told["attempt"] | {"number": version}
        actor = "agent:spec" if "attempt" in told or "step" in told else PERSON
        made.append(event(version, told, seconds=version, actor=actor))
    return made


def revised_again_and_again(times: int) -> list[Event]:
    """Ten events each time: written at the second attempt, approved against advice, gone back."""
    told = examples()
    made: list[Event] = []

    def add(at: float, name: str, actor: str = PERSON, **changed: Any) -> None:
        payload = {**told[name], **changed}
        made.append(event(len(made) + 1, payload, seconds=at, actor=actor))

    def used(seconds: float, cost: str) -> Event:
        return {"tokens": {"input": 10, "output": 5}, "cost_usd": cost, "seconds": seconds}

    for epoch in range(1, times + 1):
        at = epoch * 10_800.0
        first, second = ({"step": "spec", "epoch": epoch, "number": n} for n in (1, 2))
        aligned = {"step": "align_spec", "epoch": epoch, "number": 1}
        planned = {"step": "plan", "epoch": epoch, "number": 1}
        add(at, "brief_revised", epoch=epoch)
        add(at + 1, "step_started", "agent:spec", attempt=first, agent="spec")
        add(
            at + 3,
            "attempt_failed",
            "agent:spec",
            attempt=first,
            reason="The answer was cut off",
            retried=True,
            run=used(2, "0.01"),
        )
        add(at + 4, "step_started", "agent:spec", attempt=second, agent="spec")
        add(at + 43, "spec_generated", "agent:spec", attempt=second, run=used(39, "0.02"))
        made[-1]["payload"].pop("reused_from", None)
        add(at + 44, "step_started", "agent:alignment_review", attempt=aligned)
        add(
            at + 50,
            "recommendation_made",
            "agent:alignment_review",
            attempt=aligned,
            gate="spec",
            recommendation="REVISE",
            run=used(6, "0"),
        )
        add(at + 80, "spec_approved", recommendation="REVISE", override=True, note="It will do.")
        add(at + 81, "step_started", "agent:planner", attempt=planned, agent="planner")
        add(at + 90, "feature_replayed", to_version=len(made) - 5, epoch=epoch + 1)
    return made


def serve(page: Page, events: list[Event]) -> None:
    """Answer every reading of a log with these, page by page, as the service would."""

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        after = int(asked.get("cursor", ["0"])[0])
        end = after + int(asked.get("limit", ["50"])[0])
        body = {"items": events[after:end], "next_cursor": str(end) if end < len(events) else None}
        route.fulfill(json=body)

    page.route("**/api/features/*/events?*", answer)
