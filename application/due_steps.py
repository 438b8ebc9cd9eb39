"""The tasks that events make, under ids derived from event and step.

Invariant: whoever makes the tasks of an event, and however often, makes the same ones.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

from application.ports import DueStep, Metadata
from domain.events import FeatureEvent
from domain.pipeline import due_after
from domain.status import OutputMode, Step


def task_id_of(event_id: UUID, step: Step) -> UUID:
    """The one task for a step that an event made due."""
    return uuid5(event_id, step.value)


def due_steps(
    feature_id: UUID,
    after: int,
    events: Sequence[tuple[UUID, FeatureEvent]],
    origin: Metadata,
    mode: OutputMode = OutputMode.FULL_CODE,
) -> tuple[DueStep, ...]:
    """The steps that events make due which follow version `after` of a stream, in their order.

    `mode` is that of the feature after these events.
    """
    return tuple(
        DueStep(
            task_id=task_id_of(event_id, step),
            tenant_id=origin.tenant_id,
            feature_id=feature_id,
            step=step,
            event_id=event_id,
            version=version,
            correlation_id=origin.correlation_id,
        )
        for version, (event_id, event) in enumerate(events, start=after + 1)
        for step in due_after(event, mode)
    )
