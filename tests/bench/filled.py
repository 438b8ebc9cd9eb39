"""A service that runs, with a tenant whose log is long: what the benches of pages look at.

Events are appended by the log's own code beside the service, which then applies them to its read
models: nothing is in the tables that the write path would not have put there.
"""

import asyncio
import json
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx2
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Metadata
from domain import commands as c
from domain import events as e
from domain.status import Step
from infrastructure.event_log import PostgresEventLog
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from interface.foundation import read_note
from interface.settings import Settings
from tests.e2e.service import up
from tests.e2e.web_walk import PASSWORD
from tests.given import Story, done, drafted

EMAIL: Final = "long@example.com"
TOGETHER: Final = 40
WORDS: Final = ("Tool library", "Cake orders", "Rota", "Bee hives", "Choir", "Seed swap", "Boats")


@dataclass
class Filled:
    """Where it runs, and whose log is long."""

    url: str
    tenant: UUID
    user: UUID
    folder: Path


@contextmanager
def filled(events: int) -> Iterator[Filled]:
    """A service with an account whose log has at least so many events, all applied."""
    with tempfile.TemporaryDirectory() as root:
        data = Path(root) / "data"
        with up(data) as url:
            who = _signed_up(url)
            there = Filled(url, UUID(who["tenant"]), UUID(who["sub"]), data)
            asyncio.run(_fill(there, events))
            yield there


def stories() -> tuple[Story, ...]:
    """Three lives: one to the end, one that failed, one that only began."""
    failed = drafted().do(c.ConfirmBrief("- BF-1 lend"))
    failed.do(c.GiveUp(Step.SPEC, 2, "model_refused", "it would not", "retry"))
    finished = done().work(Step.TITLE)
    return (finished, finished, finished, failed, drafted())


async def _fill(there: Filled, events: int) -> None:
    settings = Settings(data_dir=there.folder)
    noted = read_note(settings)
    assert noted is not None
    ring = KeyRing(MasterKey.from_file(there.folder / "master.key"))
    lives = [story.events for story in stories()]
    written = number = 0
    async with PostgresEventLog(noted.database, "bp_api", ring) as log:
        while written < events:
            made = [lives[(number + at) % len(lives)] for at in range(TOGETHER)]
            work = [_append(log, there, life, number + at) for at, life in enumerate(made)]
            await asyncio.gather(*work)
            written += sum(map(len, made))
            number += TOGETHER
    await asyncio.to_thread(_applied, there)


async def _append(
    log: PostgresEventLog, there: Filled, life: list[e.FeatureEvent], number: int
) -> None:
    """A life as it would have come about: in several commands, by people and agents."""
    feature_id, command = uuid7(), uuid7()
    titled = f"{WORDS[number % len(WORDS)]} {number}"
    for version, event in enumerate(life):
        told = event
        if isinstance(event, e.FeatureCreated | e.FeatureTitled):
            told = replace(event, title=titled)
        attempt = getattr(event, "attempt", None)
        actor = f"agent:{attempt.step}" if attempt else f"user:{there.user}"
        command = command if attempt else uuid7()
        origin = Metadata(there.tenant, actor, command)
        await log.append(feature_id, [(uuid7(), told)], expected=version, origin=origin)


def _applied(there: Filled) -> None:
    """Wait until every read model has everything."""
    while True:
        ready = httpx2.get(f"{there.url}/health/ready", trust_env=False).json()
        if ready["projection_lag_events"] == 0:
            return


def _signed_up(url: str) -> dict[str, str]:
    answer = httpx2.post(
        f"{url}/auth/signup", json={"email": EMAIL, "password": PASSWORD}, trust_env=False
    )
    body = answer.json()["access_token"].split(".")[1]
    claims: dict[str, str] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims
