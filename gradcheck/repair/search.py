"""The search for edits that make wrong gradients right: one after the other, on the text that the last one has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gradcheck.repair.bench import Bench, Point
from gradcheck.repair.influence import Influence, influences
from gradcheck.repair.statements import restated
from gradcheck.repair.text import Text
from gradcheck.repair.trials import Candidate, candidates, edited, holds_everywhere, loadable, outcome

_MOST_EDITS, _BRANCHES, _REFUSED = 5, 3, 4
# a candidate at a line that cannot explain all, or that also touches what is right, comes later
_PARTLY, _TOUCHING, _UNKNOWN = 0.6, 0.4, 0.3


@dataclass(frozen=True)
class Accepted:
    """An edit that makes some gradients right and none wrong, at all points of the search.

    Attributes
    ----------
    candidate : Candidate
        The edit.
    before, after : str
        The text without and with it.
    fixed : frozenset of str
        The parameters whose gradients it makes right.
    touched : frozenset of str
        The wrong parameters that its line has an influence on.
    """

    candidate: Candidate
    before: str
    after: str
    fixed: frozenset[str]
    touched: frozenset[str]

    @property
    def order(self) -> tuple[int, int, float]:
        """How good it is as a step on the way; small is good."""
        return -len(self.fixed), -len(self.touched), self.candidate.rewrite.cost


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
            found = influences(trial, self.bench.sites())
        ordered = suspects(found, wrong)
        if not done:
            self.suspects = ordered
        level = _Level(self, code, wrong, ordered)
        for accepted in level.complete():
            if self.verify(accepted.after):
                return [*done, accepted]
            self.refused += 1
            if self._late():
                return None
        for accepted in sorted(level.partial, key=lambda a: a.order)[:_BRANCHES]:
            solved = self._solve(accepted.after, wrong - accepted.fixed, [*done, accepted])
            if solved:
                return solved
            if self._late():
                return None
        return None


def suspects(found: Sequence[Influence], wrong: frozenset[str]) -> list[Influence]:
    """Return the sites that touch wrong gradients and not the loss, the most suspicious first."""
    own = [i for i in found if not i.loss and (i.gradients is None or i.gradients & wrong)]
    return sorted(own, key=lambda i: (_penalty(i, wrong), -i.order))


def _penalty(influence: Influence, wrong: frozenset[str]) -> float:
    if influence.gradients is None:
        return _UNKNOWN
    touching = _TOUCHING if influence.gradients - wrong else 0.0
    return touching + (0.0 if influence.gradients >= wrong else _PARTLY)


class _Level:
    """All edits of one text."""

    def __init__(self, search: Search, code: str, wrong: frozenset[str], ordered: Sequence[Influence]) -> None:
        self._search, self._bench, self._code, self._wrong = search, search.bench, code, wrong
        self._ordered = ordered
        self._before: dict[int, frozenset[str]] = {}
        self.partial: list[Accepted] = []

    def complete(self) -> Iterator[Accepted]:
        """Return the edits that make everything right, the most natural first; others are kept in `partial`."""
        bench, points = self._bench, self._search.points
        for index, point in enumerate(points):
            with bench.at(point) as trial:
                gradients = trial.gradients()
            if gradients is None:
                return
            with bench.at(point) as trial:
                self._before[index] = trial.wrong(gradients)
        restated_ones = list(self._statements())
        whole = [a for a in restated_ones if a.fixed >= self._wrong]
        self.partial += [a for a in restated_ones if not a.fixed >= self._wrong]
        for accepted in self._expressions():
            while whole and whole[0].candidate.rewrite.cost <= accepted.candidate.rewrite.cost:
                yield whole.pop(0)
            if accepted.fixed >= self._wrong:
                yield accepted
            else:
                self.partial.append(accepted)
                if self._is_enough(accepted):
                    break
        yield from whole

    def _is_enough(self, accepted: Accepted) -> bool:
        """Whether a step explains all that its line touches, and nothing further up explains more."""
        others = [a for a in self.partial if a is not accepted and a.fixed >= accepted.fixed]
        return accepted.fixed == accepted.touched and not others

    def _expressions(self) -> Iterator[Accepted]:
        """Return the edits of expressions that make something right: for all wrong gradients first, then for fewer."""
        groups: dict[int, list[Influence]] = {}
        for influence in self._ordered:
            touched = self._wrong if influence.gradients is None else influence.gradients & self._wrong
            groups.setdefault(-len(touched), []).append(influence)
        for _, group in sorted(groups.items()):
            yield from self._of_group(group)

    def _of_group(self, group: Sequence[Influence]) -> Iterator[Accepted]:
        bench, first = self._bench, self._search.points[0]
        pool: list[tuple[float, Candidate]] = []
        with bench.at(first) as trial:
            for influence in group:
                if self._search._late():
                    return
                for candidate in candidates(bench, trial, influence, self._search.deadline):
                    pool.append((candidate.rewrite.cost + _penalty(influence, self._wrong), candidate))
            pool.sort(key=lambda pair: pair[0])
            survivors = [c for _, c in pool if self._passes(outcome_at(trial, c, self._search))]
        for candidate in survivors:
            accepted = self._accepted(candidate)
            if accepted is not None:
                yield accepted

    def _passes(self, left: frozenset[str] | None) -> bool:
        return left is not None and not left - self._before[0] and bool(self._before[0] - left)

    def _accepted(self, candidate: Candidate) -> Accepted | None:
        left = holds_everywhere(self._bench, candidate, self._search.points, self._before)
        if left is None or not self._wrong - left:
            return None
        influence = candidate.influence
        touched = self._wrong if influence is None or influence.gradients is None else influence.gradients & self._wrong
        return Accepted(candidate, self._code, edited(self._bench, candidate.rewrite), self._wrong - left, touched)

    def _statements(self) -> Iterator[Accepted]:
        bench, original = self._bench, self._bench.source
        lines = {i.site.line for i in self._ordered}
        lines |= _statement_neighbours(original.tree, lines)
        names = _array_names(original.tree)
        found = []
        for rewrite in sorted(restated(original.tree, Text(original.text), lines, names), key=lambda r: r.cost):
            if self._search._late():
                break
            line = original.text.count("\n", 0, min(s.start for s in rewrite.splices)) + 1
            candidate = Candidate(rewrite, None, None, line)
            after = edited(bench, rewrite)
            if not loadable(bench, after):
                bench.load(original)
                continue
            try:
                with bench.at(self._search.points[0]) as trial:
                    left = outcome(trial, candidate)
                if self._passes(left):
                    everywhere = holds_everywhere(bench, candidate, self._search.points, self._before)
                    if everywhere is not None and self._wrong - everywhere:
                        fixed = self._wrong - everywhere
                        found.append(Accepted(candidate, self._code, after, fixed, fixed))
            except Exception:  # noqa: BLE001 - edited code may not even be set up
                pass
            finally:
                bench.load(original)
        yield from found


def outcome_at(trial: object, candidate: Candidate, search: Search) -> frozenset[str] | None:
    """Return what an edit leaves wrong; None when there is no time."""
    return None if search._late() else outcome(trial, candidate)  # type: ignore[arg-type]


def _statement_neighbours(tree: object, lines: set[int]) -> set[int]:
    del tree
    return {line for own in lines for line in (own - 1, own + 1)}


def _array_names(tree: object) -> list[str]:
    del tree
    return []
