"""Whether a pattern's work can grow faster than the text it reads, found from its syntax tree.

Python's `re` tries one way after the other. Its work grows with the text alone as long as there is
a bound on the number of ways in which a text can be read; so the pattern is made into an automaton
over classes of characters (Glushkov's: a state for each place in the pattern that takes a
character), and two shapes are looked for (Weber and Seidl, "On the degree of ambiguity of finite
automata", 1991):

- exponential: from a state, two ways over the same text back to that state, as in `(a+)+$`;
- polynomial: two states that each go round over a text, and a way over the same text from the one
  to the other, as in `\\s*\\s*$`. A search begins everywhere, which is a state that goes round over
  any text: so `\\s+x` is one, and `(?<!\\s)\\s+x` is not.

Invariant: what is unsure is refused. A way that cannot fail any more, for the pattern may end
there whatever comes next, is not tried again, and is no reason to refuse.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from itertools import product
from re import _compiler, _parser  # type: ignore[attr-defined]  # What `re` itself reads with.
from typing import Any, NamedTuple

MANY_STARTS = 256
"""A repetition of at most so many characters costs a search that many steps at each place."""
MANY_WAYS = 16
"""Two repetitions side by side, of at most so many each, cost the square of it at each place."""

START, END = 0, 1
"""Beside the classes of characters: what stands before the first and behind the last one."""

_ALPHABET = (
    *map(chr, range(0x20, 0x7F)), *"\0\t\n\v\f\r\x1c\x85\xa0éÉß…中",
    "\u0130", "\u0131", "\u017f", "\u03c2", "\u03c3", "\xb5", "\u212a", "\u2019", "\u201c",
    "\u2013", "\u2014", "\u0301", "\u061c", "\u2003", "\u2028", "\u200e", "\ufeff", "\uff0f",
    "\U0001f600", "\ud800",
)  # fmt: skip

Guard = int
"""Which classes may stand on the two sides of a place: a bit for each pair of them."""
Node = tuple[int, int]
"""A state: a place in the pattern, and the class of the character it took."""


class Growth(NamedTuple):
    """Why a pattern is refused."""

    kind: str
    """`exponential` or `polynomial`."""
    text: str
    """Repeated, it is what the pattern takes long over."""


class _Part:
    """A part of a pattern: where it begins and ends, and when it takes nothing."""

    def __init__(self, empty: Guard) -> None:
        self.empty = empty
        self.first: dict[int, Guard] = {}
        self.last: dict[int, Guard] = {}


class _Automaton:
    def __init__(self, pattern: "re.Pattern[Any]", many: int) -> None:
        self._many = many
        self._bytes = isinstance(pattern.pattern, bytes)
        tree = _parser.parse(
            pattern.pattern, pattern.flags & ~re.UNICODE if self._bytes else pattern.flags
        )
        self._state = tree.state
        self.characters, self._member = _classes(tree, pattern.flags, raw=self._bytes)
        self.size = len(self.characters) + 2
        every = range(self.size)
        self._before = [sum(1 << self.bit(a, b) for b in every if b != START) for a in every]
        self._behind = [sum(1 << self.bit(a, b) for a in every if a != END) for b in every]
        self._before[END] = self._behind[START] = 0
        self.anything = self.before(every)
        self.takes: list[frozenset[int]] = [frozenset(range(2, self.size))]
        """By place; place 0 is what a search passes over."""
        self.edges: dict[tuple[int, int], list[Guard]] = defaultdict(list)
        self.sure: dict[int, Guard] = defaultdict(int)
        """Where the pattern may end."""
        self._groups: dict[int, Any] = {}
        whole = self._sequence(tree, pattern.flags)
        self.first = whole.first
        for place, guard in whole.last.items():
            self.sure[place] |= guard

    def bit(self, before: int, after: int) -> int:
        return before * self.size + after

    def before(self, classes: Iterable[int]) -> Guard:
        """One of these stands before the place."""
        guard = 0
        for each in classes:
            guard |= self._before[each]
        return guard

    def behind(self, classes: Iterable[int]) -> Guard:
        """One of these stands behind it."""
        guard = 0
        for each in classes:
            guard |= self._behind[each]
        return guard

    def _place(self, taken: frozenset[int]) -> _Part:
        self.takes.append(taken)
        place = len(self.takes) - 1
        part = _Part(0)
        part.first = {place: self.behind(taken)}
        part.last = {place: self.before(taken)}
        return part

    def _sequence(self, items: Iterable[Any], flags: int) -> _Part:
        whole = _Part(self.anything)
        for op, value in items:
            whole = self._joined(whole, self._part(op, value, flags))
        return whole

    def _joined(self, left: _Part, right: _Part) -> _Part:
        for before, out in left.last.items():
            for after, into in right.first.items():
                if both := out & into:
                    self.edges[before, after].append(both)
        joined = _Part(left.empty & right.empty)
        joined.first = dict(left.first)
        for place, guard in right.first.items():
            joined.first[place] = joined.first.get(place, 0) | (guard & left.empty)
        joined.last = dict(right.last)
        for place, guard in left.last.items():
            joined.last[place] = joined.last.get(place, 0) | (guard & right.empty)
        return joined

    def _either(self, parts: Iterable[_Part]) -> _Part:
        either = _Part(0)
        for part in parts:
            either.empty |= part.empty
            either.first.update(part.first)
            either.last.update(part.last)
        return either

    def _part(self, op: Any, value: Any, flags: int) -> _Part:
        match str(op):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self._place(self._member(op, value, flags))
            case "BRANCH":
                return self._either([self._sequence(items, flags) for items in value[1]])
            case "SUBPATTERN":
                group, added, removed, items = value
                self._groups[group] = items
                return self._sequence(items, (flags | added) & ~removed)
            case "ATOMIC_GROUP":
                return self._sequence(value, flags)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self._repeated(*value, flags, held=str(op) == "POSSESSIVE_REPEAT")
            case "AT":
                return _Part(self._at(str(value), flags))
            case "ASSERT" | "ASSERT_NOT":
                return self._looked(*value, flags, wanted=str(op) == "ASSERT")
            case "GROUPREF":
                return self._sequence(self._groups[value], flags)
            case "GROUPREF_EXISTS":
                _, yes, no = value
                return self._either([self._sequence(yes, flags), self._sequence(no or [], flags)])
            case _:
                raise NotImplementedError(f"{op} is not known here")

    def _repeated(self, least: int, most: int, items: Any, flags: int, *, held: bool) -> _Part:
        endless = most is _parser.MAXREPEAT or most > self._many
        whole = _Part(self.anything)
        for _ in range(min(least, 2) if endless else min(least, 3)):
            whole = self._joined(whole, self._sequence(items, flags))
        if endless:
            loop = self._sequence(items, flags)
            for before, out in loop.last.items():
                for after, into in loop.first.items():
                    if both := out & into:
                        self.edges[before, after].append(both)
            loop.empty = self.anything
            if (
                held
                and len(items) == 1
                and str(items[0][0]) in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
            ):
                # It gave nothing back: what follows is none of what it takes.
                taken = self._member(*items[0], flags)
                ends = self.anything & ~self.behind(taken)
                loop.empty = ends
                loop.last = {place: guard & ends for place, guard in loop.last.items()}
            return self._joined(whole, loop)
        for _ in range(min(most - least, 3)):
            maybe = self._sequence(items, flags)
            maybe.empty = self.anything
            whole = self._joined(whole, maybe)
        return whole

    def _looked(self, direction: int, items: Any, flags: int, *, wanted: bool) -> _Part:
        """What is looked for is read and left again; the place itself is only guarded."""
        part = _Part(self.anything)
        if len(items) == 1 and str(items[0][0]) in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}:
            taken = self._member(*items[0], flags)
            guard = self.before(taken) if direction < 0 else self.behind(taken)
            part.empty = guard if wanted else self.anything & ~guard
        elif direction > 0:
            body = self._sequence(items, flags)
            part.first = body.first
        return part

    def _at(self, where: str, flags: int) -> Guard:
        line = self._member("LITERAL", 10, 0)
        word = self._member("IN", [(_parser.CATEGORY, _parser.CATEGORY_WORD)], flags)
        edge = (self.before(word) & self.behind(word)) | (
            self.anything & ~self.before(word) & ~self.behind(word)
        )
        match where:
            case "AT_BEGINNING" if flags & re.MULTILINE:
                return self.before({START, *line})
            case "AT_BEGINNING" | "AT_BEGINNING_STRING":
                return self.before({START})
            case "AT_END":
                return self.behind({END, *line})
            case "AT_END_STRING":
                return self.behind({END})
            case "AT_BOUNDARY":
                return self.anything & ~edge
            case "AT_NON_BOUNDARY":
                return edge
            case _:
                raise NotImplementedError(f"{where} is not known here")


def _leaves(items: Iterable[Any], flags: int) -> Iterator[tuple[Any, Any, int]]:
    """Everything in a pattern that takes one character, with the flags that hold there."""
    for op, value in items:
        match str(op):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                yield op, value, flags
            case "BRANCH":
                for branch in value[1]:
                    yield from _leaves(branch, flags)
            case "SUBPATTERN":
                yield from _leaves(value[3], (flags | value[1]) & ~value[2])
            case "ATOMIC_GROUP":
                yield from _leaves(value, flags)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _leaves(value[2], flags)
            case "ASSERT" | "ASSERT_NOT":
                yield from _leaves(value[1], flags)
            case "GROUPREF_EXISTS":
                yield from _leaves(value[1], flags)
                yield from _leaves(value[2] or [], flags)
            case _:
                pass


def _named(value: Any) -> Iterator[str]:
    """The characters that a leaf names, and their neighbours, in both cases."""
    for op, given in value:
        numbers = {"LITERAL": [given], "RANGE": given}.get(str(op), [])
        for number in numbers:
            for near in (number - 1, number, number + 1):
                if 0 <= near <= 0x10FFFF:
                    yield from {chr(near), *chr(near).lower()[:1], *chr(near).upper()[:1]}


def _classes(tree: Any, flags: int, *, raw: bool) -> tuple[list[str], Any]:
    """The classes of characters that a pattern tells apart, each by one of its members."""
    compiled: dict[tuple[str, str, int], Any] = {}

    def matcher(op: Any, value: Any, flags: int) -> Any:
        key = (str(op), str(value), flags)
        if key not in compiled:
            named = getattr(_parser, str(op))
            single = _parser.SubPattern(_parser.State(), [(named, value)])
            single.state.flags = flags & ~re.DEBUG
            compiled[key] = _compiler.compile(single, flags & ~re.VERBOSE)
        return compiled[key]

    line = ("LITERAL", 10, 0)
    word = ("IN", [(_parser.CATEGORY, _parser.CATEGORY_WORD)], flags)
    leaves = [*_leaves(tree, flags), line, word]
    alphabet = set(_ALPHABET)
    for op, value, _ in leaves:
        if str(op) != "ANY":
            alphabet.update(_named(value if str(op) == "IN" else [(_parser.LITERAL, value)]))
    if raw:
        alphabet = {c for c in alphabet if ord(c) < 0x100}
    matchers = {
        (str(op), str(value), flags): matcher(op, value, flags) for op, value, flags in leaves
    }
    told: dict[tuple[bool, ...], str] = {}
    for character in sorted(alphabet):
        given: Any = character.encode("latin-1") if raw else character
        told.setdefault(tuple(m.fullmatch(given) is not None for m in matchers.values()), character)
    order = list(told)
    members = {
        key: frozenset(n + 2 for n, signature in enumerate(order) if signature[place])
        for place, key in enumerate(matchers)
    }

    def member(op: Any, value: Any, flags: int) -> frozenset[int]:
        return members[str(op), str(value), flags]

    return [told[signature] for signature in order], member


class _Graph:
    """States and ways between them."""

    def __init__(self, automaton: _Automaton, *, searching: bool, whole: bool) -> None:
        self._automaton = automaton
        self._ways: dict[Node, list[Node]] = defaultdict(list)
        self._back: dict[Node, list[Node]] = defaultdict(list)
        self._doubled: set[tuple[Node, Node]] = set()
        every = range(2, automaton.size)
        for (before, after), guards in automaton.edges.items():
            for a in automaton.takes[before]:
                for b in automaton.takes[after]:
                    bit = automaton.bit(a, b)
                    if count := sum(guard >> bit & 1 for guard in guards):
                        self._add((before, a), (after, b))
                    if count > 1:
                        self._doubled.add(((before, a), (after, b)))
        begins = [(0, a) for a in (START, *every)]
        for begin in begins:
            for place, guard in automaton.first.items():
                for b in automaton.takes[place]:
                    if guard >> automaton.bit(begin[1], b) & 1:
                        self._add(begin, (place, b))
            if searching:
                for b in every:
                    self._add(begin, (0, b))
        self._safe = set() if whole else self._matching()
        within = self._reached(begins, self._ways)
        self.loops = [loop for loop in self._loops() if loop & within]
        self._ahead = {loop: self._reached(loop, self._ways) for loop in self.loops}
        self._behind = {loop: self._reached(loop, self._back) for loop in self.loops}

    def _add(self, before: Node, after: Node) -> None:
        self._ways[before].append(after)
        self._back[after].append(before)

    def _matching(self) -> set[Node]:
        """States from which the pattern matches, whatever comes next, and then whatever comes."""
        automaton = self._automaton
        every = sum(1 << b for b in range(2, automaton.size)) | 1 << END
        row = (1 << automaton.size) - 1
        safe = {(p, a) for p, taken in enumerate(automaton.takes) if p for a in taken}
        while True:
            kept = set()
            for place, a in safe:
                taken = automaton.sure[place] >> automaton.bit(a, 0) & row
                for node in self._ways.get((place, a), ()):
                    taken |= (node in safe) << node[1]
                if taken & every == every:
                    kept.add((place, a))
            if kept == safe:
                return safe
            safe = kept

    def _loops(self) -> list[frozenset[Node]]:
        """Sets of states that lead to each other."""
        order: list[Node] = []
        seen: set[Node] = set()
        for root in list(self._ways):
            todo = [(root, False)]
            while todo:
                node, left = todo.pop()
                if left:
                    order.append(node)
                elif node not in seen:
                    seen.add(node)
                    todo.append((node, True))
                    todo += [(after, False) for after in self._ways.get(node, ())]
        found = []
        done: set[Node] = set()
        for root in reversed(order):
            members = self._reached([root], self._back, done)
            done |= members
            if len(members) > 1 or root in self._ways.get(root, ()):
                found.append(frozenset(members))
        return found

    def _reached(
        self, nodes: Iterable[Node], ways: dict[Node, list[Node]], without: Container[Node] = ()
    ) -> set[Node]:
        found = {node for node in nodes if node not in without}
        todo = list(found)
        while todo:
            for node in ways.get(todo.pop(), ()):
                if node not in found and node not in without:
                    found.add(node)
                    todo.append(node)
        return found

    def exponential(self, loop: frozenset[Node]) -> str | None:
        """A text over which a loop has two ways back to a state."""
        if loop <= self._safe or any(place == 0 for place, _ in loop):
            return None
        for before, after in self._doubled:
            if before in loop and after in loop:
                return self._shown([after])
        over = self._over(loop)

        def steps(at: Any) -> Iterator[Any]:
            left, right, apart = at
            for taken, first in over[left].items():
                for x, y in product(first, over[right].get(taken, ())):
                    yield x, y, apart or x != y

        rounds = (self._round((node, node, False), steps, (node, node, True)) for node in loop)
        return next((text for text in rounds if text is not None), None)

    def polynomial(self, here: frozenset[Node], there: frozenset[Node]) -> str | None:
        """A text over which both loops go round, and one leads to the other."""
        if here is there or not there & self._ahead[here]:
            return None
        first, last = self._over(here), self._over(there)
        between = self._over(self._ahead[here] & self._behind[there])

        def steps(at: Any) -> Iterator[Any]:
            p, way, q = at
            for taken, around in first[p].items():
                yield from product(around, between[way].get(taken, ()), last[q].get(taken, ()))

        starts = [(p, q) for p, q in product(here - self._safe, there - self._safe) if p[1] == q[1]]
        rounds = (self._round((p, p, q), steps, (p, q, q)) for p, q in starts)
        return next((text for text in rounds if text is not None), None)

    def _over(self, nodes: Collection[Node]) -> dict[Node, dict[int, list[Node]]]:
        """Where each of some states leads among them, by what is taken."""
        over: dict[Node, dict[int, list[Node]]] = {}
        for node in nodes:
            ways = over[node] = defaultdict(list)
            for after in self._ways.get(node, ()):
                if after in nodes:
                    ways[after[1]].append(after)
        return over

    def _round(self, start: Any, steps: Callable[[Any], Iterator[Any]], goal: Any) -> str | None:
        """The shortest text from a start to a goal; None if there is none."""
        came: dict[Any, Any] = {}
        todo = deque([start])
        while todo:
            at = todo.popleft()
            for following in steps(at):
                if following in came:
                    continue
                came[following] = at
                if following == goal:
                    way = [following]
                    while (at := came[way[-1]]) != start:
                        way.append(at)
                    return self._shown([node[0] for node in reversed(way)])
                todo.append(following)
        return None

    def _shown(self, nodes: Iterable[Node]) -> str:
        return "".join(self._automaton.characters[node[1] - 2] for node in nodes)


def growth(
    pattern: "re.Pattern[Any]", *, searching: bool = True, whole: bool = False
) -> Growth | None:
    """Why a pattern's work may grow faster than its text; None if it does not.

    Args:
        pattern: As compiled.
        searching: Whether it is looked for everywhere (`search`, `sub`, `split`, `finditer`).
        whole: Whether it must match to the end (`fullmatch`).
    """
    for many, everywhere in ((MANY_WAYS, False), (MANY_STARTS, searching)):
        graph = _Graph(_Automaton(pattern, many), searching=everywhere, whole=whole)
        for loop in graph.loops:
            if (text := graph.exponential(loop)) is not None:
                return Growth("exponential", text)
        for here, there in product(graph.loops, repeat=2):
            if (text := graph.polynomial(here, there)) is not None:
                return Growth("polynomial", text)
    return None
