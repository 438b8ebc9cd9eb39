"""Back, aside and compared, through the API of a real service with the demo model."""

import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from interface.cli.client import ServiceClient
from interface.cli.demo import run_demo
from tests.e2e.service import PROJECT, up
from tests.e2e.test_brief_to_zip import settled, signed_up

BRIEF = (PROJECT / "examples" / "tool-library.md").read_text()

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with up(tmp_path_factory.mktemp("looking-back") / "data") as url:
        yield url


async def approved(client: ServiceClient, path: str, gate: str, version: int) -> dict[str, Any]:
    shown = await client.call("GET", path, min_version=version)
    sha = shown["deliverables"][gate]["content_sha256"]
    body = {"gate": gate, "content_sha256": sha}
    accepted: dict[str, Any] = await client.call("POST", f"{path}/approve", body)
    return accepted


async def test_a_finished_feature_is_forked_seen_as_it_was_and_outlived(
    service: str, tmp_path: Path
) -> None:
    async with await signed_up(service, "gus") as client:
        lines: list[str] = []
        first = await run_demo(client, BRIEF, tmp_path, lines.append)
        path = f"/api/features/{UUID(lines[0].removeprefix('feature '))}"
        done = await client.call("GET", path)
        points = (await client.call("GET", f"{path}/checkpoints"))["items"]
        target = max(p["version"] for p in points)

        gate = next(p for p in points if p["status"] == "plan_ready")
        then = await client.call("GET", f"{path}?version={gate['version']}")
        assert (then["status"], then["present"]) == ("plan_ready", False)
        assert then["deliverables"]["tests"] is None
        same = await client.call("GET", f"{path}?version={done['version']}")
        assert same == done

        made = await client.call("POST", f"{path}/fork", {"version": target, "title": "Again"})
        child = f"/api/features/{made['id']}"
        shown = await client.call("GET", child, min_version=made["version"])
        assert shown["status"] == "tests_ready"
        assert shown["awaiting"] == ["spec", "plan", "tests"]
        assert shown["forked_from"] == {"id": done["id"], "version": target}
        version = made["version"]
        for name in shown["awaiting"]:
            version = (await approved(client, child, name, version))["version"]
        finished = await settled(client, child, "done")
        runs = (await client.call("GET", f"{child}/runs"))["items"]
        assert {run["outcome"] for run in runs} == {"reused"}
        assert float(finished["cost_usd"]) == 0

        query = f"from={done['version']}&with={made['id']}"
        difference = await client.call("GET", f"{path}/diff?{query}")
        assert (difference["deliverables"], difference["files"]) == ([], [])
        whole = await client.call("GET", f"{path}/diff?from={gate['version']}")
        assert {change["name"] for change in whole["deliverables"]} >= {"tests.md"}
        assert {file["kind"] for file in whole["files"]} == {"added"}
        parent = await client.call("GET", path)
        assert [fork["id"] for fork in parent["forks"]] == [made["id"]]

        await client.call("DELETE", path)
        zipped = tmp_path / "fork.zip"
        await client.download(UUID(made["id"]), zipped)
        assert files_of(zipped) == files_of(first)
        verified = await client.call("GET", f"{child}/events/verify")
        assert verified["valid"]


def files_of(archive: Path) -> dict[str, bytes]:
    """The delivered files, without the papers about how they came to be, and the id in them."""
    with zipfile.ZipFile(archive) as opened:
        return {
            name.partition("/")[2]: opened.read(name)
            for name in opened.namelist()
            if "/documents/" not in name and name.partition("/")[2] != "compose.yaml"
        }
