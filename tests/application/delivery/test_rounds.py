"""What a later round delivers: a changelog in words, branches, and the zip of the one before."""

import json

import pytest
from msgspec.structs import replace

from application.delivery.changelog import Change, Changed, changelog_markdown, changelog_of
from application.delivery.checker import check
from application.delivery.diff import Kind
from application.delivery.history import branches_of
from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.content import Content, Round
from domain.reading import reading_of
from domain.status import Status, Step
from tests import given
from tests.delivered import LIVES, Shop, changed, changed_twice, unzipped
from tests.given import RUN, SPEC

CHANGELOG = "documents/changelog.md"
ATTEMPT = given.Attempt(Step.SPEC, 1, 1)
SECOND = Content(rounds=(Round(40, Status.DONE),))


def brief(text: str) -> e.BriefRevised:
    return e.BriefRevised(text, "a" * 64, 2, reading=reading_of(text))


def spec(*needs: d.Requirement) -> e.SpecGenerated:
    document = replace(SPEC, requirements=needs)
    return e.SpecGenerated(ATTEMPT, document, "# Spec", "a" * 64, "b" * 64, RUN)


def code(**hashes: str) -> e.ImplementationCompleted:
    files = tuple(e.FileWritten(f"{name}.ts", 1, sha) for name, sha in hashes.items())
    return e.ImplementationCompleted(ATTEMPT, files, "a" * 64, "b" * 64, RUN)


def test_points_requirements_and_files_are_told_apart_and_what_stays_is_counted():
    [need] = SPEC.requirements
    other = replace(need, id="FR-2", trigger="asks for a list")
    gone = replace(need, id="FR-3", trigger="asks for a key")
    before = {
        "brief": brief("- BF-1: Lend tools\n- BF-2: Keep keys\n- BF-3: Tell members by letter"),
        "spec": spec(need, gone),
        "implementation": code(server="a", keys="b", page="c"),
    }
    now = {
        "brief": brief("- BF-1: Lend tools\n- BF-3: Tell members by mail\n- BF-4: Print a list"),
        "spec": spec(need, other),
        "implementation": code(server="a", page="d", list="e"),
    }
    found = changelog_of(SECOND, before, now)
    assert (found.round, found.since, found.version) == (2, 1, 40)
    assert found.points == Changed(
        (
            Change(Kind.ADDED, "BF-4", "Print a list"),
            Change(Kind.CHANGED, "BF-3", "Tell members by mail", "Tell members by letter"),
            Change(Kind.REMOVED, "BF-2", "Keep keys"),
        ),
        1,
    )
    assert [(x.kind, x.name) for x in found.requirements.changes] == [
        (Kind.ADDED, "FR-2"),
        (Kind.REMOVED, "FR-3"),
    ]
    assert [(x.kind, x.name) for x in found.files.changes] == [
        (Kind.ADDED, "list.ts"),
        (Kind.CHANGED, "page.ts"),
        (Kind.REMOVED, "keys.ts"),
    ]
    assert (found.requirements.kept, found.files.kept) == (1, 1)
    words = changelog_markdown(found)
    assert "- Added: **BF-4** Print a list\n" in words
    assert "- 1 file as before." in words


def test_points_without_ids_that_were_moved_are_no_change():
    before = {"brief": brief("- Lend tools\n- Keep keys")}
    now = {"brief": brief("- Print a list\n- Lend tools\n- Keep keys")}
    found = changelog_of(SECOND, before, now).points
    assert ([(x.kind, x.text) for x in found.changes], found.kept) == (
        [(Kind.ADDED, "Print a list")],
        2,
    )


def test_other_criteria_are_another_requirement():
    [need] = SPEC.requirements
    [rule] = need.criteria
    stricter = replace(need, criteria=(replace(rule, then="it is reserved for a day"),))
    found = changelog_of(SECOND, {"spec": spec(need)}, {"spec": spec(stricter)}).requirements
    assert [(x.kind, x.name) for x in found.changes] == [(Kind.CHANGED, "FR-1")]


def test_without_a_finished_round_before_there_is_nothing_to_compare_with():
    for rounds in ((), (Round(9, Status.FAILED),)):
        found = changelog_of(Content(rounds=rounds), {}, {"brief": brief("- Lend tools")})
        assert (found.since, found.points) == (None, Changed())


@pytest.mark.parametrize("life", LIVES)
async def test_a_zip_tells_what_changed_if_it_is_of_a_later_round(life):
    files = unzipped(await Shop(LIVES[life]().events).zip())
    assert (CHANGELOG in files) == (life in {"changed", "changed_twice"})
    assert (b"changelog.md" in files["documents/README.md"]) == (CHANGELOG in files)


async def test_a_third_round_is_compared_with_the_last_that_was_finished():
    files = unzipped(await Shop(changed_twice().events).zip())
    words = files[CHANGELOG].decode()
    assert words.startswith("# What round 3 changed since round 1\n")
    assert "- Changed: **BF-1** lend ladders Before: lend tools\n" in words


async def test_what_is_said_after_the_end_changes_no_byte_of_the_zip():
    story = given.done()
    shop = Shop(story.events)
    before = await shop.zip()
    end = len(story.events)
    story.do(c.PostMessage(given.MESSAGE, "and a list")).work(Step.CONVERSE)
    shop.tell(story.events[end:])
    assert await shop.zip() == before


async def test_the_zip_of_the_round_before_is_the_very_zip_that_it_was():
    story = changed()
    last = story.feature.content.rounds[0]
    shop = Shop(story.events)
    earlier = await shop.zip(last.ended)
    verdict = next(n for n, x in enumerate(story.events, 1) if isinstance(x, e.VerdictReached))
    assert earlier == await Shop(story.events[:verdict]).zip()
    assert check(unzipped(earlier))
    manifest = json.loads(unzipped(earlier)["documents/manifest.json"])
    assert manifest["version"] == verdict


async def test_a_history_has_a_branch_for_each_earlier_round():
    shop = Shop(changed_twice().events)
    first, second = changed_twice().feature.content.rounds
    branches = branches_of(shop.log.events)
    assert branches == {"round-1": first.ended, "round-2": second.ended}
    assert branches_of(Shop(given.done().events).log.events) == {}
