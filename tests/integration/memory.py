"""A log, a queue of record and the rest in memory, for tests where only NATS is real."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.ports import DueStep, Unavailable
from domain.status import Step


class MemoryHeader(Struct, frozen=True):
    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    correlation_id: UUID
    resume: tuple[Step, ...] = ()


class MemoryLog:
    """Positions grow with holes, as in the real one."""

    def __init__(self) -> None:
        self.events: list[MemoryHeader] = []
        self.down = False
        self.read = asyncio.Event()
        """Set when somebody was given events."""
        self.tenant_id = uuid7()
        self._dice = random.Random(7)  # noqa: S311 - the same holes in every run.

    def append(self, *types: str, resume: tuple[Step, ...] = ()) -> list[MemoryHeader]:
        feature_id, added = uuid7(), []
        for version, kind in enumerate(types, start=1):
            last = self.events[-1].position if self.events else 0
            header = MemoryHeader(
                position=last + self._dice.choice((1, 1, 1, 2, 5)),
                tenant_id=self.tenant_id,
                feature_id=feature_id,
                version=version,
                event_id=uuid7(),
                type=kind,
                correlation_id=uuid7(),
                resume=resume,
            )
            self.events.append(header)
            added.append(header)
        return added

    async def after(self, position: int, limit: int) -> Sequence[MemoryHeader]:
        if self.down:
            raise Unavailable("database")
        await asyncio.sleep(0)
        behind = [header for header in self.events[-5000:] if header.position > position]
        if len(behind) == 5000:
            behind = [header for header in self.events if header.position > position]
        if behind and limit > 1:
            self.read.set()
        return behind[:limit]


class MemoryTasks:
    def __init__(self) -> None:
        self.rows: dict[UUID, DueStep] = {}
        self.calls = 0
        self.down = False
        self.refuses: set[UUID] = set()
        """Events whose tasks are refused."""

    async def enqueue(self, steps: Sequence[DueStep]) -> int:
        self.calls += 1
        if self.down:
            raise Unavailable("database")
        for step in steps:
            if step.event_id in self.refuses:
                raise ValueError(f"no feature {step.feature_id}")
        new = {step.task_id: step for step in steps if step.task_id not in self.rows}
        self.rows.update(new)
        return len(new)

    def made(self) -> list[tuple[UUID, Step]]:
        return sorted((row.event_id, row.step) for row in self.rows.values())


class MemoryPositions:
    def __init__(self) -> None:
        self.stored: dict[str, int] = {}

    async def get(self, name: str) -> int:
        return self.stored.get(name, 0)

    async def set(self, name: str, position: int, event_id: UUID) -> None:
        self.stored[name] = max(position, self.stored.get(name, 0))


class MemoryLetter(Struct, frozen=True):
    id: UUID
    event_id: UUID
    position: int


class MemoryDeadLetters:
    def __init__(self) -> None:
        self.letters: list[tuple[str, UUID, str, int, int, str]] = []
        self.open: dict[UUID, MemoryLetter] = {}
        """Those that wait."""

    async def record(
        self,
        consumer: str,
        event_id: UUID,
        subject: str,
        position: int,
        deliveries: int,
        cause: str,
    ) -> None:
        self.letters.append((consumer, event_id, subject, position, deliveries, cause))
        letter = MemoryLetter(uuid7(), event_id, position)
        self.open[letter.id] = letter

    async def waiting(self, after: UUID | None, limit: int) -> "Sequence[MemoryLetter]":
        found = [letter for letter in self.open.values() if after is None or letter.id > after]
        return sorted(found, key=lambda letter: letter.id)[:limit]

    async def handled(self, letter_id: UUID, by: str) -> bool:
        return self.open.pop(letter_id, None) is not None


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 20.0) -> None:
    """Wait for a condition; a failure when it never comes."""
    async with asyncio.timeout(seconds):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.01)


def ids(headers: Iterable[MemoryHeader]) -> list[str]:
    return [str(header.event_id) for header in headers]
