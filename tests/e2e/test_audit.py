"""Looking back at a feature that the real service made with the demo model."""

from decimal import Decimal
from uuid import UUID

import httpx2
import pytest

from application.transparency.verifier import verify
from interface.cli.client import ServiceClient
from interface.cli.demo import run_demo
from tests.e2e.service import PROJECT, up

BRIEF = (PROJECT / "examples" / "tool-library.md").read_text()

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


async def settled_runs(client: ServiceClient, path: str) -> list[dict]:
    """The runs, once none is under way: the title may come after the zip."""
    while True:
        runs = (await client.call("GET", f"{path}/runs", limit=200))["items"]
        if all(run["outcome"] != "running" for run in runs):
            return runs


@pytest.mark.campaign
async def test_what_the_service_did_can_be_shown_traced_and_added_up(tmp_path):
    with up(tmp_path / "data") as url:
        async with ServiceClient(url) as client:
            lines: list[str] = []
            await run_demo(client, BRIEF, tmp_path, lines.append)
            feature = UUID(lines[0].removeprefix("feature "))
            path = f"/api/features/{feature}"
            runs = await settled_runs(client, path)

            # The log goes out whole, and holds without the service.
            token = client._http.headers["authorization"]  # noqa: SLF001
            headers = {"Authorization": token, "Accept": "application/x-ndjson"}
            async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
                exported = await http.get(f"{path}/events", headers=headers)
            report = verify(exported.content.splitlines())
            assert report.valid, report
            assert report.sealed == 0
            verified = await client.call("GET", f"{path}/events/verify")
            assert (verified["head"], verified["events"]) == (report.head, report.events)

            # What is shown is what the log gives.
            certificate = await client.call("GET", f"{path}/certificate")
            assert certificate["equal"], certificate
            assert certificate["head"] == report.head

            # From the brief to every request that was paid for it.
            found = await client.call("GET", "/api/events", type="brief_confirmed")
            (confirmed,) = found["items"]
            tree = await client.call("GET", f"{path}/events/{confirmed['event_id']}/causation")
            (root,) = tree["roots"]
            assert root["event"]["type"] == "brief_confirmed"
            calls = [call for caused in _all(root) for call in caused["calls"]]
            assert calls
            assert len(calls) == tree["calls"]
            assert {call["outcome"] for call in calls} == {"answered"}
            assert all(call["request_id"] for call in calls)
            assert "spec_generated" in {caused["event"]["type"] for caused in _all(root)}

            # What was spent is what the runs say.
            usage = await client.call("GET", "/api/usage")
            told = sum(Decimal(run["cost_usd"]) for run in runs)
            assert Decimal(usage["total"]["cost_usd"]) == told
            assert {share["name"] for share in usage["by_model"]} == {"demo-model"}
            assert {share["name"] for share in usage["by_agent"]} == {run["agent"] for run in runs}
            assert {share["name"] for share in usage["by_feature"]} == {str(feature)}
            problems = await client.call("GET", "/api/events", problems="true")
            assert problems["items"] == []


def _all(caused: dict) -> list[dict]:
    return [caused, *(deeper for child in caused["caused"] for deeper in _all(child))]
