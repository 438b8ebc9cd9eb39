"""Complies with comments, in a simple and honest way: what it cannot do, it says.

Invariant: nothing changes but what a comment is about, and every comment has an answer.
"""

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from domain import documents as d

REMOVE = re.compile(
    r"\b(?:remove|delete|drop|leave out|take (?:it |this )?out|not needed|no longer|unnecessary)\b",
    re.IGNORECASE,
)
CANNOT = "The demo model can change requirements, criteria, tasks, files and the summary only."


class SaidComment(msgspec.Struct):
    """A comment, as the agent is given it."""

    comment: int
    text: str
    about: str = ""
    kind: str = "other"


def comments_in(inputs: dict[str, Any]) -> list[SaidComment]:
    """The comments that are to be complied with; none if there are none."""
    return msgspec.convert(inputs.get("comments") or [], list[SaidComment])


def _with(words: str, said: SaidComment) -> str:
    return f"{words} As commented: {' '.join(said.text.split())}"[:2_000]


def _answer(said: SaidComment, done: str, *changed: str) -> d.CommentAnswer:
    return d.CommentAnswer(said.comment, done, changed)


def _next(prefix: str, taken: list[str]) -> str:
    numbers = [int(one.split("-")[1]) for one in taken if one.startswith(f"{prefix}-")]
    return f"{prefix}-{max(numbers, default=0) + 1}"


def _summary(document: Any, said: SaidComment) -> tuple[Any, d.CommentAnswer]:  # noqa: ANN401
    done = "Put your words into the summary."
    changed = replace(document, summary=_with(document.summary, said))
    return changed, _answer(said, done, "summary")


def commented_spec(inputs: dict[str, Any]) -> d.SaidSpec:
    """The previous specification, with what comments ask for."""
    spec = msgspec.convert(inputs["previous_spec"], d.SaidSpec)
    answers = []
    for said in comments_in(inputs):
        spec, answer = _on_spec(spec, said)
        answers.append(answer)
    return replace(spec, answers=tuple(answers))


def _on_spec(spec: d.SaidSpec, said: SaidComment) -> tuple[d.SaidSpec, d.CommentAnswer]:
    need = next((r for r in spec.requirements if r.id == said.about), None)
    owner = next((r for r in spec.requirements for c in r.criteria if c.id == said.about), None)
    if said.kind == "add":
        return _added(spec, said, need or owner or spec.requirements[0])
    if need is not None and REMOVE.search(said.text) and len(spec.requirements) > 1:
        return _removed(spec, said, need)
    if need is not None:
        changed = replace(need, response=_with(need.response, said))
        return _swapped(spec, need, changed), _answer(said, f"Changed {need.id}.", need.id)
    if owner is not None:
        criteria = tuple(
            replace(one, then=_with(one.then, said)) if one.id == said.about else one
            for one in owner.criteria
        )
        changed = replace(owner, criteria=criteria)
        return _swapped(spec, owner, changed), _answer(said, f"Changed {said.about}.", said.about)
    return (spec, _answer(said, CANNOT)) if said.about else _summary(spec, said)


def _swapped(spec: d.SaidSpec, old: d.Requirement, new: d.Requirement) -> d.SaidSpec:
    needs = tuple(new if one.id == old.id else one for one in spec.requirements)
    return replace(spec, requirements=needs)


def _added(
    spec: d.SaidSpec, said: SaidComment, beside: d.Requirement
) -> tuple[d.SaidSpec, d.CommentAnswer]:
    own = _next("FR", [*(r.id for r in spec.requirements), *spec.superseded])
    criterion = _next(
        "AC", [*(c.id for r in spec.requirements for c in r.criteria), *spec.superseded]
    )
    words = " ".join(said.text.split())
    need = d.Requirement(
        id=own,
        actor=beside.actor,
        trigger=f"asks for what was added: {words}"[:2_000],
        response=words[:2_000],
        sources=beside.sources,
        criteria=(d.Criterion(criterion, "what was added is there", "it is used", words[:2_000]),),
    )
    changed = replace(spec, requirements=(*spec.requirements, need))
    return changed, _answer(said, f"Added {own} in your words.", own)


