"""A brief in, a zip out: what a person does in the browser, done through the same API.

Every gate is approved as it comes, with the reviewer's recommendation printed: a demonstration,
not a way to work.
"""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from application.delivery.names import file_name
from interface.cli.client import ServiceClient

GO_AHEAD = "That's all. Please propose the brief now."
LONGEST_CONVERSATION = 10


class DemoFailed(Exception):
    """The demo did not come to a zip."""


async def run_demo(
    client: ServiceClient, brief: str, out: Path, say: Callable[[str], None]
) -> Path:
    """Take a brief through the whole pipeline.

    Args:
        client: A service that runs.
        brief: What to build, in plain words.
        out: The folder for the zip; made if it is not there.
        say: Prints a line of progress.

    Raises:
        DemoFailed: the feature failed, with the reason.
        ServiceRefused, ServiceGone: as for the client.
    """
    out.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # One call, before anything runs.
    await client.sign_up(f"demo-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(24))
    created = await client.call("POST", "/api/features", {})
    feature = UUID(created["id"])
    say(f"feature {feature}")
    confirmed = await _converse(client, feature, brief, say)
    accepted = await client.call("POST", f"/api/features/{feature}/brief", {"brief": confirmed})
    say(f"brief confirmed ({len(confirmed):,} characters)")
    shown = await _pipeline(client, feature, accepted["version"], say)
    zip_path = out / f"{file_name(shown['title'])}.zip"
    size = await client.download(feature, zip_path)
    say(f"{zip_path} ({size:,} bytes, cost ${shown['cost_usd']})")
    return zip_path


async def _converse(
    client: ServiceClient, feature: UUID, text: str, say: Callable[[str], None]
) -> str:
    """Tell the BA agent what to build until it proposes a brief."""
    for _ in range(LONGEST_CONVERSATION):
        proposed = None
        async for name, data in client.say(feature, text):
            if name == "brief":
                proposed = str(data["markdown"])
            if name == "question":
                say(f"BA asks: {data['question']}")
            if name == "error":
                raise DemoFailed(str(data.get("problem", data)))
        if proposed is not None:
            say("BA proposes a brief")
            return proposed
        text = GO_AHEAD
    raise DemoFailed("The BA agent did not propose a brief.")


async def _pipeline(
    client: ServiceClient, feature: UUID, version: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Watch the agents work and approve at each gate; the finished feature."""
    path, status = f"/api/features/{feature}", ""
    while True:
        shown = await client.call("GET", path, min_version=version + 1)
        if shown["status"] != status:
            status = shown["status"]
            say(status)
        if status == "failed":
            failure = shown["failure"]
            told = f"{failure['reason']} {failure.get('advice', '')}".strip()
            raise DemoFailed(f"The feature failed at {failure['step']}: {told}")
        if status == "done":
            return dict(shown)
        version = max(version, shown["version"])
        advice = shown["recommendation"]
        if "approve" in shown["actions"] and advice:
            gate = advice["gate"]
            say(f"the reviewer advises {advice['verdict']}: {advice['summary']}")
            body = {
                "gate": gate,
                "content_sha256": shown["deliverables"][gate]["content_sha256"],
                "note": "approved by the demo command",
            }
            accepted = await client.call("POST", f"{path}/approve", body)
            say(f"{gate} approved")
            version = accepted["version"] - 1
