"""What an agent may touch during one attempt: the model through the ledger, and the object store.

Every request is in the ledger before it leaves. An answer that is already there, from an attempt
whose worker was lost, is taken from there and not paid for again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from time import monotonic
from typing import Any, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.inspection import Inspection, RuleNote, StaticFinding
from application.delivery.artifact_keys import artifact_key
from application.execution.drafting import Draft
from application.execution.fail_points import NOWHERE, FailPoint
from application.execution.model_access import ModelAccess
from application.execution.retry import retry_while_unavailable
from application.ports import (
    ArtifactStore,
    Claim,
    Ledger,
    LedgerEntry,
    Live,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Unavailable,
)
from application.running.computing import Computing, CouldNotCompute, Here
from domain.documents import Plan
from domain.events import FileWritten
from domain.runs import Attempt, Run, Tokens
from domain.status import Step

HUNG_UP = "hung_up"
"""The outcome in the ledger of a request whose stream we closed: a restart, or something newer."""
HAND_BACK_SECONDS = 5.0
"""How long a database that is away is waited for by whoever is being stopped."""
P = ParamSpec("P")
R = TypeVar("R")

LIVE_EVERY_SECONDS = 0.05
"""How often words being written are passed on to watchers."""


class AttemptAdapters(msgspec.Struct, frozen=True):
    """The adapters that a context is made of."""

    ledger: Ledger
    artifacts: ArtifactStore
    inspection: Inspection
    live: Live
    computing: Computing = Here()
    fail_point: FailPoint = NOWHERE


class LeasedAttempt:
    """The context of one attempt; `run()` says what it used so far."""

    def __init__(
        self,
        tools: AttemptAdapters,
        claim: Claim,
        attempt: Attempt,
        provision: ModelAccess,
        known: Sequence[LedgerEntry],
        on_progress: Callable[[], None],
        renew: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Set it up.

        `renew` prolongs the claim's lease after an outage, in which it may have run out.
        """
        self._tools = tools
        self._claim = claim
        self._attempt = attempt
        self._provision = provision
        self._answers = {e.request_sha256: e.answer for e in known if e.answer is not None}
        self._on_progress = on_progress
        self._renew = renew
        self._turn = 0
        self._sent = 0
        self._tokens = Tokens()
        self._cost = Decimal(0)
        self._began = monotonic()
        self._files: dict[str, FileWritten] = {}
        self._stored: set[str] = set()
        self._words = _LiveProgress(tools.live, claim, attempt)

    def run(self) -> Run:
        """What this attempt used so far."""
        seconds = round(monotonic() - self._began, 3)
        return Run(self._tokens, self._cost, seconds, self._sent)

    def files(self) -> tuple[FileWritten, ...]:
        """What it has written and stored so far, in the order of paths."""
        return tuple(self._files[path] for path in sorted(self._files))

    def accepted(self, file: FileWritten) -> None:
        """Take note of a file that is stored."""
        self._files[file.path] = file

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """One turn. What it used is counted whatever comes of it.

        Raises:
            ModelError: no usable answer.
            LeaseLost: the step is another worker's by now; nothing was sent.
        """
        self._turn += 1
        body = msgspec.json.encode(request)
        entry = LedgerEntry(
            self._claim.task_id, self._attempt.number, self._turn, sha256(body).hexdigest()
        )
        stored = self._answers.get(entry.request_sha256)
        if stored is not None:
            return msgspec.json.decode(stored, type=ModelAnswer)
        owner, feature, fencing_token = (
            self._claim.tenant_id,
            self._claim.feature_id,
            self._claim.fencing_token,
        )
        self._tools.fail_point.reached("at_work", self._attempt.step)
        self._tools.fail_point.reached("before_announcement", self._attempt.step)
        await retry_while_unavailable(
            lambda: self._tools.ledger.announce(owner, feature, entry, fencing_token),
            before_again=self._renew,
        )
        self._tools.fail_point.reached("before_request", self._attempt.step)
        self._sent += 1
        used = _Used()
        try:
            answer = await self._provision.model.ask(
                request,
                self._provision.api_key,
                idempotency_key=f"{entry.task_id}-{entry.attempt}-{entry.turn}",
                on_text=self._words.add,
                on_draft=self._drafted(),
                on_progress=self._on_progress,
                on_tokens=used.count,
                on_thought=self._thought(),
            )
        except asyncio.CancelledError:
            self._count(used.tokens, request.model)
            cut = replace(entry, outcome=HUNG_UP, tokens=used.tokens)
            settling = retry_while_unavailable(
                lambda: self._tools.ledger.settle(owner, feature, cut), patience=HAND_BACK_SECONDS
            )
            with contextlib.suppress(Unavailable):  # Then its outcome stays unknown.
                await asyncio.shield(settling)
            raise
        except ModelError as error:
            self._count(error.tokens, request.model)
            failed = replace(entry, outcome=error.code, tokens=error.tokens)
            await retry_while_unavailable(lambda: self._tools.ledger.settle(owner, feature, failed))
            raise
        self._count(answer.tokens, request.model)
        raw = msgspec.json.encode(answer)
        settled = replace(entry, answer=raw, outcome="answered", tokens=answer.tokens)
        # The answer is paid for: neither being cancelled now nor a short outage may lose it.
        settling = retry_while_unavailable(
            lambda: self._tools.ledger.settle(owner, feature, settled)
        )
        await asyncio.shield(settling)
        self._tools.fail_point.reached("after_answer", self._attempt.step)
        await self._words.flush()
        return answer

    async def store(self, content: bytes) -> str:
        """Keep a file; its SHA-256. What this attempt has stored is stored: once is enough."""
        digest = sha256(content).hexdigest()
        if digest in self._stored:
            return digest
        key = artifact_key(self._claim.tenant_id, self._claim.feature_id, digest)
        await retry_while_unavailable(lambda: self._tools.artifacts.put(key, content))
        self._stored.add(digest)
        return digest

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Plan | None = None
    ) -> Sequence[StaticFinding]:
        """What parsers find wrong with files, without running anything."""
        return await self._tools.inspection.inspect(self._claim.tenant_id, files, packages, plan)

    async def notes(self, files: Mapping[str, str], plan: Plan | None = None) -> Sequence[RuleNote]:
        """Places that a reviewer must answer for."""
        return await self._tools.inspection.notes(self._claim.tenant_id, files, plan)

    async def beside(self, files: Mapping[str, str], paths: Sequence[str]) -> Sequence[str]:
        """Files that import one of these, or that one of them imports."""
        return await self._tools.inspection.beside(self._claim.tenant_id, files, paths)

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function gives, computed where long texts hold up nobody; see `computing`.

        Raises:
            StepFailed: the text took it too much time or memory.
        """
        try:
            return await self._tools.computing.run(self._claim.tenant_id, work, *args, **kwargs)
        except CouldNotCompute:
            raise StepFailed(
                "answer_too_long", "What the agent handed over could not be checked in time."
            ) from None

    def show(self, kind: str, **what: Any) -> None:  # noqa: ANN401  # Words for people, as JSON.
        """Tell whoever watches what is going on."""
        self._words.show(kind, what)

    def _drafted(self) -> Callable[[str], None]:
        """Show the prose of a document while the agent writes it.

        Nothing is shown in a conversation: there the message holds only what the agent says.
        """
        if self._attempt.step is Step.CONVERSE:
            return lambda _: None
        draft = Draft()
        return lambda piece: self._words.add(draft.read(piece))

    def _thought(self) -> Callable[[str], None]:
        """What is done with thoughts: between two calls they are all that the agent says.

        But not in a conversation, where they are not part of the message.
        """
        return (lambda _: None) if self._attempt.step is Step.CONVERSE else self._words.add

    def _count(self, tokens: Tokens, model: str) -> None:
        self._tokens = self._tokens + tokens
        # A model without a price has no cost, rather than a wrong one: its manifest says so.
        self._cost += self._provision.agent_configs.prices.cost(tokens, model) or 0


class _Used:
    """What a request has used so far, as far as the provider has told."""

    def __init__(self) -> None:
        self.tokens = Tokens()

    def count(self, tokens: Tokens) -> None:
        self.tokens = tokens


class _LiveProgress:
    """Passes on what is being written, a few times a second, without ever holding up the work."""

    def __init__(self, live: Live, claim: Claim, attempt: Attempt) -> None:
        self._live = live
        self._claim = claim
        self._about = {"step": attempt.step, "attempt": attempt.number}
        self._text: list[str] = []
        self._offset = 0
        self._sending: set[asyncio.Task[None]] = set()

    def add(self, text: str) -> None:
        if not text:
            return
        self._text.append(text)
        if not self._sending:
            self._spawn(self._soon())

    def show(self, kind: str, what: Mapping[str, Any]) -> None:
        body = {"kind": kind, **self._about, **what}
        self._spawn(self._live.say(self._claim.tenant_id, self._claim.feature_id, body))

    async def flush(self) -> None:
        text, self._text = "".join(self._text), []
        if text:
            body = {"kind": "delta", **self._about, "offset": self._offset, "text": text}
            self._offset += len(text)
            await self._live.say(self._claim.tenant_id, self._claim.feature_id, body)

    async def _soon(self) -> None:
        await asyncio.sleep(LIVE_EVERY_SECONDS)
        await self.flush()

    def _spawn(self, work: Any) -> None:  # noqa: ANN401  # Any coroutine.
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
