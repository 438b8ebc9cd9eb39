"""What the use cases need from the world. Each port is small, and its adapters share one contract.

Every port that touches stored data takes the tenant: there is no way to ask without saying whose.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from msgspec import Raw, Struct

from domain.events import FeatureEvent
from domain.recorded import Recorded
from domain.runs import Tokens
from domain.status import Agent, Step


class Metadata(Struct, frozen=True):
    """Who causes something, and in answer to what."""

    tenant_id: UUID
    actor: str
    """`user:<uuid>`, `agent:<name>` or `system:<process>`."""
    correlation_id: UUID
    """One per command a person gives; everything that follows from it carries it on."""
    causation_id: UUID | None = None
    """The event this answers."""


class Why(StrEnum):
    """Why something that is stored cannot be read here. The value is the code of the problem."""

    NEWER = "newer_version"
    """A newer version of this program wrote it."""
    DAMAGED = "event_damaged"
    """It is not what was recorded, or does not open."""
    LOCKED = "key_not_given"
    """It is sealed under a master key that this process was not given."""


class Unread(Struct, frozen=True):
    """An event that stands in the log and cannot be read here: all but its content."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    actor: str
    correlation_id: UUID
    causation_id: UUID | None
    recorded_at: datetime
    hash: bytes
    previous_hash: bytes
    why: Why


class DueStep(Struct, frozen=True):
    """A step that an event made due. `task_id` is derived from both: a repeat is a no-op."""

    task_id: UUID
    tenant_id: UUID
    feature_id: UUID
    step: Step
    event_id: UUID
    version: int
    correlation_id: UUID


class TaskUpdate(Struct, frozen=True):
    """What becomes of a leased task in the very transaction that appends. Needs the live lease."""

    task_id: UUID
    fencing_token: int
    then: str
    """`running` (only checked), `done`, `failed`, or `queued` for another attempt."""
    retry_after_seconds: float = 0.0
    error: str = ""


class Receipt(Struct, frozen=True):
    """An idempotency key and the hash of the request it stands for."""

    key: str
    request_sha256: str


class Accepted(Struct, frozen=True):
    """The answer to a command, once its events are durable."""

    id: UUID
    version: int
    status: str


class Effects(Struct, frozen=True):
    """What must be in the same transaction as the events."""

    task: TaskUpdate | None = None
    cancel_tasks: bool = False
    """Cancel every queued and running task of the feature: something newer replaces them."""
    destroy_key: bool = False
    """Destroy the feature's data key, and note that its objects are to be removed."""
    receipt: Receipt | None = None
    accepted: Accepted | None = None
    """Kept with the receipt, to be answered again."""
    due: tuple[DueStep, ...] = ()
    """Tasks to make, after older ones were cancelled: of the very events that are appended."""
    forked_from: tuple[UUID, int] | None = None
    """Of a stream's first append: the feature and version it continues, which must be there yet."""
    answers: UUID | None = None
    """The event that this answers: it must be in the log."""
    rests_on: tuple[int, bytes] | None = None
    """Version and hash of the stream's event up to which was read what this was made from."""


class Conflict(Exception):
    """Somebody appended in between. Read again, decide again."""


class Diverged(Exception):
    """The log does not hold the event that this goes on from: it was set back. Read it anew."""


class Groundless(Exception):
    """What this answers, or was made from, is in no log any more: the log was set back."""


class LeaseLost(Exception):
    """The task is no longer ours: its lease ran out, or it was cancelled."""


class ReceiptExists(Exception):
    """The idempotency key was used in the meantime."""


class Unavailable(Exception):
    """A dependency cannot be reached at the moment."""

    def __init__(self, dependency: str, detail: str = "") -> None:
        super().__init__(f"{dependency} cannot be reached at the moment. {detail}".strip())
        self.dependency = dependency


CAUSES: Mapping[Why, str] = {
    Why.NEWER: "was written by a newer version of this program, and is read once that runs here",
    Why.DAMAGED: "is not what was recorded, or does not open: the operator must look at it",
    Why.LOCKED: "is sealed under a master key that this process was not given",
}


class Unreadable(Exception):
    """Something of a feature cannot be read here. It hurts that feature alone."""

    def __init__(self, what: str, why: Why) -> None:
        """Say what of the feature, such as `Event 7 (feature_renamed)`, and why."""
        super().__init__(f"{what} {CAUSES[why]}.")
        self.why = why


