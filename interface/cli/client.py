"""The service as its users' programs see it: the HTTP API, and nothing else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx2

READ_SECONDS = 120.0
"""Longer than any pause between two comments of a stream."""


class ServiceRefused(Exception):
    """The service answered with a problem."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or f"HTTP {status}"
        super().__init__(str(detail))
        self.status = status
        self.code = str(problem.get("code", ""))


class ServiceGone(Exception):
    """The service does not answer."""


class ServiceClient:
    """One signed-in user of the API."""

    def __init__(self, url: str) -> None:
        timeout = httpx2.Timeout(READ_SECONDS, connect=5.0)
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout, trust_env=False)
        self.url = url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def alive(self) -> bool:
        """Whether a service answers there."""
        try:
            answer = await self._http.get("/health")
        except httpx2.HTTPError:
            return False
        return answer.status_code == httpx2.codes.OK and "status" in answer.text

    async def call(self, method: str, path: str, body: object = None, **params: Any) -> Any:  # noqa: ANN401
        """The answer's JSON.

        Raises:
            ServiceRefused: with the problem's detail.
            ServiceGone: nobody answers.
        """
        try:
            answer = await self._http.request(method, path, json=body, params=params or None)
        except httpx2.HTTPError as error:
            raise ServiceGone(f"The service at {self.url} does not answer: {error}") from None
        if answer.is_error:
            raise _refused(answer)
        return answer.json() if answer.content else None

    async def sign_up(self, email: str, password: str) -> None:
        """Open an account; later calls are its owner's."""
        session = await self.call("POST", "/auth/signup", {"email": email, "password": password})
        self.carry(session["access_token"])

    def carry(self, access_token: str) -> None:
        """Act as the owner of a token from now on."""
        self._http.headers["Authorization"] = f"Bearer {access_token}"

    async def say(self, feature: UUID, text: str) -> AsyncIterator[tuple[str, Any]]:
        """Talk to the BA agent: the names and data of the stream's events, as they come."""
        path = f"/api/features/{feature}/messages"
        async with self._http.stream("POST", path, json={"text": text}) as answer:
            if answer.is_error:
                await answer.aread()
                raise _refused(answer)
            name, data = "", ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and name:
                    yield name, json.loads(data or "null")
                    name, data = "", ""

    async def download(self, feature: UUID, to: Path, form: str = "zip") -> int:
        """Save the zip, or as `git` the bundle, whole or not at all; its size in bytes."""
        partial = to.with_name(f".{to.name}.partial")
        path = f"/api/features/{feature}/download"
        async with self._http.stream("GET", path, params={"format": form}) as answer:
            if answer.is_error:
                await answer.aread()
                raise _refused(answer)
            size = 0
            with partial.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    size += file.write(chunk)
        partial.replace(to)
        return size


def _refused(answer: httpx2.Response) -> ServiceRefused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": f"HTTP {answer.status_code}"}
    return ServiceRefused(answer.status_code, problem)
