"""Spoils an answer on purpose, so that tests see each check refuse it.

Invariant: what is spoilt is exactly what the fault names; the rest of the answer is right.
"""

import json
from typing import Any

from infrastructure.demo_model.reply import Call, Reply, ReplyText

UNKNOWN = "999"


def prose(_: Reply) -> Reply:
    """Words where a tool call was asked for."""
    return Reply(
        (ReplyText("I am the demo model. I would rather talk about it than hand it over."),)
    )


def empty(_: Reply) -> Reply:
    """Nothing at all."""
    return Reply(())


def refused(_: Reply) -> Reply:
    """A refusal of the provider's safety systems."""
    return Reply((), "refusal")


def truncated(reply: Reply) -> Reply:
    """The last tool call breaks off in its middle, at `max_tokens`."""
    last = reply.blocks[-1]
    if isinstance(last, ReplyText):
        return Reply(
            (*reply.blocks[:-1], ReplyText(last.text[: len(last.text) // 2])), "max_tokens"
        )
    if not isinstance(last, Call):
        return reply
    half = Call(last.name, last.raw[: max(1, len(last.raw) * 2 // 3)])
    return Reply((*reply.blocks[:-1], half), "max_tokens", cut=True)


def malformed(reply: Reply) -> Reply:
    """The last tool call is whole, and no JSON."""
    last = reply.blocks[-1]
    if not isinstance(last, Call):
        return reply
    return Reply((*reply.blocks[:-1], Call(last.name, last.raw[:-1] + ",]")))


def _first(reply: Reply, change: Any) -> Reply:  # noqa: ANN401 - a function over JSON.
    """Change the input of the first call; the others stay right."""
    for place, block in enumerate(reply.blocks):
        if isinstance(block, Call):
            raw = json.dumps(change(block.name, json.loads(block.raw)), ensure_ascii=False)
            spoilt = Call(block.name, raw)
            blocks = (*reply.blocks[:place], spoilt, *reply.blocks[place + 1 :])
            return Reply(blocks, reply.stop_reason)
    return reply


def bad_paths(reply: Reply) -> Reply:
    """Files outside the folder, over the tests, and under names that no file may have."""

    def change(_: str, value: dict[str, Any]) -> dict[str, Any]:
        for file in (value.get("files") or [])[:1]:
            value["files"].append({**file, "path": "../outside.ts"})
            value["files"].append({**file, "path": "tests/validation.test.ts"})
            value["files"].append({**file, "path": "/etc/passwd"})
        return value

    return _first(reply, change)


def missing_file(reply: Reply) -> Reply:
    """One file less than asked for; a plan whose task writes a file nobody owns."""

    def change(name: str, value: dict[str, Any]) -> dict[str, Any]:
        if name == "submit_plan":
            value["tasks"][-1]["writes"].append("src/nobody.ts")
        elif value.get("files"):
            value["files"].pop()
        return value

    return _first(reply, change)


def placeholder(reply: Reply) -> Reply:
    """A file that leaves out its rest."""

    def change(_: str, value: dict[str, Any]) -> dict[str, Any]:
        for file in (value.get("files") or [])[:1]:
            if "content" in file:
                lines = file["content"].split("\n")
                half = lines[: max(1, len(lines) // 2)]
                file["content"] = "\n".join([*half, "// ... rest of the code remains unchanged"])
        return value

    return _first(reply, change)


def wrong_ids(reply: Reply) -> Reply:
    """Ids that nobody has given."""

    def change(name: str, value: dict[str, Any]) -> dict[str, Any]:
        match name:
            case "submit_spec":
                value["requirements"][0]["sources"] = [f"BF-{UNKNOWN}"]
            case "submit_plan":
                value["tasks"][0]["requirements"] = [f"FR-{UNKNOWN}"]
            case "submit_tests":
                value["files"][0]["covers"] = [f"FR-{UNKNOWN}"]
            case "submit_recommendation":
                value["reasons"] = [{"text": "Cites what is not there.", "ids": [f"FR-{UNKNOWN}"]}]
            case "task_done":
                value["tasks"] = [f"T-{UNKNOWN}"]
            case _:
                pass
        return value

    return _first(reply, change)


SPOIL = {
    "prose_instead_of_tool": prose,
    "empty_answer": empty,
    "refusal": refused,
    "truncated_tool": truncated,
    "malformed_json": malformed,
    "bad_paths": bad_paths,
    "missing_file": missing_file,
    "placeholder": placeholder,
    "wrong_ids": wrong_ids,
}
"""What a fault makes of a right answer."""
