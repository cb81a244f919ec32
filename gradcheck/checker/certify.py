"""Whether the gradients of whole parameters are right, without a look at every entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.checker.bisection import Bisection
from gradcheck.checker.certificate import Certificate
from gradcheck.checker.directional import Directions, Trial
from gradcheck.checker.verdict import Verdict
from gradcheck.evaluate.leaf import Leaf
from gradcheck.numerics.arrays import FloatArray, IntArray

# error of a single entry that has to show, relative to a typical one
_NEEDED = 0.1
# a parameter that has less influence on the loss than this part of the largest is measured against that
_INFLUENCE = 1e-3
_LEAST_WEIGHT = 1e-2
# a wrong parameter with no more entries is compared entry by entry at once, or where the search finds no end
_FEW, _MANAGEABLE = 64, 500
# evaluations after which the search for wrong entries of a parameter ends
_BUDGET, _TOLERABLE_BUDGET = 2000, 400
# how far entries that are all within their tolerance can add up, in standard deviations
_DEVIATIONS = 3.0


@dataclass(frozen=True)
class Outcome:
    """What directions show of one parameter.

    Parameters
    ----------
    directions : int
        Number of directions that moved all of its entries; 0 where the loss is too rough or too noisy for them.
    where : int array
        Entries that call for a look of their own.
    complete : bool
        Whether all others were seen to be right.
    tolerable : bool
        Whether entries that are all within their tolerance explain what was seen.
    """

    directions: int
    sensitivity: float
    where: IntArray
    complete: bool = True
    tolerable: bool = True

    def certificate(self, verdicts: Sequence[Verdict]) -> Certificate | None:
        """Return the certificate, in the light of the verdicts on the entries that were looked at; None without one."""
        if not self.directions:
            return None
        explained = self.tolerable or Verdict.MISMATCH in verdicts
        verdict = Verdict.MATCH if explained else Verdict.MISMATCH
        return Certificate(self.directions, self.sensitivity, verdict, self.complete)


def certify(directions: Directions, leaves: Sequence[Leaf], rtol: float, seed: int) -> list[Outcome]:
    """Compare all parameters together along random directions; where that fails, each of them, and then parts of it."""
    typical, largest = np.zeros(len(leaves)), np.zeros(len(leaves), dtype=np.intp)
    for k, leaf in enumerate(leaves):
        # one after the other, as they take much memory
        contribution = directions.contribution(k)
        typical[k] = np.sqrt(float(contribution @ contribution) / leaf.size)
        largest[k] = np.argmax(contribution)
        del contribution
    unit = np.maximum(typical, _INFLUENCE * typical.max())
    weights = _weights(typical * np.sqrt([leaf.size for leaf in leaves]))
    together = [directions.whole(k, weight) for k, weight in enumerate(weights)]
    trials = [trial for way in _ways(directions) for trial in way.compare([together])]
    sensitivity = _relative(min(trial.visible for trial in trials), weights * unit)
    if any(trial.is_wrong for trial in trials):
        sensitivity[:] = np.inf
    outcomes: list[Outcome] = []
    for k, leaf in enumerate(leaves):
        outcome = Outcome(len(trials), float(sensitivity[k]), np.empty(0, dtype=np.intp))
        if not sensitivity[k] <= _NEEDED:
            outcome = _alone(directions, k, leaf, float(unit[k]), rtol, np.random.default_rng([seed, k]))
        # one entry at least is compared by itself
        outcomes.append(replace(outcome, where=np.union1d(outcome.where, largest[k])))
    return outcomes


def _alone(
    directions: Directions, owner: int, leaf: Leaf, unit: float, rtol: float, rng: np.random.Generator
) -> Outcome:
    """Compare one parameter along directions of its own, and look for the wrong entries if it is wrong."""
    own, even = (way.compare([[way.whole(owner)]])[0] for way in _ways(directions))
    count = len((own, even))
    seen = own.visible if even.is_wrong else min(own.visible, even.visible)
    sensitivity = float(_relative(seen, np.array([unit]))[0])
    if not own.is_wrong and (not even.is_wrong or sensitivity > _NEEDED):
        return Outcome(count if sensitivity <= _NEEDED else 0, sensitivity, np.empty(0, dtype=np.intp))
    # some entries may have gone so far that the loss is another one there: only entries that are wrong by themselves
    # are proof then
    tolerable = not own.is_wrong or all(_is_tolerable(trial, rtol) for trial in (own, even))
    if leaf.size <= _FEW:
        return Outcome(count, 0.0, np.arange(leaf.size), True, tolerable)
    budget = _TOLERABLE_BUDGET if tolerable or leaf.size <= _MANAGEABLE else _BUDGET
    way = directions if own.is_wrong else directions.evenly()
    suspects = Bisection(way, owner, leaf.shape, budget, rng).search()
    if leaf.size <= _MANAGEABLE and not suspects.complete:
        return Outcome(count, 0.0, np.arange(leaf.size), True, tolerable)
    if own.is_wrong and suspects.complete:
        sensitivity = float(_relative(suspects.visible, np.array([unit]))[0])
    return Outcome(count, sensitivity, suspects.where, suspects.complete or tolerable, tolerable)


def _ways(directions: Directions) -> tuple[Directions, Directions]:
    """Return two ways to move all entries: each by its own scale, and no entry less far than a typical one."""
    return directions, directions.evenly()


def _is_tolerable(trial: Trial, rtol: float) -> bool:
    return trial.difference <= trial.error + _DEVIATIONS * rtol * trial.norm


def _weights(influence: FloatArray) -> FloatArray:
    """Return weights that let each parameter change the loss about as much as the others, as far as is sensible."""
    positive = influence[influence > 0]
    if not positive.size:
        return np.ones_like(influence)
    with np.errstate(divide="ignore"):
        return np.clip(np.median(positive) / influence, _LEAST_WEIGHT, 1.0)


def _relative(visible: float, unit: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = visible / unit
    return np.where(np.isfinite(relative), relative, np.inf)
