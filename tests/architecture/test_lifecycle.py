"""The tables that decide a feature's life are complete, and agree with each other."""

from typing import get_args, get_type_hints

import pytest
from msgspec import Struct
from msgspec.structs import fields

from domain import events as e
from domain.commands import FeatureCommand
from domain.events import FeatureEvent
from domain.lifecycle import ACTIONS, DOCUMENTS, GATES, LIFECYCLE, WORKING, actions_at
from domain.pipeline import ADVICE_AT, AGENT_OF, DISPENSABLE, DUE_AFTER, GATE_OF, START_OF, WORK_AT
from domain.status import Agent, Gate, Status, Step
from projections.catalogue import PROJECTIONS

EVENTS = get_args(FeatureEvent)


def test_every_event_has_exactly_one_row() -> None:
    assert set(LIFECYCLE) == set(EVENTS)
    assert len(EVENTS) == len(set(EVENTS))


def test_every_event_has_a_tag_of_its_own_in_snake_case() -> None:
    tags = [kind.__struct_config__.tag for kind in EVENTS]
    assert len(tags) == len(set(tags))
    assert [tag for tag in tags if tag != tag.lower() or not tag.replace("_", "").isalpha()] == []


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DRAFTING])
def test_every_status_can_be_reached(status: Status) -> None:
    assert any(status in row.targets for row in LIFECYCLE.values())


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DELETED])
def test_every_status_but_deleted_can_be_left(status: Status) -> None:
    leaving = [
        kind
        for kind, row in LIFECYCLE.items()
        if status in row.sources and row.targets - {status} and kind is not e.FeatureDeleted
    ]
    assert leaving


def test_nothing_happens_after_the_end_but_late_bills() -> None:
    after = [kind for kind, row in LIFECYCLE.items() if Status.DELETED in row.sources]
    assert after == [e.RunDiscarded]


@pytest.mark.parametrize("status", sorted(WORKING))
def test_every_working_status_waits_for_a_step_and_can_fail(status: Status) -> None:
    assert WORK_AT[status]
    assert status in LIFECYCLE[e.FeatureFailed].sources


@pytest.mark.parametrize("status", sorted(GATES))
def test_at_every_gate_a_person_may_approve_revise_and_discuss(status: Status) -> None:
    assert {"approve", "revise", "discuss"} <= set(actions_at(status))
    assert status in ADVICE_AT


def test_every_step_has_an_agent_and_every_agent_a_step() -> None:
    assert set(AGENT_OF) == set(Step)
    assert set(AGENT_OF.values()) == set(Agent)


def test_every_step_is_made_due_by_some_event() -> None:
    assert {step for steps in DUE_AFTER.values() for step in steps} == set(Step)


def test_a_step_is_waited_for_or_can_be_done_without() -> None:
    waited = {step for steps in WORK_AT.values() for step in steps}
    assert waited | DISPENSABLE == set(Step)
    assert waited & DISPENSABLE == set()


def test_every_gate_has_its_approval_and_its_adviser() -> None:
    assert set(DOCUMENTS) == set(Gate) == set(GATE_OF.values())


def test_a_step_moves_the_feature_only_to_where_its_announcement_may_lead() -> None:
    assert set(START_OF.values()) == LIFECYCLE[e.StepStarted].targets


def test_every_action_of_a_person_is_decided_by_the_table() -> None:
    assert all(event in LIFECYCLE for event in ACTIONS.values())


def test_every_command_says_what_it_asks_for() -> None:
    assert [kind.__name__ for kind in get_args(FeatureCommand) if not kind.__doc__] == []


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: p.name)
def test_no_read_model_has_a_field_for_a_documents_text(projection: object) -> None:
    texts = {"markdown", "text", "document", "brief_markdown", "note", "notes"}
    row: type[Struct] = projection.row  # type: ignore[attr-defined]
    assert {name for kind in _structs(row) for name in kind.__struct_fields__} & texts == set()


def _structs(kind: type[Struct]) -> set[type[Struct]]:
    found, waiting = {kind}, [kind]
    while waiting:
        for hint in get_type_hints(waiting.pop()).values():
            for part in (hint, *get_args(hint), *(a for g in get_args(hint) for a in get_args(g))):
                if isinstance(part, type) and issubclass(part, Struct) and part not in found:
                    found.add(part)
                    waiting.append(part)
    assert all(fields(struct) is not None for struct in found)
    return found
