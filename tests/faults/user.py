"""A person at the API, who insists: a command is repeated under its key until it is answered.

Invariant: `acknowledged` holds every answer to a command, so that the log can be held to them.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import httpx2

from tests.faults.briefs import BRIEF

PATIENCE = 25.0

Turn = Callable[[], AbstractAsyncContextManager[object]]


class Problem(AssertionError):
    """The service refused."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class User:
    """One signed-in person."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.AsyncClient(
            base_url=url, timeout=httpx2.Timeout(30.0, connect=2.0), trust_env=False
        )
        self.acknowledged: list[tuple[UUID, int]] = []
        self.features: list[UUID] = []
        self.latest: dict[UUID, int] = {}
        """The version that this person's last command led to: they read what they wrote."""
        self.patience = PATIENCE
        self.turn: Turn = contextlib.nullcontext
        """Entered for as long as a command is under way."""
        self.unavailable = 0
        """How often an answer was 503."""

    async def close(self) -> None:
        await self.http.aclose()

    async def sign_up(self, email: str, password: str) -> None:
        body = {"email": email, "password": password}
        session = await self._insist("POST", "/auth/signup", body, {})
        self.http.headers["Authorization"] = f"Bearer {session['access_token']}"

    async def command(self, method: str, path: str, body: Any = None) -> Any:
        """Carried out once, however often it must be sent."""
        async with self.turn():
            answer = await self._insist(
                method, path, body, {"Idempotency-Key": secrets.token_urlsafe(12)}
            )
            if isinstance(answer, dict) and set(answer) == {"id", "version", "status"}:
                self.acknowledged.append((UUID(answer["id"]), answer["version"]))
                self.latest[UUID(answer["id"])] = answer["version"]
        return answer

    def set_back(self, held: Mapping[UUID, int]) -> None:
        """Give up what was acknowledged and is not in the log, by each stream's version."""
        self.acknowledged = [(f, v) for f, v in self.acknowledged if v <= held.get(f, 0)]
        self.features = [feature for feature in self.features if feature in held]
        self.latest = {f: min(v, held[f]) for f, v in self.latest.items() if f in held}

    async def read(self, path: str, **params: Any) -> Any:
        return await self._insist("GET", path, None, {}, params or None)

    async def create(self, brief: str = BRIEF) -> UUID:
        """A feature whose brief is confirmed."""
        feature = await self.draft()
        await self.command("POST", f"/api/features/{feature}/brief", {"brief": brief})
        return feature

    async def draft(self) -> UUID:
        feature = UUID((await self.command("POST", "/api/features", {}))["id"])
        self.features.append(feature)
        return feature

    async def show(self, feature: UUID, version: int | None = None) -> Any:
        params = {"min_version": version} if version else {}
        return await self.read(f"/api/features/{feature}", **params)

    async def approve(self, feature: UUID, shown: Any) -> Any:
        gate = shown["status"].removesuffix("_ready")
        sha = shown["deliverables"][gate]["content_sha256"]
        return await self.command(
            "POST", f"/api/features/{feature}/approve", {"gate": gate, "content_sha256": sha}
        )

    async def retry(self, feature: UUID) -> Any:
        return await self.command("POST", f"/api/features/{feature}/retry")

    async def drive(self, feature: UUID, until: Collection[str] = ("done",)) -> Any:
        """Approve at each gate, advised or not, until the feature is where it should be."""
        ends = time.monotonic() + self.patience
        version = self.latest.get(feature, 1)
        while True:
            assert time.monotonic() < ends, f"never {until}"
            shown = await self.show(feature, version)
            version = shown["version"]
            if shown["status"] in until:
                return shown
            assert shown["status"] not in {"done", "failed"}, shown["failure"] or shown["status"]
            if "approve" in shown["actions"] and not shown["in_progress"]:
                try:
                    version = (await self.approve(feature, shown))["version"]
                except Problem as problem:
                    if problem.status not in {409, 412}:
                        raise
            else:
                version += 1
                await asyncio.sleep(0)

    async def say(self, feature: UUID, text: str) -> AsyncIterator[tuple[str, Any]]:
        """The events of the answer's stream, as they come."""
        path = f"/api/features/{feature}/messages"
        async with self.http.stream("POST", path, json={"text": text}) as answer:
            if answer.is_error:
                raise Problem(answer.status_code, await answer.aread())
            name, data = "", ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and name:
                    yield name, json.loads(data or "null")
                    name, data = "", ""

    async def _insist(
        self,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str],
        params: dict[str, Any] | None = None,
    ) -> Any:
        ends = time.monotonic() + self.patience
        while True:
            try:
                answer = await self.http.request(
                    method, path, json=body, headers=headers, params=params
                )
            except httpx2.HTTPError:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 503 and time.monotonic() < ends:
                self.unavailable += 1
                await asyncio.sleep(0.1)
                continue
            if answer.is_error:
                raise Problem(answer.status_code, answer.json())
            return answer.json() if answer.content else None
