"""The lifecycle as the web app reads it: a TypeScript module made from the domain's tables.

Invariant: the web app types no status, step, stage, event or action by hand; it has the names from
the API document and what may follow what from this file.
"""

import json
from typing import Any, Final

from domain.events import tag_of
from domain.lifecycle import ACTIONS, GATE_STATUS, LIFECYCLE, WORKING, actions_at
from domain.pipeline import AGENT_OF, DISPENSABLE, GATE_OF, RESULTS, STAGE_OF, WORK_AT
from domain.runs import OURS
from domain.status import Stage, Status
from interface.http.streaming.conversation import FRAMES
from interface.http.streaming.live import WORDS
from interface.settings import PROJECT
from projections.breadcrumb import STAGE_AT

FILE: Final = PROJECT / "interface" / "web" / "src" / "lib" / "api" / "lifecycle.ts"

_MODULE: Final = """\
/** Made by `./bp openapi` from domain/lifecycle.py and domain/pipeline.py; never edited by hand. */
export const lifecycle = {table} as const;
"""


def table() -> dict[str, Any]:
    """What the web app needs to know, in the order of the domain."""
    return {
        "statuses": [
            {
                "status": status,
                "stage": STAGE_AT.get(status),
                "gate": GATE_STATUS.get(status),
                "working": status in WORKING,
                "steps": WORK_AT.get(status, ()),
                "actions": actions_at(status),
            }
            for status in Status
        ],
        "actions": ["approve", "edit", *ACTIONS, "download"],
        "stages": list(Stage),
        "steps": [
            {
                "step": step,
                "agent": agent,
                "stage": STAGE_OF.get(step),
                "gate": GATE_OF.get(step),
                "dispensable": step in DISPENSABLE,
            }
            for step, agent in AGENT_OF.items()
        ],
        "events": [
            {"type": tag_of(event), "checkpoint": row.checkpoint, "result": event in RESULTS}
            for event, row in LIFECYCLE.items()
        ],
        "ours": sorted(OURS),
        "streams": {"answer": list(FRAMES), "passing": sorted(WORDS)},
    }


def web_lifecycle() -> str:
    """The module as it stands in the file."""
    return _MODULE.format(table=json.dumps(table(), indent="\t", ensure_ascii=False))
