"""How a whole document is obtained: asked for, decoded, checked, sent back while it gets better.

Invariant: what is returned has passed its check. A reminder, or a second try after a cut-off, comes
once between two documents; a document that got no better fails the step with what was found.
"""

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from application.agents.corrections import Corrections
from application.agents.exchange import Exchange, Result, calls, was_cut
from application.agents.failures import StepFailed, check_failed
from application.agents.prompting import listed
from application.agents.tools import Tool
from application.ports import Block, ModelAnswer

T = TypeVar("T", bound=Struct)
Check = Callable[[T], Awaitable[list[str]]]
"""Findings over a document, a sentence each; none if it may be shown."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON: an escape that is not itself escaped. Databases and shells refuse what it stands for."""

MOST_SHOWN = 40
"""Findings that are sent back at once."""


async def obtain(
    exchange: Exchange,
    tool: Tool,
    takes: type[T],
    check: Check[T],
    doubts: Check[T] | None = None,
) -> T:
    """The document, once it has no findings.

    Args:
        exchange: The conversation with the agent.
        tool: What it hands the document over with.
        takes: The document's structure.
        check: Findings that no document may have.
        doubts: Findings that code is not sure of: told once, and never a reason to fail. What was
            accepted before counts if nothing better comes.

    Raises:
        StepFailed: `check_failed`, `no_result`, `answer_too_long`, or what `Exchange.ask` raises.
        ModelError: no usable answer.
    """
    document, answer, call = await _accepted(exchange, tool, takes, check)
    found = await doubts(document) if doubts else []
    if not found:
        return document
    exchange.heard(answer)
    text = _DOUBTS.format(findings=listed(found[:MOST_SHOWN]), tool=tool.name)
    exchange.reply(
        [
            Result(each, text if each is call else _IGNORED, is_error=each is not call)
            for each in calls(answer)
        ]
    )
    try:
        again, _, _ = await _accepted(exchange, tool, takes, check)
    except StepFailed:
        return document
    return again


async def _accepted(
    exchange: Exchange, tool: Tool, takes: type[T], check: Check[T]
) -> tuple[T, ModelAnswer, Block]:
    """The document without findings, and where it came."""
    reminded = cut = False
    corrections = Corrections()
    while True:
        answer = await exchange.ask()
        submitted = [call for call in calls(answer) if call.name == tool.name]
        if not submitted and was_cut(answer):
            if cut:
                raise StepFailed(
                    "answer_too_long", "The answer was cut off at its limit of length, twice."
                )
            cut = True
            go_on(exchange, answer, SHORTER.format(tool=tool.name))
            continue
        if not submitted:
            if reminded:
                raise StepFailed(
                    "no_result", "The agent answered twice without handing anything over."
                )
            reminded = True
            go_on(exchange, answer, REMINDER.format(tool=tool.name))
            continue
        document, findings = await _checked(submitted[-1], takes, check)
        if document is not None and not findings:
            return document, answer, submitted[-1]
        if (
            not corrections.deserved_by(findings, readable=document is not None)
            or not exchange.turns_left
        ):
            raise check_failed("What the agent handed over", findings)
        reminded = cut = False
        exchange.heard(answer)
        text = _CORRECTION.format(findings=listed(findings[:MOST_SHOWN]), tool=tool.name)
        exchange.reply(
            [
                Result(call, text if call is submitted[-1] else _IGNORED, is_error=True)
                for call in calls(answer)
            ]
        )


REMINDER = (
    "Nothing is handed over yet. Hand the whole document over now by calling `{tool}`; prose alone "
    "is not kept."
)
SHORTER = (
    "Your answer was cut off at the limit of its length, so nothing of it is kept. Call `{tool}` "
    "again with the whole document in fewer words: keep every id, shorten the sentences."
)
_CORRECTION = (
    "The document is not accepted. These are the findings of the checks:\n{findings}\n"
    "Mend exactly these, leave the rest as it is, and hand over the whole document again by "
    "calling `{tool}`."
)
_DOUBTS = (
    "The document is accepted, but these things in it look wrong to a check that only compares "
    "words:\n{findings}\nLook at each. Mend what is wrong (what a point says, its numbers, dates, "
    "amounts and names, stands in a requirement that cites it), leave what is right, and hand over "
    "the whole document again by calling `{tool}`."
)
_IGNORED = "This call is not used."


def decoded(call: Block, takes: type[T]) -> tuple[T | None, str]:
    """What a call hands over, or the finding why it cannot be read."""
    if _NUL.search(bytes(call.input)):
        return None, "The call holds a NUL character, which no text may."
    try:
        return msgspec.json.decode(call.input, type=takes), ""
    except msgspec.MsgspecError as unreadable:
        return None, f"The call does not have the shape that the tool takes: {unreadable}."


async def _checked(call: Block, takes: type[T], check: Check[T]) -> tuple[T | None, list[str]]:
    document, unreadable = decoded(call, takes)
    if document is None:
        return None, [unreadable]
    return document, await check(document)


def go_on(exchange: Exchange, answer: ModelAnswer, text: str) -> None:
    """Take an answer of which nothing is used, and say what is wanted."""
    exchange.heard(answer)
    exchange.reply([Result(call, _IGNORED, is_error=True) for call in calls(answer)], text)