def _removed(
    spec: d.SaidSpec, said: SaidComment, need: d.Requirement
) -> tuple[d.SaidSpec, d.CommentAnswer]:
    left = tuple(one for one in spec.requirements if one.id != need.id)
    answered = {source for one in left for source in one.sources}
    answered |= {source for one in spec.out_of_scope for source in one.sources}
    alone = tuple(source for source in need.sources if source not in answered)
    changed = replace(spec, requirements=left, superseded=(*spec.superseded, need.id))
    names = [need.id]
    if alone:
        text = f"Taken out as you asked: {need.trigger}"[:2_000]
        changed = replace(changed, out_of_scope=(*changed.out_of_scope, d.Exclusion(text, alone)))
        names.append(text)
    return changed, _answer(said, f"Took out {need.id}.", *names)


def commented_plan(inputs: dict[str, Any]) -> d.SaidPlan:
    """The previous plan, with what comments ask for."""
    plan = msgspec.convert(inputs["previous_plan"], d.SaidPlan)
    answers = []
    for said in comments_in(inputs):
        plan, answer = _on_plan(plan, said)
        answers.append(answer)
    return replace(plan, answers=tuple(answers))


def _on_plan(plan: d.SaidPlan, said: SaidComment) -> tuple[d.SaidPlan, d.CommentAnswer]:
    if any(task.id == said.about for task in plan.tasks):
        tasks = tuple(
            replace(one, done_when=_with(one.done_when, said)) if one.id == said.about else one
            for one in plan.tasks
        )
        return replace(plan, tasks=tasks), _answer(said, f"Changed {said.about}.", said.about)
    if any(file.path == said.about for file in plan.files):
        files = tuple(
            replace(one, purpose=_with(one.purpose, said)) if one.path == said.about else one
            for one in plan.files
        )
        done = f"Changed what {said.about} is for."
        return replace(plan, files=files), _answer(said, done, said.about)
    if said.kind == "add" or not said.about:
        words = " ".join(said.text.split())[:2_000]
        if any(one.choice == words for one in plan.decisions):
            return plan, _answer(said, "That is decided already.")
        decision = d.Decision(words, "A comment asked for it.")
        changed = replace(plan, decisions=(*plan.decisions, decision))
        return changed, _answer(said, "Added a decision in your words.", words)
    return plan, _answer(said, CANNOT)


def commented_tests(inputs: dict[str, Any]) -> d.SaidTests:
    """The previous tests, with what comments ask for."""
    tests = msgspec.convert(inputs["previous_tests"], d.SaidTests)
    answers = []
    for said in comments_in(inputs):
        tests, answer = _on_tests(tests, said)
        answers.append(answer)
    return replace(tests, answers=tuple(answers))


def _on_tests(tests: d.SaidTests, said: SaidComment) -> tuple[d.SaidTests, d.CommentAnswer]:
    if any(file.path == said.about for file in tests.files):
        note = f"// As commented: {' '.join(said.text.split())}\n"
        files = tuple(
            replace(one, content=one.content.rstrip("\n") + "\n" + note)
            if one.path == said.about
            else one
            for one in tests.files
        )
        done = f"Noted it in {said.about}: the demo model writes no other test than its own."
        return replace(tests, files=files), _answer(said, done, said.about)
    if any(one.id == said.about for one in tests.untestable):
        untestable = tuple(
            replace(one, reason=_with(one.reason, said)) if one.id == said.about else one
            for one in tests.untestable
        )
        done = f"Changed the reason of {said.about}."
        return replace(tests, untestable=untestable), _answer(said, done, said.about)
    return (tests, _answer(said, CANNOT)) if said.about else _summary(tests, said)