class EventLog(Protocol):
    """The truth: one append-only stream of events for each feature."""

    async def read(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        """Events with versions in (after, upto], in order. Empty for an unknown stream.

        `head` is the hash of the event at version `after`, for whoever remembers it.

        Raises:
            Diverged: the stream has no event at `after` with this hash.
            Unavailable: the database does not answer.
            Unreadable: one of them cannot be read here.
        """

    async def at(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at exactly these versions; unknown ones are left out. Raises as `read`."""

    async def entries(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        versions: Collection[int] | None = None,
    ) -> Sequence[Recorded | Unread]:
        """The same for who shows the log as it is: what cannot be read stands there as such."""

    async def append(
        self,
        feature_id: UUID,
        events: Sequence[tuple[UUID, FeatureEvent]],
        *,
        expected: int,
        origin: Metadata,
        effects: Effects = Effects(),
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        """Append events under ids the caller chose, if the stream is at version `expected`.

        The same ids again answer with what is stored: a lost acknowledgement is no conflict.
        `head` is the hash of the event at `expected` that this was decided on; whoever has not
        read it, as tests do, leaves it out.

        Raises:
            Conflict: the stream is at another version, or this version has another hash.
            Groundless: `effects.answers` or `effects.rests_on` is not in the log.
            LeaseLost: `effects.task` is not ours any more; nothing was appended.
            ReceiptExists: `effects.receipt` was used before; nothing was appended.
            Unavailable: the database does not answer; whether it was appended is unknown.
        """


class Receipts(Protocol):
    """Idempotency keys, each kept for 24 hours with the answer it got."""

    async def find(self, tenant_id: UUID, key: str) -> tuple[str, Accepted] | None:
        """The request hash and the answer first given, or None."""


class Claim(Struct, frozen=True):
    """A leased task."""

    task_id: UUID
    tenant_id: UUID
    feature_id: UUID
    step: Step
    event_id: UUID
    """The event that made the step due."""
    version: int
    """That event's version: the step's `due_since`."""
    correlation_id: UUID
    attempt: int
    """1 for the task's first lease."""
    fencing_token: int
    """Grows with every claim; whoever holds an older one is refused."""
    alone: bool = False
    """Whether it may have ended a process: it is to run in one of its own."""


class Tasks(Protocol):
    """The queue of record: steps to be done, leased to workers."""

    async def enqueue(self, steps: Sequence[DueStep]) -> int:
        """Add the steps that are not there yet; how many were new."""

    async def claim(
        self,
        worker: str,
        agents: Sequence[Agent],
        *,
        limit: int,
        lease_seconds: float,
        alone: int | None = None,
        take_over: bool = True,
    ) -> Sequence[Claim]:
        """Lease up to `limit` queued or expired tasks; the least-loaded tenant first.

        Args:
            worker: Who asks.
            agents: Whose steps.
            limit: How many at most.
            lease_seconds: How long each lease lasts without a heartbeat.
            alone: How many at most of those that are to run alone; None sets no such limit.
            take_over: Whether to take what another's lease has run out for. It ended without a
                word, so that the task is to run alone from then on.
        """

    async def heartbeat(
        self,
        worker: str,
        alive: Mapping[UUID, int],
        progressed: Sequence[UUID],
        lease_seconds: float,
    ) -> set[UUID]:
        """Prolong the leases {task: token}; note progress. Answers with those still ours."""

    async def hand_back(
        self, held: Mapping[UUID, int], *, pause_seconds: float = 0.0, error: str = ""
    ) -> set[UUID]:
        """Queue tasks {task: token} again as they were claimed; those that were still ours.

        That is a word: however often, it is no failure and no suspicion.
        """

    async def cancel_task(
        self, task_id: UUID, fencing_token: int, status: str, error: str = ""
    ) -> None:
        """End a task without an event (`cancelled`), if it is still ours."""

    async def put_off(self, task_id: UUID, fencing_token: int, error: str) -> None:
        """Hand a task back that nothing can be done about here, if it is still ours.

        It comes again after a pause that grows with its age, from 30 seconds to an hour. That is no
        failed attempt; if one had begun, what it bought is in the ledger, and found again.
        """

    async def take_up(self) -> int:
        """Let all that was put off be claimed at once; how many. For a process that starts."""

    async def stuck(self, silent_seconds: float, limit: int) -> Sequence[Claim]:
        """Tasks that run without progress for so long, or that have lost too many workers.

        They are claimed for the caller, so that only one process fails each.
        """


class LedgerEntry(Struct, frozen=True):
    """One request to the model: written before it leaves, completed when its answer is stored."""

    task_id: UUID
    attempt: int
    """The attempt's number in the log."""
    turn: int
    request_sha256: str
    answer: bytes | None = None
    """The raw answer, sealed at rest; None while the outcome is unknown, or if there is none."""
    outcome: str | None = None
    """None while unknown; then `answered`, or an error's code."""
    tokens: Tokens = Tokens()


class Ledger(Protocol):
    """Every request to a model, so that none is paid for twice and none is hidden."""

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, task_id: UUID
    ) -> Sequence[LedgerEntry]:
        """All requests of a task, oldest first: what a new attempt need not buy again."""

    async def announce(
        self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry, fencing_token: int
    ) -> None:
        """Write the request down, durably, before it leaves, under the lease of this token.

        Raises:
            LeaseLost: the lease ran out or is another's; nothing was written, nothing may leave.
        """

    async def settle(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        """Write down what came back: the entry's answer, outcome and tokens."""


class ModelRequest(Struct, frozen=True):
    """One request, in the provider's own shapes (Messages API)."""

    model: str
    max_tokens: int
    system: tuple[dict[str, Any], ...]
    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = {}
    """Further parameters of the request, such as `thinking` or `output_config`."""


class Block(Struct, frozen=True, omit_defaults=True):
    """A completed block of an answer: text, or a tool call with its raw JSON."""

    type: str
    """`text`, `tool_use`, or another kind, which stands whole in `input` to be handed back."""
    text: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class ModelAnswer(Struct, frozen=True, omit_defaults=True):
    """What the model answered. The block left open by a cut-off is already dropped."""

    blocks: tuple[Block, ...]
    stop_reason: str
    """`end_turn`, `tool_use`, `max_tokens`, `refusal`, …"""
    tokens: Tokens
    model: str
    request_id: str = ""
    truncated: bool = False
    """Whether a block was cut off and dropped."""
    refusal: str = ""
    """Of a refusal: the category that the provider names, if it names one."""


class ModelError(Exception):
    """A request that brought no usable answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retryable: bool,
        retry_after_seconds: float | None = None,
        tokens: Tokens = Tokens(),
    ) -> None:
        """Describe the failure.

        Args:
            code: `rate_limited`, `overloaded`, `server_error`, `connection`, `timeout`,
                `cut_off`, `invalid_request`, `input_too_long`, `key_rejected`, `spend_limit`,
                `not_permitted`, `model_not_found`, `account_disabled`, `region_refused`,
                `not_the_provider`.
            detail: In plain words, without key or prompt.
            retryable: Whether the same request may succeed later.
            retry_after_seconds: As told by the provider.
            tokens: What the provider reported as used before it failed.
        """
        super().__init__(detail)
        self.code = code
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.tokens = tokens


class Model(Protocol):
    """A provider of language models."""

    async def ask(
        self,
        request: ModelRequest,
        api_key: str,
        *,
        idempotency_key: str,
        on_text: Callable[[str], None],
        on_draft: Callable[[str], None],
        on_progress: Callable[[], None],
        on_tokens: Callable[[Tokens], None] = lambda _: None,
        on_thought: Callable[[str], None] = lambda _: None,
    ) -> ModelAnswer:
        """Send one streaming request. Cancelling closes the stream.

        Args:
            request: What to send.
            api_key: The tenant's own.
            on_text: Gets visible text as it comes.
            on_draft: Gets the input of calls as it comes: pieces of JSON, cut anywhere.
            on_progress: Called for every sign of life.
            on_tokens: Gets what the provider has counted so far, whenever it tells more.
            on_thought: Gets what the model thinks, where the request asks to be shown it.
            idempotency_key: Names the request in the ledger.

        Raises:
            ModelError: no usable answer.
        """

    async def check_key(self, api_key: str) -> bool | None:
        """Whether the provider accepts the key; None when it cannot be reached."""


class ApiKeys(Protocol):
    """Tenants' own keys, sealed. Only a worker with a live lease may open one."""

    async def reveal(self, tenant_id: UUID, claim: Claim) -> str | None:
        """The key, for the length of one call; None if the tenant has none."""


class ArtifactStore(Protocol):
    """Generated files by content hash. Keys are made by `artifact_key` only."""

    async def put(self, key: str, body: bytes) -> None:
        """Store. The same key again is the same bytes: a no-op."""

    async def get(self, key: str) -> bytes:
        """The bytes, checked against the hash in the key.

        Raises:
            ArtifactMissing: nothing is stored there.
            ArtifactDamaged: the bytes are not those of the hash.
            Unavailable: the store does not answer, or cut its answer off.
        """

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete everything under `tenant/feature/`; how many objects that were.

        Files with the hashes in `keep` stay.
        """

    async def ready(self) -> bool:
        """Whether the store answers."""


class ArtifactMissing(Exception):
    """A stored file is not there."""


class ArtifactDamaged(Exception):
    """A stored file is not what its hash says."""


class Live(Protocol):
    """Ephemeral messages between processes: lost without harm, for the log has all that matters."""

    async def say(self, tenant_id: UUID, feature_id: UUID, body: Mapping[str, Any]) -> None:
        """Tell whoever watches this feature. Never raises, never waits for a broken connection."""

    async def grown(self) -> None:
        """Say that the log has grown."""

    async def due(self) -> None:
        """Say that there are new tasks."""

    async def cancelled(self) -> None:
        """Say that steps were cancelled which somebody may be working on."""

    def watch(
        self, tenant_id: UUID, feature_id: UUID | None
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """What is said about one feature, or all of the tenant's."""

    def watch_log(self) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """Wake-ups; several may be folded into one."""
