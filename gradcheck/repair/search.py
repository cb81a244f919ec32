"""The search for edits that make wrong gradients right: one after the other, on the text that the last one has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gradcheck.repair.adjoints import proved_right
from gradcheck.repair.bench import Bench, Point
from gradcheck.repair.influence import Influence, influences
from gradcheck.repair.level import Accepted, Known, Level, suspects
from gradcheck.repair.trials import loadable

_MOST_EDITS, _BRANCHES, _REFUSED = 5, 3, 4


@dataclass
class Search:
    """The search.

    Attributes
    ----------
    bench : Bench
        Where texts are tried.
    points : sequence of Point
        The points, the most telling one first.
    deadline : float
        When to stop.
    verify : callable
        Whether a text's gradients are right everywhere; the last word.
    suspects : list of Influence
        The lines of the script as it is that touch what is wrong, the most suspicious first.
    refused : int
        How many edits were right at all points of the search, and not everywhere.
    """

    bench: Bench
    points: Sequence[Point]
    deadline: float
    verify: Callable[[str], bool]
    suspects: list[Influence] = field(default_factory=list)
    refused: int = 0

    def run(self, wrong: frozenset[str]) -> list[Accepted]:
        """Return the edits that make everything right; none where they were not found.

        Parameters
        ----------
        wrong : frozenset of str
            The parameters whose gradients are wrong.
        """
        return self._solve(self.bench.source.text, wrong, []) or []

    def _late(self) -> bool:
        return time.monotonic() > self.deadline or self.refused >= _REFUSED

    def _solve(self, code: str, wrong: frozenset[str], done: list[Accepted]) -> list[Accepted] | None:
        if self._late() or len(done) >= _MOST_EDITS or not loadable(self.bench, code):
            return None
        with self.bench.at(self.points[0]) as trial:
            half = (time.monotonic() + self.deadline) / 2
            found = influences(trial, self.bench.sites(), half)
            proved = proved_right(trial, found, self.bench.scale, half)
        idle = [i for i in found if not i.loss and i.gradients is not None and not i.gradients]
        known = Known(code, wrong, suspects(found, wrong, proved), idle, proved)
        if not done:
            self.suspects = known.suspects
        level = Level(self.bench, self.points, known, self.deadline)
        solved = self._first_verified(level.complete(), done)
        for accepted in [] if solved else sorted(level.partial, key=lambda a: a.order)[:_BRANCHES]:
            solved = self._solve(accepted.after, wrong - accepted.fixed, [*done, accepted])
            if solved or self._late():
                return solved
        if solved or self._late() or not loadable(self.bench, code):
            return solved
        return self._first_verified(level.rest(), done)

    def _first_verified(self, found: Iterator[Accepted], done: list[Accepted]) -> list[Accepted] | None:
        for accepted in found:
            if self.verify(accepted.after):
                return [*done, accepted]
            self.refused += 1
            if self._late():
                break
        return None
