"""All edits of one text that make wrong gradients right: lines by what they touch, edits by how natural they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck.repair.bench import Bench, Trial
from gradcheck.repair.budget import Share
from gradcheck.repair.influence import Influence
from gradcheck.repair.rewrite import Rewrite
from gradcheck.repair.statements import neighbours, restated
from gradcheck.repair.trials import Candidate, Prober, applicable, edited, holds_everywhere, outcome, wrong_at
from gradcheck.script.check.point import Point
from gradcheck.script.source.text import Text

# a candidate at a line that cannot explain all, or that also touches what is right, comes later
_PARTLY, _TOUCHING, _UNKNOWN, _PROVED, _LATER, _BARE = 0.6, 0.4, 0.3, 0.4, 0.015, 0.1
# edits are tried in tiers of their cost; of those in a tier, expressions first
_TIERS = (1.16, 1.31, 1.51, 1.81, 9.0)
_LIKELY, _CHUNK = 2, 100
# at how many points the values of edits are compared
_LOOKS = 4
# of what is left of the budget, for one text
_SHARE = 0.6


@dataclass(frozen=True)
class Accepted:
    """An edit that makes some gradients right and none wrong, at all points of the search.

    Attributes
    ----------
    fixed : frozenset of str
        The parameters whose gradients it makes right.
    touched : frozenset of str
        The wrong parameters that its line has an influence on.
    spares : bool
        Whether its line has no influence on what is right.
    """

    candidate: Candidate
    before: str
    after: str
    fixed: frozenset[str]
    touched: frozenset[str]
    spares: bool = True

    @property
    def order(self) -> tuple[int, bool, int, float]:
        """How good it is as a step on the way; small is good."""
        return -len(self.fixed), not self.spares, -len(self.touched), self.candidate.rewrite.cost


def suspects(found: Sequence[Influence], wrong: frozenset[str], proved: frozenset[int]) -> list[Influence]:
    """Return the sites that touch wrong gradients and not the loss, the most suspicious first."""
    own = [i for i in found if not i.loss and (i.gradients is None or i.gradients & wrong)]
    return sorted(own, key=lambda i: (_penalty(i, wrong, proved), i.order))


def _penalty(influence: Influence, wrong: frozenset[str], proved: frozenset[int]) -> float:
    if influence.gradients is None:
        return _UNKNOWN
    touching = _TOUCHING if influence.gradients - wrong else 0.0
    touching += _PROVED if influence.site.number in proved else 0.0
    return touching + (0.0 if influence.gradients >= wrong else _PARTLY)


@dataclass(frozen=True)
class Known:
    """What was found out about the lines of one text.

    Attributes
    ----------
    suspects : list of Influence
        The lines that touch them, the most suspicious first.
    idle : list of Influence
        Lines whose values have an influence on nothing.
    """

    code: str
    wrong: frozenset[str]
    suspects: list[Influence]
    idle: list[Influence]
    proved: frozenset[int]


class Level:
    """All edits of one text.

    Parameters
    ----------
    points : sequence of Point
        The points of the search, the most telling one first.
    known : Known
        What was found out about the text.

    Attributes
    ----------
    partial : list of Accepted
        The edits that were met and that make only some of the gradients right.
    """

    def __init__(self, bench: Bench, points: Sequence[Point], known: Known, share: Share) -> None:
        self._bench, self._points, self._known, self._last = bench, points, known, share
        self._code, self._wrong, self._ordered = known.code, known.wrong, known.suspects
        self._before: dict[int, frozenset[str]] = {}
        self._first: list[tuple[float, Prober]] = []
        self._others: list[Rewrite] = []
        self._low = 0.0
        self._share = bench.budget.share(_SHARE)
        self.partial: list[Accepted] = []

    def complete(self) -> Iterator[Accepted]:
        """Return the edits that make everything right, the most natural first; others are kept in `partial`."""
        before = wrong_at(self._bench, self._points)
        if before is None:
            return
        self._before = before
        groups = self._groups()
        whole = [i for group in groups for i in group if self._touched(i) >= self._wrong]
        self._others = self._restated()
        self._first = self._probers(whole)
        # where only lines that also touch what is right touch all that is wrong, it is more likely several mistakes
        single = any(self._spares(i) for i in whole)
        yield from self._in_tiers(_TIERS if single else _TIERS[:_LIKELY])
        for group in groups:
            if group[0] in whole:
                continue
            probers = self._probers(group)
            for high in _TIERS:
                for accepted in self._tried(self._pool(probers, high)):
                    yield from self._sorted_in(accepted)
                    if self._is_enough(accepted):
                        return
        if not self.partial:
            yield from self._in_tiers(_TIERS)

    def spend(self, share: Share) -> None:
        """Set another share that trying edits may spend; those that were tried are still returned."""
        self._share = self._last = share

    def rest(self) -> Iterator[Accepted]:
        """Return the less natural edits that make everything right, if they were left for later."""
        self._share = self._last
        yield from self._in_tiers(_TIERS)

    def _in_tiers(self, tiers: Sequence[float]) -> Iterator[Accepted]:
        for high in tiers:
            if high <= self._low:
                continue
            if self._late():
                return
            for accepted in self._tried(self._pool(self._first, high)):
                yield from self._sorted_in(accepted)
            for accepted in self._tried_statements([r for r in self._others if self._low <= r.cost < high]):
                yield from self._sorted_in(accepted)
            self._low = high

    def _sorted_in(self, accepted: Accepted) -> Iterator[Accepted]:
        if accepted.fixed >= self._wrong:
            yield accepted
        else:
            self.partial.append(accepted)

    def _is_enough(self, accepted: Accepted) -> bool:
        """Whether a step explains all that its line touches, and nothing further up explains more."""
        others = [a for a in self.partial if a is not accepted and a.fixed >= accepted.fixed]
        return accepted.spares and accepted.fixed == accepted.touched and not others

    def _touched(self, influence: Influence) -> frozenset[str]:
        return self._wrong if influence.gradients is None else influence.gradients & self._wrong

    def _spares(self, influence: Influence) -> bool:
        return influence.gradients is not None and influence.gradients <= self._wrong

    def _groups(self) -> list[list[Influence]]:
        """Return the sites by how many wrong gradients they touch, those that touch most first."""
        groups: dict[tuple[bool, int], list[Influence]] = {}
        for influence in self._ordered:
            key = not self._spares(influence), -len(self._touched(influence))
            groups.setdefault(key, []).append(influence)
        return [group for _, group in sorted(groups.items())]

    def _probers(self, group: Sequence[Influence]) -> list[tuple[float, Prober]]:
        return [
            (_penalty(i, self._wrong, self._known.proved) + self._place(i, position), Prober(self._bench, i))
            for position, i in enumerate(group)
        ]

    @staticmethod
    def _place(influence: Influence, position: int) -> float:
        """Return what a line's place costs: of several that a factor may stand in, the first is where it belongs.

        A line that gives a value another name and does nothing else has lost something.
        """
        is_bare = isinstance(influence.site.node, ast.Assign) and isinstance(influence.site.value, ast.Name)
        return _LATER * position - (_BARE if is_bare else 0.0)

    def _pool(self, probers: Sequence[tuple[float, Prober]], high: float) -> list[Candidate]:
        """Return the edits of expressions at some sites below a cost, the most natural first."""
        points = self._points
        with self._bench.at(points[0]) as trial:
            for penalty, prober in probers:
                prober.look(trial, high - penalty, self._share)
                if self._late():
                    break
        ambiguous = [prober for _, prober in probers if prober.is_ambiguous]
        for point in points[1:_LOOKS] if ambiguous else ():
            with self._bench.at(point) as trial:
                for prober in ambiguous:
                    prober.look_again(trial)
        pool = [
            (candidate.rewrite.cost + penalty, candidate) for penalty, prober in probers for candidate in prober.found()
        ]
        return [candidate for _, candidate in sorted(pool, key=lambda pair: pair[0])]

    def _tried(self, pool: Sequence[Candidate]) -> Iterator[Accepted]:
        for start in range(0, len(pool), _CHUNK):
            if self._late():
                return
            with self._bench.at(self._points[0]) as trial:
                survivors = []
                for candidate in pool[start : start + _CHUNK]:
                    if self._late():
                        break
                    if self._passes(outcome(trial, candidate)):
                        survivors.append(candidate)
            for candidate in survivors:
                accepted = self._accepted(candidate)
                if accepted is not None:
                    yield accepted

    def _late(self) -> bool:
        return self._share.is_spent

    def _passes(self, left: frozenset[str] | None) -> bool:
        return left is not None and not left - self._before[0] and bool(self._before[0] - left)

    def _accepted(self, candidate: Candidate) -> Accepted | None:
        left = holds_everywhere(self._bench, candidate, self._points, self._before)
        if left is None or not self._wrong - left:
            return None
        influence = candidate.influence
        touched = self._touched(influence) if influence else self._wrong
        return Accepted(
            candidate,
            self._code,
            edited(self._bench, candidate.rewrite),
            self._wrong - left,
            touched,
            self._spares(influence) if influence else True,
        )

    def _restated(self) -> list[Rewrite]:
        source = self._bench.source
        lines = {i.site.line for i in self._ordered}
        lines |= neighbours(source.tree, lines)
        # what has an influence on nothing may have been meant to have one
        lines |= {i.site.line for i in self._known.idle}
        lines = {line for line in lines if source.is_in_file(line)}
        return sorted(restated(source.tree, Text(source.text), lines), key=lambda r: r.cost)

    def _tried_statements(self, rewrites: Sequence[Rewrite]) -> Iterator[Accepted]:
        bench, waiting = self._bench, iter(rewrites)
        while rewrites:
            fixed: frozenset[str] = frozenset()
            try:
                candidate = self._next_passing(waiting)
                if candidate is not None:
                    fixed = self._fixed_by(candidate)
            finally:
                bench.unload()
            if candidate is None:
                return
            if fixed:
                yield Accepted(candidate, self._code, edited(bench, candidate.rewrite), fixed, fixed)

    def _next_passing(self, waiting: Iterator[Rewrite]) -> Candidate | None:
        """Set up the next edit of a statement that mends something at the first point; None where there is no more."""
        bench = self._bench
        with bench.at(self._points[0]) as trial:
            for rewrite in waiting:
                if self._late():
                    break
                line = bench.source.text.count("\n", 0, min(s.start for s in rewrite.splices)) + 1
                candidate = Candidate(rewrite, None, None, line)
                if applicable(bench, candidate) and self._passes_at(trial, candidate):
                    return candidate
                bench.unload()
        return None

    def _passes_at(self, trial: Trial, candidate: Candidate) -> bool:
        """Whether the text that is set up passes at the point of a trial of another."""
        try:
            self._bench.recast(trial)
            return self._passes(outcome(trial, candidate))
        except Exception:  # noqa: BLE001 - edited code may not even be set up
            return False

    def _fixed_by(self, candidate: Candidate) -> frozenset[str]:
        """Return what the text that is set up makes right, if it makes nothing wrong."""
        try:
            left = holds_everywhere(self._bench, candidate, self._points, self._before)
        except Exception:  # noqa: BLE001 - edited code may not even be set up
            return frozenset()
        return frozenset() if left is None else self._wrong - left
