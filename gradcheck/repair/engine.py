"""From a script whose gradients are wrong to its findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.repair.bench import Bench
from gradcheck.repair.budget import Budget
from gradcheck.repair.derive import derived
from gradcheck.repair.describe import findings
from gradcheck.repair.judgement import Judge, Judgement
from gradcheck.repair.search import Search
from gradcheck.script.check.point import Point
from gradcheck.script.record.run import Recording
from gradcheck.script.source.finding import Finding
from gradcheck.script.source.text import with_text
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unpack import entry_names, split

_MOST_ENTRIES = 400
# of the budget, for the search of edits; the rest is for deriving what no edit mends
_SHARE_OF_SEARCH = 0.8
# times the median of the points
_EXPLODED = 20
_REFUSED = (
    "edits were found that make the gradients match where they were tried, and none of them held elsewhere; the cause "
    "is not known"
)


@dataclass(frozen=True)
class Causes:
    """Why gradients are wrong.

    Attributes
    ----------
    notes : tuple of str
        What the user should know about the search.
    was_short : bool
        Whether the search was cut off, by its budget or by the clock, before it had found anything.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    was_short: bool = False


def find_causes(
    recording: Recording, subject: Subject, points: Sequence[Point], judge: Judge, budget: Budget
) -> Causes:
    """Return why gradients are wrong, on which lines, and what mends them."""
    entries = {**_numbered(subject), **entry_names(subject.backward)}
    points = [replace(point, result=split(point.result, entries)) for point in points]
    telling = sorted(points, key=lambda p: (-len(_wrong(p.result)), p.seed is None))
    wrong = frozenset(name for point in points for name in _wrong(point.result))
    if not wrong:
        return Causes()
    bench = Bench(recording, subject, budget, entries)
    try:
        telling = _before_divergence(bench, telling)
        bench.weigh(telling[0])
        return _Case(bench, telling, wrong, judge).causes()
    finally:
        bench.close()


@dataclass(frozen=True)
class _Case:
    """Wrong gradients, at points."""

    bench: Bench
    points: list[Point]
    wrong: frozenset[str]
    judge: Judge

    def causes(self) -> Causes:
        """Search edits; where there are none, derive what the lines have to compute."""
        source, budget = self.bench.original, self.bench.budget

        def judged(code: str) -> Judgement:
            edited = with_text(source, code)
            # what the user has asked for is no line of his file
            return self.judge(edited) if edited.called == source.called else Judgement()

        search = Search(self.bench, self.points, budget.share(_SHARE_OF_SEARCH), judged)
        steps = search.run(self.wrong)
        if steps:
            said = search.judged
            return Causes(findings(source, self.points, [], steps, frozenset(), said, search.others))
        refused = list(search.refused)
        left = self.wrong
        if not any(said.harm for said in refused):
            steps, left = derived(self.bench, source.text, self.points, self.wrong, budget.rest())
        if steps and not left:
            said = judged(steps[-1].after)
            if said.points:
                return Causes(findings(source, self.points, [], steps, left, said))
            refused.append(said)
            steps, left = [], self.wrong
        harm = next((said.harm for said in refused if said.harm), None)
        if harm is not None:
            return Causes(notes=(harm,))
        was_short = budget.was_short or any(said.is_open for said in refused)
        if was_short or search.gave_up:
            # a line is blamed only by a search that has come to its end
            return Causes(
                findings(source, self.points, [], steps, left, Judgement()), () if was_short else (_REFUSED,), was_short
            )
        return Causes(findings(source, self.points, search.suspects, steps, left, Judgement()))


def _before_divergence(bench: Bench, points: Sequence[Point]) -> list[Point]:
    """Return the points without those at which the loss has exploded, by wrong gradients: its digits are lost there."""
    losses = []
    for point in points:
        with bench.at(point) as trial:
            loss = trial.loss()
        losses.append(abs(loss) if loss is not None else math.inf)
    usual = sorted(losses)[len(losses) // 2]
    kept = [point for point, loss in zip(points, losses, strict=True) if loss <= _EXPLODED * usual]
    return kept or list(points)


def _numbered(subject: Subject) -> dict[str, tuple[str, ...]]:
    """Return names for the entries of a vector that is the only parameter."""
    if len(subject.backward.pairs) != 1:
        return {}
    leaf = subject.backward.pairs[0].slot.leaf
    is_vector = len(leaf.shape) == 1 and 1 < leaf.size <= _MOST_ENTRIES
    return {leaf.name: tuple(f"{leaf.name}#{i}" for i in range(leaf.size))} if is_vector else {}


def _wrong(result: CheckResult) -> list[str]:
    return [p.name for p in result.parameters if p.verdict is Verdict.MISMATCH]
