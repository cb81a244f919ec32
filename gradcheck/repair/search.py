"""The search for edits that make wrong gradients right: one after the other, on the text that the last one has left."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gradcheck.repair.adjoints import proved_right
from gradcheck.repair.bench import Bench, Point
from gradcheck.repair.influence import Influence, influences
from gradcheck.repair.level import Accepted, Known, Level, suspects
from gradcheck.repair.trials import loadable

_MOST_EDITS, _BRANCHES, _REFUSED = 5, 3, 4
# after a verified edit, others are looked for: so many, and so much less natural
_MOST_OTHERS, _ABOUT = 3, 0.35
# for a share of the time until then; verifying them may take so many seconds
_SHARE_OF_OTHERS, _LONGEST = 0.1, 1.5


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
        Says at how many fresh points a text's gradients are right, 0 if they are not at all of them; the last word.
    suspects : list of Influence
        The lines of the script as it is that touch what is wrong, the most suspicious first.
    refused : int
        How many edits were right at all points of the search, and not everywhere.
    verified : int
        At how many fresh points the text with the edits is right.
    others : list of (str, int)
        Other texts that are right, with the number of fresh points: those with another edit in place of the last.
    """

    bench: Bench
    points: Sequence[Point]
    deadline: float
    verify: Callable[[str], int]
    suspects: list[Influence] = field(default_factory=list)
    refused: int = 0
    verified: int = 0
    others: list[tuple[str, int]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

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
            proved = frozenset(proved_right(trial, found, self.bench.scale, half))
        idle = [i for i in found if not i.loss and i.gradients is not None and not i.gradients]
        known = Known(code, wrong, suspects(found, wrong, proved), idle, proved)
        if not done:
            self.suspects = known.suspects
        level = Level(self.bench, self.points, known, self.deadline)
        solved = self._first_verified(level, level.complete(), done)
        for accepted in [] if solved else sorted(level.partial, key=lambda a: a.order)[:_BRANCHES]:
            solved = self._solve(accepted.after, wrong - accepted.fixed, [*done, accepted])
            if solved or self._late():
                return solved
        if solved or self._late() or not loadable(self.bench, code):
            return solved
        return self._first_verified(level, level.rest(), done)

    def _first_verified(self, level: Level, found: Iterator[Accepted], done: list[Accepted]) -> list[Accepted] | None:
        for accepted in found:
            self.verified = self.verify(accepted.after)
            if self.verified:
                self._look_for_others(level, found, accepted)
                return [*done, accepted]
            self.refused += 1
            if self._late():
                break
        return None

    def _look_for_others(self, level: Level, found: Iterator[Accepted], first: Accepted) -> None:
        """Verify other edits that are about as natural as the first, for a short while."""
        now = time.monotonic()
        last = min(now + _LONGEST, self.deadline)
        level.end_by(min(now + _SHARE_OF_OTHERS * (now - self._began), last))
        known = {_meaning(first.after)}
        for accepted in found:
            meaning = _meaning(accepted.after)
            if meaning not in known and accepted.candidate.rewrite.cost <= first.candidate.rewrite.cost + _ABOUT:
                points = self.verify(accepted.after)
                if points:
                    self.others.append((accepted.after, points))
            known.add(meaning)
            if len(self.others) >= _MOST_OTHERS or time.monotonic() > last:
                return


def _meaning(code: str) -> str:
    """Return what two texts have in common that differ in parentheses or blanks only."""
    return ast.dump(ast.parse(code))
