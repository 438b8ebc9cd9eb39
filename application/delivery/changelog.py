"""What a round changed of the finished one before it, in words: points, requirements and files.

Invariant: computed from the recorded structures alone; what is not named is as it was, and counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from application.agents.markdown import bullets, code, inline, page, section
from application.agents.points import reading_in
from application.delivery.diff import Kind
from domain import events as e
from domain.content import Content
from domain.documents import AlsoChanged, Requirement
from domain.reading import BriefPoint

PARTS: Final = ("brief", "spec", "plan", "tests", "implementation")
"""What is compared, or says what was changed beside."""


class Change(Struct, frozen=True):
    """One thing that is not as it was."""

    kind: Kind
    name: str
    """A point's or a requirement's id, or a file's path."""
    text: str = ""
    """Its words; those that are gone, of what was removed."""
    before: str = ""
    """The words that it had, if it was changed."""


class Changed(Struct, frozen=True):
    """All things of a kind: those that changed, and how many stayed."""

    changes: tuple[Change, ...] = ()
    kept: int = 0
    """Of files: with the same bytes, by hash."""


class Changelog(Struct, frozen=True):
    """What a round has changed so far."""

    round: int
    since: int | None = None
    """The finished round that it is compared with; null if there is none before."""
    version: int | None = None
    """Of that round: read it with `?version=` this."""
    points: Changed = Changed()
    requirements: Changed = Changed()
    files: Changed = Changed()
    also_changed: tuple[Change, ...] = ()
    """What nothing asked to change and an agent changed all the same; `text` is its reason."""


Told = Mapping[str, e.FeatureEvent]
"""The events of `PARTS` that are there, by name."""


def versions_of(content: Content) -> dict[str, int]:
    """The versions of what is compared, as far as it is written."""
    made = {part: getattr(content, part) for part in PARTS}
    return {part: one.version for part, one in made.items() if one}


def changelog_of(content: Content, before: Told, now: Told) -> Changelog:
    """What is different.

    Args:
        content: Of the feature, in this round.
        before: What the last finished round left.
        now: What stands; of what is not written yet, nothing is said.
    """
    last = content.finished_round
    if last is None:
        return Changelog(content.round)
    both = [part for part in PARTS if part in before and part in now]
    return Changelog(
        content.round,
        content.rounds.index(last) + 1,
        last.ended,
        _points(before["brief"], now["brief"]) if "brief" in both else Changed(),
        _requirements(before["spec"], now["spec"]) if "spec" in both else Changed(),
        _files(before["implementation"], now["implementation"])
        if "implementation" in both
        else Changed(),
        tuple(
            Change(Kind.CHANGED, one.id, one.reason)
            for part in PARTS
            if part in now
            for one in _also(now[part])
        ),
    )


def _also(event: e.FeatureEvent) -> tuple[AlsoChanged, ...]:
    match event:
        case e.ImplementationCompleted(also_changed=also):
            return also
        case _ if isinstance(event, e.SpecWritten | e.PlanWritten | e.TestsWritten):
            return event.document.also_changed
        case _:
            return ()


def _points(before: e.FeatureEvent, now: e.FeatureEvent) -> Changed:
    was, is_now = ({p.id: p.text for p in _read(event)} for event in (before, now))
    # A brief without ids is numbered from its top: the same words are the same point.
    stays = {*was.values()} & {*is_now.values()}
    changed = _compared(_others(was, stays), _others(is_now, stays))
    return Changed(changed, sum(text in stays for text in is_now.values()))


def _read(event: e.FeatureEvent) -> Sequence[BriefPoint]:
    reading = reading_in(event)
    return reading.points if reading else ()


def _others(texts: Mapping[str, str], stays: set[str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text not in stays}


def _requirements(before: e.FeatureEvent, now: e.FeatureEvent) -> Changed:
    was, is_now = ({need.id: need for need in _needs(event)} for event in (before, now))
    same = {name for name in was if name in is_now and _meant(was[name]) == _meant(is_now[name])}
    changed = _compared(
        {name: sentence(need) for name, need in was.items() if name not in same},
        {name: sentence(need) for name, need in is_now.items() if name not in same},
    )
    return Changed(changed, len(same))


def _needs(event: e.FeatureEvent) -> Iterable[Requirement]:
    return event.document.requirements if isinstance(event, e.SpecWritten) else ()


def _meant(need: Requirement) -> tuple[object, ...]:
    """What it asks for, wherever it comes from and whatever its criteria are numbered."""
    criteria = tuple((one.given, one.when, one.then) for one in need.criteria)
    return (sentence(need), need.priority, criteria)


def sentence(need: Requirement) -> str:
    """A requirement on one line."""
    return f"{need.actor}: {need.trigger} → {need.response}"


def _files(before: e.FeatureEvent, now: e.FeatureEvent) -> Changed:
    was, is_now = ({f.path: f.sha256 for f in _written(event)} for event in (before, now))
    same = {path for path in was if was[path] == is_now.get(path)}
    changed = _compared(
        {path: "" for path in was if path not in same},
        {path: "" for path in is_now if path not in same},
    )
    return Changed(changed, len(same))


def _written(event: e.FeatureEvent) -> Iterable[e.FileWritten]:
    return event.files if isinstance(event, e.ImplementationCompleted) else ()


def _compared(was: Mapping[str, str], is_now: Mapping[str, str]) -> tuple[Change, ...]:
    """What is new, what is other, what is gone: each in the order of its side."""
    return (
        *(Change(Kind.ADDED, name, text) for name, text in is_now.items() if name not in was),
        *(
            Change(Kind.CHANGED, name, text, was[name])
            for name, text in is_now.items()
            if name in was
        ),
        *(Change(Kind.REMOVED, name, text) for name, text in was.items() if name not in is_now),
    )


def changelog_markdown(changelog: Changelog) -> str:
    """The same, for people."""
    return page(
        f"What round {changelog.round} changed since round {changelog.since}",
        section("Points of the brief", _told(changelog.points, "point")),
        section("Requirements", _told(changelog.requirements, "requirement")),
        section("Files", _told(changelog.files, "file")),
        section(
            "Changed although the change does not name it",
            bullets(map(_line, changelog.also_changed)),
        ),
    )


def _told(changed: Changed, what: str) -> str:
    kept = f"{changed.kept} {what}{'' if changed.kept == 1 else 's'}"
    return bullets([*map(_line, changed.changes), f"{kept} as before."])


def _line(change: Change) -> str:
    if not change.text:
        return f"{_WORDS[change.kind]}: {code(change.name)}"
    was = f" Before: {inline(change.before)}" if change.before not in ("", change.text) else ""
    return f"{_WORDS[change.kind]}: **{change.name}** {inline(change.text)}{was}"


_WORDS: Final = {Kind.ADDED: "Added", Kind.CHANGED: "Changed", Kind.REMOVED: "Removed"}
