"""The BA agent answers the user: prose, and perhaps one question or a proposed brief.

Invariant: a reply has words in it; a proposed brief has ids that can be read back from its page,
and cites only messages that exist. Nothing is changed by a reply.
"""

from uuid import UUID, uuid5

from msgspec import Struct

from application.agents.checks.brief import brief_findings, with_real_sources, with_steady_ids
from application.agents.corrections import Corrections
from application.agents.exchange import Exchange, Result, calls, said, was_cut
from application.agents.failures import StepFailed, check_failed
from application.agents.language import in_language, language_of
from application.agents.prompting import listed
from application.agents.render import brief_markdown
from application.agents.steps.step_context import StepContext
from application.agents.submission import decoded
from application.agents.tools import ASK_QUESTION, PROPOSE_BRIEF
from application.ports import ModelAnswer
from domain import commands as c
from domain.documents import Brief, Question
from domain.runs import Run

TASK = (
    "Answer the last message of the conversation. Use prose of at most 120 words, and at most one "
    "of your tools."
)
_PROPOSED = (
    "Here is the brief as I understand it. Read it, change what is not right, and confirm it."
)


class _Heard(Struct):
    """What was gathered of the reply so far."""

    text: str = ""
    question: Question | None = None
    brief: Brief | None = None


async def converse(work: StepContext) -> c.RecordReply:
    """The reply to the user's last message."""
    messages = [m for m in work.material.conversation if m.role == "user"]
    if not messages:
        raise StepFailed("nothing_to_answer", "There is no message to answer.")
    heard = await _reply(work.exchange(TASK))
    brief = heard.brief
    earlier = work.material.points if work.material.brief else ()
    if brief is not None:
        known = {m.message_id for m in work.material.conversation}
        brief = with_steady_ids(with_real_sources(brief, known), earlier)
    language = language_of("\n".join(message.text for message in messages))
    text = heard.text or (_PROPOSED if brief else "")
    if not text and heard.question:
        text = heard.question.question
    attempt = work.attempt
    name = f"reply {attempt.epoch} {attempt.number}"
    return c.RecordReply(
        attempt=attempt,
        run=Run(),
        message_id=uuid5(UUID(messages[-1].message_id), name),
        text=text,
        question=heard.question,
        brief=brief,
        brief_markdown=None
        if brief is None
        else in_language(brief_markdown(brief, earlier, language), language),
    )


async def _reply(exchange: Exchange) -> _Heard:
    heard = _Heard()
    corrections = Corrections()
    reminded = shortened = False
    while True:
        answer = await exchange.ask()
        heard.text = said(answer) or heard.text
        findings = _take(answer, heard)
        if findings:
            if not corrections.deserved_by(findings) or not exchange.turns_left:
                raise check_failed("The reply", findings)
            exchange.heard(answer)
            exchange.reply(
                [Result(call, listed(findings), is_error=True) for call in calls(answer)]
            )
            continue
        if _is_lost(answer, heard):
            if shortened:
                raise StepFailed(
                    "answer_too_long",
                    "The assistant's answer was cut off at its limit of length, twice. If a brief "
                    "was to be proposed, ask for a shorter one, or write the brief yourself.",
                )
            shortened = True
            exchange.heard(answer)
            exchange.reply([], _SHORTER)
            continue
        if heard.text or heard.question or heard.brief:
            return heard
        if reminded:
            raise StepFailed("no_result", "The assistant gave no answer, twice.")
        reminded = True
        exchange.heard(answer)
        exchange.reply([], _REMINDER)


_REMINDER = "You have not answered yet. Answer the user's last message now."
_SHORTER = (
    "Your answer was cut off at the limit of its length, so what you were about to hand over is "
    "lost. Answer again, shorter. If it was a brief, propose the whole brief again: keep every "
    "point, shorten its sentences, and leave out all `sources`. Otherwise use at most 120 words."
)


def _is_lost(answer: ModelAnswer, heard: _Heard) -> bool:
    """Whether the limit of length took away what the agent was handing over, or all it said."""
    if heard.question or heard.brief:
        return False
    return answer.truncated or (was_cut(answer) and not heard.text)


def _take(answer: ModelAnswer, heard: _Heard) -> list[str]:
    """Put the answer's tool calls into what was heard; findings where that fails."""
    findings: list[str] = []
    for call in calls(answer):
        if call.name == ASK_QUESTION.name:
            question, unreadable = decoded(call, Question)
            heard.question = heard.question or question
            findings += [unreadable] if unreadable else []
        elif call.name == PROPOSE_BRIEF.name:
            brief, unreadable = decoded(call, Brief)
            wrong = [unreadable] if brief is None else brief_findings(brief)
            heard.brief = heard.brief if wrong else brief
            findings += wrong
        else:
            findings.append(f"There is no tool `{call.name}`.")
    return findings
