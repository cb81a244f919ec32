"""The search for edits that make wrong gradients right: one after the other, on the text that the last one has left."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gradcheck.repair.adjoints import proved_right
from gradcheck.repair.bench import Bench
from gradcheck.repair.budget import Share
from gradcheck.repair.influence import Influence, influences
from gradcheck.repair.judgement import Judgement
from gradcheck.repair.level import Accepted, Known, Level, suspects
from gradcheck.repair.trials import loadable
from gradcheck.script.check.point import Point
from gradcheck.script.source.text import spliced

_MOST_EDITS, _BRANCHES, _REFUSED = 5, 3, 4
# after a verified edit, others are looked for: so many, and so much less natural
_MOST_OTHERS, _ABOUT = 3, 0.35
# for a share of what the search has spent until then, and for no more than so much; so many of them are judged
_SHARE_OF_OTHERS, _MOST_SPENT, _MOST_JUDGED = 0.1, 10_000, 3
# of what is left of the budget, for finding out which lines may be guilty
_SHARE_OF_INFLUENCES = 0.5


@dataclass
class Search:
    """The search.

    Attributes
    ----------
    points : sequence of Point
        The points, the most telling one first.
    suspects : list of Influence
        The lines of the script as it is that touch what is wrong, the most suspicious first.
    judged : Judgement
        What was said about the text with the edits that were returned.
    refused : list of Judgement
        What was said about edits that were right at all points of the search, and were refused.
    others : list of (str, int)
        Other texts that are right, with the number of fresh points: those with another edit in place of the last.
    """

    bench: Bench
    points: Sequence[Point]
    share: Share
    judge: Callable[[str], Judgement]
    suspects: list[Influence] = field(default_factory=list)
    judged: Judgement = field(default_factory=Judgement)
    refused: list[Judgement] = field(default_factory=list)
    others: list[tuple[str, int]] = field(default_factory=list)

    def run(self, wrong: frozenset[str]) -> list[Accepted]:
        """Return the edits that make everything right; none where they were not found."""
        return self._solve(self.bench.source.text, wrong, []) or []

    @property
    def gave_up(self) -> bool:
        """Whether it has ended because too many edits were refused, or because there was no time to judge one."""
        return len(self.refused) >= _REFUSED or any(judged.is_open for judged in self.refused)

    def _is_over(self) -> bool:
        return self.gave_up or self.share.is_spent

    def _solve(self, code: str, wrong: frozenset[str], done: list[Accepted]) -> list[Accepted] | None:
        if self._is_over() or len(done) >= _MOST_EDITS or not loadable(self.bench, code):
            return None
        with self.bench.at(self.points[0]) as trial:
            half = self.bench.budget.share(_SHARE_OF_INFLUENCES)
            found = influences(trial, self.bench.sites(), half)
            proved = frozenset(proved_right(trial, found, self.bench.scale, half))
        idle = [i for i in found if not i.loss and i.gradients is not None and not i.gradients]
        known = Known(code, wrong, suspects(found, wrong, proved), idle, proved)
        if not done:
            self.suspects = known.suspects
        level = Level(self.bench, self.points, known, self.share)
        solved = self._first_verified(level, level.complete(), done)
        for accepted in [] if solved else sorted(level.partial, key=lambda a: a.order)[:_BRANCHES]:
            solved = self._solve(accepted.after, wrong - accepted.fixed, [*done, accepted])
            if solved or self._is_over():
                return solved
        if solved or self._is_over() or not loadable(self.bench, code):
            return solved
        return self._first_verified(level, level.rest(), done)

    def _first_verified(self, level: Level, found: Iterator[Accepted], done: list[Accepted]) -> list[Accepted] | None:
        for accepted in found:
            turned = self._turned(accepted)
            if turned is not None and (judged := self.judge(turned.after)).points:
                self.judged = judged
                return [*done, turned]
            judged = self.judge(accepted.after)
            if judged.points:
                self.judged = judged
                self._look_for_others(level, found, accepted)
                return [*done, accepted]
            self.refused.append(judged)
            if self._is_over():
                break
        return None

    def _turned(self, accepted: Accepted) -> Accepted | None:
        """Return the edit that turns the sign of a term, where it takes away that by which a parameter decays."""
        rewrite = accepted.candidate.rewrite.turned
        updates = [pair.update for pair in self.bench.backward.pairs]
        if rewrite is None or all(update is None or update.decay is None for update in updates):
            return None
        after = spliced(accepted.before, rewrite.splices)
        return replace(accepted, candidate=replace(accepted.candidate, rewrite=rewrite), after=after)

    def _look_for_others(self, level: Level, found: Iterator[Accepted], first: Accepted) -> None:
        """Judge other edits that are about as natural as the first, a few of them."""
        budget = self.bench.budget
        most = min(int(_SHARE_OF_OTHERS * budget.spent), _MOST_SPENT)
        share = Share(budget, budget.spent + most, is_extra=True)
        level.spend(share)
        known, left = {_meaning(first.after)}, _MOST_JUDGED
        for accepted in found:
            meaning = _meaning(accepted.after)
            if meaning not in known and accepted.candidate.rewrite.cost <= first.candidate.rewrite.cost + _ABOUT:
                judged, left = self.judge(accepted.after), left - 1
                if judged.points:
                    self.others.append((accepted.after, judged.points))
            known.add(meaning)
            if len(self.others) >= _MOST_OTHERS or not left or share.is_spent:
                return


def _meaning(code: str) -> str:
    """Return what two texts have in common that differ in parentheses or blanks only."""
    return ast.dump(ast.parse(code))
