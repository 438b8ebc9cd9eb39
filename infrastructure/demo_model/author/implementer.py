"""Writes the planned files, a few tasks a turn, and mends what was refused.

Invariant: it writes planned files only, and says it is done when none is missing.
"""

from typing import Any

import msgspec

from domain import documents as d
from infrastructure.demo_model.author.application import write_files
from infrastructure.demo_model.author.frozen import asked_for
from infrastructure.demo_model.author.mistakes import mended, with_mistake
from infrastructure.demo_model.author.plan import read_spec
from infrastructure.demo_model.prompt import Ask, PastCall
from infrastructure.demo_model.reply import Call, Reply, ReplyText

TASKS_A_TURN = 3


def _written_before(given: Any) -> set[str]:  # noqa: ANN401 - JSON.
    if isinstance(given, dict):
        return set(given)
    members = given if isinstance(given, list) else []
    return {str(m.get("path")) if isinstance(m, dict) else str(m) for m in members}


def _paths(call: PastCall) -> set[str]:
    files = call.input.get("files")
    members = files if isinstance(files, list) else []
    return {str(f.get("path")) for f in members if isinstance(f, dict) and f.get("content")}


def _unchanged(ask: Ask, texts: dict[str, str]) -> set[str]:
    """Files of an application that stands which are as they would be written now.

    What failed its reviews is written again all the same.
    """
    given = ask.inputs.get("previous_files")
    if ask.inputs.get("reviews") or not isinstance(given, list):
        return set()
    stand = {str(m.get("path")): m.get("content") for m in given if isinstance(m, dict)}
    return {path for path, text in texts.items() if stand.get(path) == text}


def _missing(ask: Ask, plan: d.Plan, texts: dict[str, str]) -> set[str]:
    planned = {file.path for file in plan.files}
    if ask.inputs.get("may_change"):
        planned &= texts.keys()
    done = _unchanged(ask, texts)
    if not done:
        done = _written_before(ask.inputs.get("written"))
    for call in ask.past:
        if call.name == "write_files" and not call.refused:
            done |= _paths(call)
    if ask.past and ask.past[-1].name == "write_files" and ask.past[-1].refused:
        done -= _paths(ask.past[-1])
    named = {path for path in planned if path in ask.feedback}
    complained = bool(ask.past) and (ask.past[-1].refused or ask.past[-1].name == "task_done")
    return planned - done | (named if complained else set())


def _asking(paths: list[str], ask: Ask) -> dict[str, Any]:
    asked = asked_for(paths, ask.inputs)
    return (
        {"also_changed": [{"id": one.id, "reason": one.reason} for one in asked]} if asked else {}
    )


def implement(ask: Ask) -> Reply:
    """The next turn: more files, or the word that all are written, or why it cannot go on.

    Raises:
        msgspec.ValidationError: the plan or the specification is none.
    """
    plan = msgspec.convert(ask.inputs.get("plan"), d.Plan)
    spec = read_spec(ask.inputs)
    reviewed = bool(ask.inputs.get("reviews"))
    texts = with_mistake(write_files(spec), spec.summary, reviewed=reviewed)
    if ask.inputs.get("may_change"):
        texts = mended(texts, ask.inputs)
    missing = _missing(ask, plan, texts)
    if unknown := sorted(missing - set(texts)):
        reason = (
            f"The demo model writes only what it planned itself; it does not know {unknown[0]}."
        )
        return Reply((ReplyText(reason), Call.of("report_blocked", {"reason": reason})))
    todo = [task for task in plan.tasks if missing & set(task.writes)]
    if not todo:
        done = {
            "tasks": [task.id for task in plan.tasks],
            "notes": f"Written by the demo model: {len(plan.files)} files. Nothing was run here.",
        }
        return Reply((ReplyText("All planned files are written."), Call.of("task_done", done)))
    now = todo[:TASKS_A_TURN]
    titles = ", ".join(f"{task.id} {task.title[:1].lower()}{task.title[1:]}" for task in now)
    calls = [
        Call.of(
            "write_files",
            {
                "files": [{"path": p, "content": texts[p]} for p in task.writes if p in missing],
                **_asking([p for p in task.writes if p in missing], ask),
            },
        )
        for task in now
    ]
    return Reply((ReplyText(f"Demo model, writing: {titles}."), *calls))
