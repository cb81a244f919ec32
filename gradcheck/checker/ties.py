"""Kinks at ties: entries that have to agree with one another, not only each with its own slopes.

``max(x)`` at a tie has a kink in each of the tied entries, and each may take any share of the slope, but the shares add
up to 1. Moved together in proportion to their values, tied entries stay tied, and along that line there is no kink: the
gradient has one right derivative along it, whichever subgradient it is.
"""

from __future__ import annotations

import numpy as np

from gradcheck.checker.entries import Entries
from gradcheck.checker.tolerance import Tolerance
from gradcheck.evaluate.displacement import Along, Stretch
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray
from gradcheck.numerics.finite_difference import Derivative, differentiate
from gradcheck.numerics.levels import Samples
from gradcheck.numerics.step_size import coarser, coarsest_epsilon, relative_step

# how often the bound of the error has to be exceeded before a difference is proof, and how small it has to be against
# the jumps of the slopes
_MARGIN = 2.0
_SHARP = 1e-2
_ENOUGH = 8


def broken_ties(
    objective: Objective,
    entries: Entries,
    origin: float,
    analytic: FloatArray,
    derivative: Derivative,
    tolerance: Tolerance,
) -> BoolArray:
    """Tell which entries at kinks are not parts of one subgradient.

    Entries that are zero are left out: moved together, kinks of different terms may cancel there.

    Parameters
    ----------
    analytic : float array, shape (entries,)
        The gradient under test.
    """
    broken = np.zeros(analytic.size, dtype=bool)
    candidates = (derivative.kink > 0) & (derivative.kink_distance == 0) & np.isfinite(analytic)
    for owner in np.unique(entries.owner[candidates]).tolist():
        values = objective.probe.leaves[owner].values()
        at = np.flatnonzero(candidates & (entries.owner == owner))
        at = at[values[entries.index[at]] != 0]
        if at.size < 2:
            continue
        where = entries.index[at]
        direction = values[where]
        along = _along(objective, owner, where, direction, origin, derivative)
        error = float(along.error[0])
        jumps = float(np.sum(derivative.kink[at] * np.abs(direction)))
        claimed = analytic[at] * direction
        slack = _MARGIN * error + tolerance.rtol * float(np.sum(np.abs(claimed))) + tolerance.rtol * jumps
        is_smooth = along.kink[0] == 0 and np.isfinite(along.value[0]) and error <= _SHARP * jumps
        broken[at] = is_smooth and abs(float(claimed.sum()) - float(along.value[0])) > slack
    return broken


def _along(
    objective: Objective, owner: int, where: IntArray, direction: FloatArray, origin: float, derivative: Derivative
) -> Derivative:
    """Differentiate the loss along one direction."""
    stretches = [Stretch(owner, where, direction)]

    def sample(_: IntArray, steps: FloatArray) -> Samples:
        values = objective.evaluate([Along(stretches, (h, -h)) for h in steps.tolist()])
        plus, minus = np.array(values, dtype=np.float64).reshape(-1, 2).T
        return Samples(plus, minus, steps)

    def goal(found: Derivative) -> tuple[BoolArray, FloatArray]:
        # as many steps as it takes to tell a kink from a bend
        return (found.evaluations >= _ENOUGH) | objective.is_spent, np.zeros(1)

    dtype = objective.probe.leaves[owner].dtype
    step = relative_step(coarser(dtype, objective.dtype))
    one = np.ones(1)
    return differentiate(
        sample,
        origin,
        step * one,
        size=one,
        smallest=64 * coarsest_epsilon([dtype]) * one,
        typical=step * one,
        largest=0.1 * one,
        noise=derivative.of_loss,
        goal=goal,
    )
