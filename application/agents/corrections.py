"""Whether corrections get anywhere: what gets no better is not asked for again.

Invariant: there is an end, however small the steps.
"""

from collections.abc import Sequence

MOST_CORRECTIONS = 6
"""How often something goes back to its agent, however much better it gets each time."""


class Corrections:
    """What was told of one piece of work."""

    def __init__(self) -> None:
        self._corrections = 0
        self._fewest = 0
        self._told: set[str] = set()
        self._readable = False

    def deserved_by(self, findings: Sequence[str], *, readable: bool = True) -> bool:
        """Whether these findings deserve a correction.

        They do if they are the first, fewer than ever, of a document that can be read at last, or
        all new: what was told is mended then.
        """
        better = (
            not self._corrections
            or (readable and not self._readable)
            or (readable is self._readable and len(findings) < self._fewest)
            or self._told.isdisjoint(findings)
        )
        if readable is not self._readable or not self._corrections:
            self._fewest = len(findings)
        self._fewest = min(self._fewest, len(findings))
        self._readable = self._readable or readable
        self._told.update(findings)
        self._corrections += 1
        return better and self._corrections <= MOST_CORRECTIONS
