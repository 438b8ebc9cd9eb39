"""The page about a feature's life, made from the table that decides it."""

from collections.abc import Collection, Iterator
from typing import Final

from application.agents.failures import CODES
from application.agents.table import AGENTS
from application.execution.runner import ATTEMPTS, LONGEST_WAIT_SECONDS
from domain import events as e
from domain.events import tag_of
from domain.lifecycle import (
    ALIVE,
    ANYWHERE,
    DRAFTABLE,
    ENDED,
    GATES,
    LIFECYCLE,
    WORKING,
    Transition,
    actions_at,
)
from domain.pipeline import AGENT_OF, DISPENSABLE, DUE_AFTER, START_OF, WORK_AT
from domain.runs import OURS
from domain.status import Status
from interface.cli.generate.markdown import code, table
from interface.cli.generate.struct_fields import summary_of
from projections.failure import REVIEW_FAILED, REVIEW_UNDECIDED

DRAWN_AT_MOST: Final = 5
"""An event with more arrows is told in words: they would hide all others."""

_NAMED: Final = (
    (ANYWHERE, "any status"),
    (ALIVE, "any status but `deleted`"),
    (WORKING, "any working status"),
    (GATES, "any gate"),
    (GATES | ENDED, "any gate, `done`, `failed`"),
    (DRAFTABLE | GATES | ENDED, "`drafting`, any gate, `done`, `failed`"),
    (ALIVE - {Status.FAILED}, "that of the checkpoint"),
)


_PAGE: Final = """\
# The life of a feature

Made from `domain/lifecycle.py`, `domain/pipeline.py`, `application/agents/table.py` and
`application/agents/failures.py` by `./bp docs`; never edited by hand.

```mermaid
{diagram}
```

Not drawn, because they start or end in many places:

{wide}

A person acts in `drafting`, at the three gates (`*_ready`), in `failed` and in `done`. In every
other status but `deleted` it is an agent's turn.

## Events

`decide` refuses an event whose status is not in the second column; `evolve` reads the third only.
After a checkpoint a person may later go back to right there.

{events}

`step_started` moves the feature only where its step says so: {starts}.
`verdict_reached` leads to `done` if both reviews passed, else to `failed`, and is a checkpoint only
in `done`. Where no review failed and one is undecided, a retry asks for that review again, of the
same code; else the code is written again, but for what is frozen. `mending_started` or
`mending_stopped` follows a verdict that is not PASS in the same append
([decision 52](decisions/0052-a-failed-review-is-mended-within-bounds.md)).

## Steps and agents

A step is a piece of work that one agent does for one feature. When a step that can be done without
gives up, the feature goes on; any other makes it `failed`.

{steps}

## What a person may do

{actions}

Beside these, `stop` is legal wherever a step waits or runs, and `resume` once work is stopped.
Between the two the status stays, nothing is due and nothing is paid for: attempts under way are
late from there on, and of the actions only `resume`, `replay`, `fork`, `rename`, `delete` and
`download` are legal. `work_resumed` makes due again what was. Going back puts an end to the stop; a
fork is never stopped.

## Why a step can fail

The code stands in `attempt_failed`, `step_abandoned`, `feature_failed` and `run_discarded`. While
another attempt follows by itself, people read what happens; once none does, what they can do. Where
the provider asks for a pause longer than {longest} minutes, they read how long it is instead.

{failures}

Where the API shows why a feature failed, `{review_failed}` stands for reviews that did not pass; a
retry writes the code again, with their findings. `{review_undecided}` stands for a review that
came to no verdict; a retry asks for that review again, of the same code.

Recorded without advice, because nothing is asked of anybody: `outcome_unknown` (the worker was
lost; another attempt follows), `superseded` and `lease_lost` (a late answer was refused; what it
used is kept).

When a step has failed by itself {attempts} times, that is final. Attempts that ended with
{ours} do not count: a worker of ours was stopped or lost, however often. What they
used is told as ours, in the runs of a feature (`cause`) and in the usage (`ours`).
"""


def diagram() -> str:
    """The state diagram, as Mermaid text."""
    return "\n".join(["stateDiagram-v2", *(f"    {edge}" for edge in _edges())])


def lifecycle_page() -> str:
    """The whole page."""
    return _PAGE.format(
        diagram=diagram(),
        wide="\n".join(_wide()),
        events=_events(),
        starts=", ".join(f"`{step}` to `{status}`" for step, status in START_OF.items()),
        steps=_steps(),
        actions=table(
            ("status", "actions"), ((f"`{s}`", code(*actions_at(s)) or "none") for s in Status)
        ),
        review_failed=REVIEW_FAILED,
        review_undecided=REVIEW_UNDECIDED,
        attempts=ATTEMPTS,
        longest=f"{LONGEST_WAIT_SECONDS / 60:.0f}",
        ours=code(*sorted(OURS)),
        failures=table(
            ("code", "once it is final", "while it is tried again by itself"),
            ((f"`{name}`", advice.last, advice.again) for name, advice in CODES.items()),
        ),
    )


def _wide() -> Iterator[str]:
    for event, row in LIFECYCLE.items():
        if row.targets and not _is_drawn(row) and event not in (e.StepStarted, e.FeatureCreated):
            yield (
                f"- `{tag_of(event)}`: from {_statuses(row.sources)} to {_statuses(row.targets)}"
            )


def _edges() -> Iterator[str]:
    yield f"[*] --> {Status.DRAFTING}: feature_created"
    for event, row in LIFECYCLE.items():
        if not _is_drawn(row):
            continue
        for source in _ordered(row.sources):
            for target in _ordered(row.targets):
                yield f"{source} --> {target}: {tag_of(event)}"
    for status, steps in WORK_AT.items():
        for step in steps:
            target = START_OF.get(step, status)
            if target is not status:
                yield f"{status} --> {target}: step_started"
    yield f"{Status.DONE} --> [*]"


def _is_drawn(row: Transition) -> bool:
    return None not in row.sources and len(row.sources) * len(row.targets) <= DRAWN_AT_MOST


def _ordered(statuses: Collection[Status | None]) -> list[Status]:
    return [status for status in Status if status in statuses]


def _statuses(statuses: Collection[Status | None]) -> str:
    for known, name in _NAMED:
        if frozenset(statuses) == known:
            return name
    if None in statuses:
        return "nothing yet"
    return code(*_ordered(statuses)) or "stays"


def _events() -> str:
    return table(
        ("event", "from", "to", "checkpoint", "makes due", "what happened"),
        (
            (
                f"`{tag_of(event)}`",
                _statuses(row.sources),
                _statuses(row.targets),
                "yes" if row.checkpoint else "",
                "what the checkpoint still waits for"
                if "resume" in event.__struct_fields__
                else code(*DUE_AFTER.get(event, ())),
                summary_of(event),
            )
            for event, row in LIFECYCLE.items()
        ),
    )


def _steps() -> str:
    awaited = {step: status for status, steps in WORK_AT.items() for step in steps}
    return table(
        (
            "step",
            "agent",
            "waited for in",
            "model",
            "tokens of an answer",
            "requests",
            "seconds",
            "can be done without",
        ),
        (
            (
                f"`{step}`",
                f"`{agent}`",
                f"`{awaited[step]}`" if step in awaited else "",
                f"`{AGENTS[agent].entry.model}`",
                f"{AGENTS[agent].entry.max_tokens:,}",
                str(AGENTS[agent].entry.turns),
                f"{AGENTS[agent].entry.deadline_seconds:,.0f}",
                "yes" if step in DISPENSABLE else "",
            )
            for step, agent in AGENT_OF.items()
        ),
    )
