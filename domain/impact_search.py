"""Follows the changes of a brief's points through an application to all that rests on them.

Invariant: whatever a rule finds for some changes it finds for more of them, too.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Final, TypeAlias

from domain import documents as d
from domain.impact_index import ImpactKind, Index, interfaces_of
from domain.impact_words import WordChange, is_number, lines_of, topics_of, words_of

MOST_OF_A_LIST: Final = 0.75
"""Whoever names so large a part of an entity's fields lists them, and must list a new one, too."""
FEW: Final = 3
"""A test file that is about so many requirements at most shows which files they need."""


_DEEDS: Final[Mapping[d.HttpMethod, frozenset[str]]] = {
    method: topics_of(words)
    for method, words in {
        d.HttpMethod.GET: "see show open list find look filter download print search sort export",
        d.HttpMethod.POST: "add book reserve order enter create store register block publish top"
        " send decide",
        d.HttpMethod.PUT: "change write store update save edit",
        d.HttpMethod.PATCH: "change write update edit",
        d.HttpMethod.DELETE: "cancel delete remove give take back withdraw",
    }.items()
}
"""What a route of a method does, in words of requirements."""


Says: TypeAlias = Callable[[frozenset[str]], bool]
"""Whether words speak of something."""


class ImpactSearch:
    """Follows changes through an application."""

    def __init__(self, index: Index, changes: list[WordChange]) -> None:
        self._index = index
        self._changes = changes
        self.stale: dict[ImpactKind, dict[str, tuple[str, ...]]] = {kind: {} for kind in ImpactKind}
        self._looked: set[str] = set()
        self._gone = {change.point for change in changes if not change.after}
        self.interfaces = {
            ident: frozenset().union(*(line.words for line in lines_of(text)), _split(text))
            for ident, text in interfaces_of(index.base.plan).items()
        }

    def _mark(self, kind: ImpactKind, ident: str, why: tuple[str, ...]) -> None:
        self.stale[kind].setdefault(ident, why)

    def run(self, also: Collection[str]) -> None:
        index = self._index
        for change in self._changes:
            for need in index.citing.get(change.point, ()):
                self._mark(ImpactKind.REQUIREMENTS, need, (change.point,))
        for change in self._changes:
            if not change.before:
                self._added(change)
                continue
            self._counted_elsewhere(change)
            for need in index.citing.get(change.point, ()):
                self._follow(change, index.needs[need])
        named = sorted(set(also))
        for ident in named:
            if ident in index.needs:
                self._mark(ImpactKind.REQUIREMENTS, ident, (ident,))
        for ident in named:
            if ident in index.needs:
                self._follow(WordChange(ident, (), ()), index.needs[ident])
            elif ident in index.tasks:
                self._files(index.tasks[ident].writes, (ident,))
            elif ident in index.owner:
                self._files([ident], (ident,))
            elif ident in index.tested:
                self._mark(ImpactKind.TESTS, ident, (ident,))
        self._without_what_goes()

    # From a point to one requirement that cites it.

    def _follow(self, change: WordChange, need: d.Requirement) -> None:
        why = (change.point, need.id) if change.point != need.id else (need.id,)
        goes = bool(self._gone) and all(point in self._gone for point in need.sources)
        if goes or not change.before:
            self._whole(need, why, change)
        elif self._is_about_who(change, need):
            self._who(need, why, change)
        elif fields := self._data(change):
            self._fields(change, need, fields, why)
        elif change.only_numbers:
            self._numbers(change, need, why)
        else:
            self._other(change, need, why)

    def _whole(self, need: d.Requirement, why: tuple[str, ...], change: WordChange) -> None:
        """The requirement goes, or is made anew, with all that is about nothing else."""
        self._criteria(need, lambda _: True, why)
        self._dedicated(need, why)
        own = self._own_words(need)
        found = self._files_saying(need, own, why)
        found += self._cited(need, why)
        found += self._imported_by_tests(need, why)
        if change.before:
            self._interfaces_saying(own, need, why)
            self._lost_routes(need, why)
            self._kept_fields(own, why)
            self._numbers_in_files(change, need, why)
        if not found and not self._only_for(need):
            self._files(self._index.narrowest(need.id), why)

    def _who(self, need: d.Requirement, why: tuple[str, ...], change: WordChange) -> None:
        """Somebody else may do it: its address changes, and where the address is served."""
        words = change.gone | change.came
        self._criteria(need, lambda said: bool(words & topics_of(said)), why)
        if not self._routes(need, why):
            self._dedicated(need, why)
            if not self._cited(need, why) and not self._only_for(need):
                self._files(self._index.narrowest(need.id), why)

    def _fields(
        self,
        change: WordChange,
        need: d.Requirement,
        fields: Mapping[str, frozenset[str]],
        why: tuple[str, ...],
    ) -> None:
        """What is kept changes: whoever names what goes, or lists what stays, changes with it."""
        before, after = frozenset(change.before), frozenset(change.after)
        named = [words for words in fields.values() if words <= before]
        gone = [words for words in named if not words <= after]
        says = _names_one(gone) if gone else _lists(named)
        self._criteria(need, lambda said: says(frozenset(words_of(said))), why)
        if change.point not in self._looked:  # What is kept is kept for all who cite the point.
            self._looked.add(change.point)
            self._wherever(says, why)

    def _wherever(self, says: Says, why: tuple[str, ...]) -> None:
        """Files, tests and interfaces whose words are such."""
        for path, words in self._index.words.items():
            if says(words):
                self._files([path], why)
        for path, words in self._index.test_words.items():
            if says(words):
                self._mark(ImpactKind.TESTS, path, why)
        for ident, words in self.interfaces.items():
            if says(words):
                self._mark(ImpactKind.INTERFACES, ident, why)

    def _numbers(self, change: WordChange, need: d.Requirement, why: tuple[str, ...]) -> None:
        """A limit or an amount is another one."""
        self._criteria(need, lambda said: _counts(said, change), why, or_all=True)
        self._dedicated(need, why)
        found = self._numbers_in_files(change, need, why)
        if not found and not self._only_for(need):
            self._files(self._index.narrowest(need.id), why)

    def _other(self, change: WordChange, need: d.Requirement, why: tuple[str, ...]) -> None:
        """It does something else than before."""
        if not self._concerns(change, need):
            return
        words = self._told(change) & self._index.said[need.id]
        if change.gone or change.numbers:
            self._criteria(need, lambda said: bool(words & topics_of(said)), why, or_all=True)
        else:  # Only something more is said: sentences that speak of it are another now.
            topics = change.topics
            self._criteria(need, lambda said: len(topics & topics_of(said)) > 1, why)
        self._dedicated(need, why)
        found = self._files_saying(need, words, why)
        found += self._cited(need, why)
        found += self._imported_by_tests(need, why)
        found += self._numbers_in_files(change, need, why)
        self._interfaces_saying(self._told(change), need, why)
        if not found and not self._only_for(need):
            self._files(self._index.narrowest(need.id), why)

    # What kind of change it is.

    def _told(self, change: WordChange) -> frozenset[str]:
        """What the point does not say any more: words that no other point says, if there are."""
        gone = change.gone | (_TAKEN_AWAY if change.gone & _TAKEN_AWAY else frozenset())
        own = frozenset(word for word in gone if self._index.elsewhere.get(word, 0) <= 1)
        return own or gone

    def _concerns(self, change: WordChange, need: d.Requirement) -> bool:
        """Whether a requirement that cites a point rests on just those of its words that change."""
        citing = [self._index.needs[ident] for ident in self._index.citing[change.point]]
        if not change.after:
            return len(need.sources) == 1 or all(len(one.sources) > 1 for one in citing)
        told = self._told(change)
        says = {one.id for one in citing if told & self._index.said[one.id]}
        return need.id in says or not says

    def _is_about_who(self, change: WordChange, need: d.Requirement) -> bool:
        start, was, now = change.middle
        actor = frozenset(words_of(need.actor))
        return bool(actor) and (
            actor <= frozenset(change.before[: start + len(was)])
            and start <= len(actor)
            and not any(is_number(word) for word in (*was, *now))
            and frozenset(was) <= actor | {"and", "or"}
        )

    def _data(self, change: WordChange) -> Mapping[str, frozenset[str]]:
        """The entity whose fields the change is about, if it is about fields."""
        before, after = frozenset(change.before), frozenset(change.after)
        best: Mapping[str, frozenset[str]] = {}
        most = 0
        for fields in self._index.fields.values():
            named = [words for words in fields.values() if words <= before]
            gone = [words for words in named if not words <= after]
            covered = change.gone & frozenset().union(*gone)
            cue = bool(_LISTS & before)
            lists = cue and len(named) > 1
            swapped = change.gone and covered == change.gone and bool(change.came)
            renamed = swapped and not any(words <= change.came for words in fields.values())
            fewer = cue and gone and 2 * len(covered) >= len(change.gone)
            more = lists and not change.gone and bool(change.came) and not change.numbers
            if (renamed or fewer or more) and len(named) > most:
                best, most = fields, len(named)
        return best

    # Where it leads.

    def _criteria(
        self,
        need: d.Requirement,
        says: Callable[[str], bool],
        why: tuple[str, ...],
        *,
        or_all: bool = False,
    ) -> None:
        found = [one for one in need.criteria if says(f"{one.given} {one.when} {one.then}")]
        if not found and or_all:
            found = list(need.criteria)
        for one in found:
            self._criterion(one, why)
        if len(found) == len(need.criteria):
            for path in self._index.naming_whole.get(need.id, ()):
                self._mark(ImpactKind.TESTS, path, why)

    def _criterion(self, one: d.Criterion, why: tuple[str, ...]) -> None:
        """A criterion, and the tests that name it."""
        self._mark(ImpactKind.CRITERIA, one.id, why)
        for path in self._index.naming.get(one.id, ()):
            self._mark(ImpactKind.TESTS, path, (*why, one.id))

    def _dedicated(self, need: d.Requirement, why: tuple[str, ...]) -> None:
        """Files of tasks that build stale requirements only."""
        stale = self.stale[ImpactKind.REQUIREMENTS]
        for task in self._index.tasks_for.get(need.id, ()):
            if all(ident in stale for ident in task.requirements):
                topics = self._index.said[need.id]
                about = [p for p in task.writes if topics & self._index.words[p]]
                self._files(about or task.writes, (*why, task.id))

    def _only_for(self, need: d.Requirement) -> bool:
        return any(len(task.requirements) == 1 for task in self._index.tasks_for.get(need.id, ()))

    def _files_saying(
        self, need: d.Requirement, words: frozenset[str], why: tuple[str, ...]
    ) -> int:
        tasks = {task.id for task in self._index.tasks_for.get(need.id, ())}
        found = {
            path
            for word in words
            for path in self._index.saying.get(word, ())
            if self._index.owner[path] in tasks
        }
        self._files(sorted(found), why)
        return len(found)

    def _numbers_in_files(
        self, change: WordChange, need: d.Requirement, why: tuple[str, ...]
    ) -> int:
        """Files with a number that does not hold any more, in a line that is about the same."""
        tasks = {task.id for task in self._index.tasks_for.get(need.id, ())}
        found = set()
        for number in change.numbers:
            clock = _CLOCK if ":" in number else frozenset()
            for each in {number, number.split(":")[0], number.lstrip("-")}:
                for path, words in self._index.counting.get(each, ()):
                    own = self._index.owner[path] in tasks
                    topics = (change.topics | clock) if own else change.units
                    if topics & words:
                        found.add(path)
        self._files(sorted(found), why)
        return len(found)

    def _cited(self, need: d.Requirement, why: tuple[str, ...]) -> int:
        idents = (need.id, *(one.id for one in need.criteria))
        found = {path for ident in idents for path in self._index.cited_in.get(ident, ())}
        self._files(sorted(found), why)
        return len(found)

    def _imported_by_tests(self, need: d.Requirement, why: tuple[str, ...]) -> int:
        tasks = {task.id for task in self._index.tasks_for.get(need.id, ())}
        own = (need.id, *(one.id for one in need.criteria))
        naming = dict.fromkeys(path for ident in own for path in self._index.naming.get(ident, ()))
        found = 0
        for test in naming:
            if self._index.about[test] > FEW:
                continue
            for path in self._index.test_imports[test]:
                if self._index.owner[path] in tasks:
                    self._files([path], (*why, test))
                    found += 1
        return found

    def _interfaces_saying(
        self, words: frozenset[str], need: d.Requirement, why: tuple[str, ...]
    ) -> None:
        tasks = {task.id for task in self._index.tasks_for.get(need.id, ())}
        topics = self._index.aims[need.id]
        for ident, said in self.interfaces.items():
            if not words & said:
                continue
            kind, _, name = ident.partition(" ")
            if kind == "export" and self._index.owner.get(name.partition("#")[0]) not in tasks:
                continue
            if kind == "route" and not topics & _split(name.partition(" ")[2].split("/:")[0]):
                continue
            self._mark(ImpactKind.INTERFACES, ident, why)

    def _routes_of(self, need: d.Requirement) -> list[d.PlannedRoute]:
        """The addresses by which a requirement is met, as far as words tell."""
        topics, actor = self._index.aims[need.id], self._index.actors[need.id]
        scored = []
        for route, path, who in self._index.routes:
            about = len(path & topics) / max(1, len(path))
            if about and (who & actor or d.ANYBODY in route.who):
                scored.append((about + bool((topics - path) & _DEEDS[route.method]), route))
        best = max((score for score, _ in scored), default=0)
        return [route for score, route in scored if score == best >= 1]

    def _route_files(self, need: d.Requirement, why: tuple[str, ...]) -> bool:
        """The files that name the addresses of a requirement."""
        routes = self._routes_of(need)
        for route in routes:
            self._files(self._index.serving.get(route.path, ()), why)
        return bool(routes)

    def _routes(self, need: d.Requirement, why: tuple[str, ...]) -> bool:
        """The addresses of a requirement, with the files that name them."""
        for route in self._routes_of(need):
            self._mark(ImpactKind.INTERFACES, f"route {route.method} {route.path}", why)
        return self._route_files(need, why)

    def _lost_routes(self, need: d.Requirement, why: tuple[str, ...]) -> None:
        """The addresses that no requirement needs any more."""
        mine = self._routes_of(need)
        if mine and not any((route.method, route.path) in self._needed for route in mine):
            self._routes(need, why)

    @cached_property
    def _needed(self) -> frozenset[tuple[str, str]]:
        """The addresses of requirements that stay."""
        return frozenset(
            (route.method, route.path)
            for need in self._index.needs.values()
            if not all(point in self._gone for point in need.sources)
            for route in self._routes_of(need)
        )

    def _kept_fields(self, own: frozenset[str], why: tuple[str, ...]) -> None:
        """What is kept for the point alone goes wherever it stands."""
        gone = [
            words
            for fields in self._index.fields.values()
            for words in fields.values()
            if words <= own
        ]
        if gone:
            self._wherever(_names_one(gone), why)

    @cached_property
    def _going(self) -> dict[str, WordChange]:
        """Points that go, by id."""
        return {change.point: change for change in self._changes if not change.after}

    @cached_property
    def _going_words(self) -> Mapping[str, int]:
        """How many points that go speak of each topic."""
        return Counter(word for change in self._going.values() for word in change.topics)

    def _own_words(self, need: d.Requirement) -> frozenset[str]:
        """Topics of the points that go and of no point that stays."""
        return frozenset(
            word
            for point in need.sources
            if point in self._going
            for word in self._going[point].topics
            if self._index.elsewhere.get(word, 0) <= self._going_words[word]
        )

    def _counted_elsewhere(self, change: WordChange) -> None:
        """Requirements that count on a number although they do not cite its point."""
        if not (change.only_numbers and change.units):
            return
        for number in sorted(change.numbers):
            for unit in sorted(change.units):
                for need, one in self._index.counted.get((number, unit), ()):
                    if change.point not in need.sources:
                        self._mark(ImpactKind.REQUIREMENTS, need.id, (change.point,))
                        self._criterion(one, (change.point, need.id))

    def _added(self, change: WordChange) -> None:
        """A new point: what is most like it is worked on, too."""
        best, score = "", 0.0
        for ident, said in self._index.said.items():
            shared = change.topics & said
            value = sum(1 / (1 + self._index.elsewhere.get(word, 0)) for word in shared)
            if value > score:
                best, score = ident, value
        shared = change.topics & self._index.said.get(best, frozenset())
        if len(shared) < 2:  # noqa: PLR2004 - one word in common says nothing.
            return
        why = (change.point, best)
        for path in self._index.narrowest(best):
            if shared & self._index.words[path]:
                self._files([path], why)
                for importer in self._index.importers.get(path, ()):
                    if importer in self._index.servers:
                        self._files([importer], (*why, path))
        self._route_files(self._index.needs[best], why)

    def _without_what_goes(self) -> None:
        """What imports a file that goes altogether must do without it."""
        for task in self._index.tasks.values():
            sources = {
                point
                for need in task.requirements
                if need in self._index.needs
                for point in self._index.needs[need].sources
            }
            if not sources or not sources <= self._gone:
                continue
            for path in task.writes:
                for ident in self.interfaces:
                    if ident.startswith(f"export {path}#"):
                        self._mark(ImpactKind.INTERFACES, ident, (task.id,))
                for importer in self._index.importers.get(path, ()):
                    self._files([importer], (task.id, path))

    def _files(self, paths: Iterable[str], why: tuple[str, ...]) -> None:
        for path in paths:
            self._mark(ImpactKind.FILES, path, why)
            self._mark(ImpactKind.TASKS, self._index.owner[path], (*why, path))


_LISTS: Final = frozenset(
    words_of("has have keep note store record contain consist each every with")
)
_SAID_OF_MANY: Final = frozenset({"number"})
"""A word of fields' names that code often leaves out."""
_TAKEN_AWAY: Final = topics_of("cancel delete remove")
"""Words for the same deed."""
_CLOCK: Final = topics_of("hour time clock until minute")


def _split(text: str) -> frozenset[str]:
    return frozenset(word for line in lines_of(text.replace("/", " ")) for word in line.words)


def _names_one(fields: list[frozenset[str]]) -> Says:
    short = [field - _SAID_OF_MANY or field for field in fields]
    return lambda words: any(field <= words for field in short)


def _lists(fields: list[frozenset[str]]) -> Says:
    least = max(2, MOST_OF_A_LIST * len(fields))
    return lambda words: sum(field <= words for field in fields) >= least


def _counts(said: str, change: WordChange) -> bool:
    """Whether a sentence names a number that is gone, or how many there are of the same."""
    words = words_of(said)
    if change.numbers & set(words):
        return True
    if any(":" in number for number in change.numbers):
        return any(is_number(word) and ":" in word for word in words)
    pairs = pairwise(words)
    return any(is_number(word) and unit in change.units for word, unit in pairs)
