"""Talking to the BA agent: a message in, a stream of the answer out.

Invariant: the log decides. Text is passed on as the agent writes it, if it comes; the end of the
answer is read from the log, so that it ends the same with NATS down, after a restart, and for
a client that sends the same idempotency key again.
"""

import asyncio
from decimal import Decimal
from typing import Final
from uuid import UUID

from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Struct

from application.ports import Accepted, Unavailable, Unreadable
from domain import documents as d
from domain import events as e
from domain.commands import MessageText, PostMessage
from domain.errors import NotFound
from domain.recorded import Recorded
from domain.runs import Tokens
from domain.status import Step
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.preconditions import PreconditionsDependency, carry_out
from interface.http.problems.refusals import problem_of
from interface.http.problems.table import PROBLEMS, Problem, problem, wait
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId
from interface.http.services import Services
from interface.http.streaming.session_end import while_signed_in
from interface.http.streaming.streaming import Produce, Put
from interface.http.streaming.streams import frame, open_pipe, streamed
from interface.http.streaming.subscription import FeatureSubscription, LiveMessage
from interface.limits import Rate, Room

OVER: Final = (
    "The access token has ended. The answer is not lost: refresh, or sign in, and read it."
)


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says to the BA agent."""

    text: MessageText


class Delta(Struct, frozen=True):
    """A piece of the answer. With `offset` 0 the answer begins anew: drop what came before."""

    text: str
    offset: int


class ProposedBrief(Struct, frozen=True):
    """A brief that the agent proposes, to be confirmed."""

    markdown: str


class Asked(Struct, frozen=True):
    """A question to the person, answerable by a click."""

    question: d.Question


class AnswerUsage(Struct, frozen=True):
    """What the answer used."""

    tokens: Tokens
    cost_usd: Decimal


class Done(Struct, frozen=True):
    """The answer is whole, and in the log."""

    message_id: UUID
    version: int
    usage: AnswerUsage


class Trouble(Struct, frozen=True):
    """There will be no answer in this stream; the problem says why, and what to do."""

    problem: Problem


@post(
    "/features/{feature_id:str}/messages",
    status_code=200,
    media_type="text/event-stream",
    summary="Say something to the BA agent",
    guards=[Counted(Rate.TALK)],
)
async def post_message(
    request: JsonRequest,
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    data: JSONBody[Said],
    terms: PreconditionsDependency,
) -> Response[bytes]:
    """Answers a stream. A client that goes away does not lose the answer: GET the messages."""
    posted: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

    over = frame("error", Trouble(problem("unauthenticated", OVER)))

    async def produce(put: Put) -> None:
        answer = AnswerStream(services, tenant_id, feature_id, put)
        async with FeatureSubscription(
            services.live, tenant_id, feature_id, answer.on_message
        ) as subscription:
            try:
                message = PostMessage(services.new_id(), data.text)
                accepted = await carry_out(
                    request, terms, feature_id, message, meant=data, sets_agents_to_work=True
                )
            except BaseException as error:
                if not posted.done():
                    posted.set_exception(error)
                raise
            posted.set_result(accepted)
            following = follow(answer, subscription, accepted.version)
            await while_signed_in(request, following, over)(put)

    pipe = open_pipe(request, Room.TALK, produce)
    try:
        accepted = await posted
    except BaseException:
        await pipe.close()
        raise
    ends = wait("unavailable", 1, "This stream ends here; the answer is not lost.")
    farewell = frame("error", Trouble(ends.problem))
    response = streamed(services, pipe, farewell=farewell)
    response.headers["ETag"] = f'"{accepted.version}"'
    return response


def follow(answer: "AnswerStream", subscription: FeatureSubscription, version: int) -> Produce:
    """The producer of the rest of an answer, after the message at this version."""

    async def produce(put: Put) -> None:
        try:
            await answer.follow(subscription, version)
        except (Unavailable, Unreadable, NotFound) as error:
            # The headers are out: what is left is to say it in the stream.
            await put(frame("error", Trouble(problem_of(error))))
        finally:
            answer.is_over = True

    return produce


NEEDLESS: Final = "Something newer made the answer needless."
STOPPED: Final = "Work was stopped. The answer is written once it is resumed."


class AnswerStream:
    """The answer to one message, on its way to one client."""

    def __init__(self, services: Services, tenant_id: UUID, feature_id: UUID, put: Put) -> None:
        """Take where to read, and where to put frames."""
        self._services = services
        self._whose = (tenant_id, feature_id)
        self._put = put
        self._sent: list[str] = []
        self._length = 0
        self.is_over = False
        """After that, no message is passed on."""

    async def on_message(self, message: LiveMessage) -> None:
        """Pass on words of the answer that is being written, as long as none is missing."""
        kind, step = message.get("kind"), message.get("step")
        if kind != "delta" or step != Step.CONVERSE or self.is_over:
            return
        text, offset = str(message.get("text", "")), message.get("offset")
        if offset == 0:
            self._sent, self._length = [], 0
        if offset == self._length:
            self._sent.append(text)
            self._length += len(text)
            await self._put(frame("delta", Delta(text, offset)))

    async def follow(self, subscription: FeatureSubscription, version: int) -> None:
        """Read the log after the message until it says how the answer ends."""
        set_backs = self._services.continuity.set_backs
        while True:
            async with self._services.looking:
                feature = await self._services.features.load(*self._whose)
                found = await self._read(version, feature.version)
            if feature.version < version or set_backs != self._services.continuity.set_backs:
                await self._fail(problem("set_back"))
                return
            for recorded in found:
                version = recorded.version
                if await self._ends(recorded):
                    return
            if Step.CONVERSE not in feature.due:
                await self._fail(problem("superseded", STOPPED if feature.stopped else NEEDLESS))
                return
            await subscription.wait(self._services.look_seconds)

    async def _read(self, after: int, upto: int) -> list[Recorded]:
        if after >= upto:
            return []
        return list(await self._services.log.read(*self._whose, after=after, upto=upto))

    async def _ends(self, recorded: Recorded) -> bool:
        match recorded.event:
            case e.AgentReplied() as reply:
                await self._finish(reply, recorded.version)
            case e.StepAbandoned(step=Step.CONVERSE, code=code, reason=reason):
                await self._fail(problem(code if code in PROBLEMS else "step_failed", reason))
            case _:
                return False
        return True

    async def _finish(self, reply: e.AgentReplied, version: int) -> None:
        self.is_over = True
        sent = "".join(self._sent)
        if reply.text != sent:
            whole = not reply.text.startswith(sent)
            offset = 0 if whole else len(sent)
            await self._put(frame("delta", Delta(reply.text[offset:], offset)))
        if reply.question is not None:
            await self._put(frame("question", Asked(reply.question)))
        if reply.brief_markdown is not None:
            await self._put(frame("brief", ProposedBrief(reply.brief_markdown)))
        usage = AnswerUsage(reply.run.tokens, reply.run.cost_usd)
        await self._put(frame("done", Done(reply.message_id, version, usage)))

    async def _fail(self, said: Problem) -> None:
        self.is_over = True
        await self._put(frame("error", Trouble(said)))


FRAMES: Final = {
    "delta": Delta,
    "question": Asked,
    "brief": ProposedBrief,
    "done": Done,
    "error": Trouble,
}
"""The events of this stream, for the API document."""

HANDLERS = (post_message,)
