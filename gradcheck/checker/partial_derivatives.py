"""The loss differentiated with respect to chosen entries: steps to suit each, and the loss on both sides of it."""

from __future__ import annotations

import numpy as np

from gradcheck.checker.entries import Entries
from gradcheck.evaluate.displacement import Pair
from gradcheck.evaluate.line import Line
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import FloatArray, IntArray
from gradcheck.numerics.finite_difference import Derivative, Goal, Sampler, differentiate
from gradcheck.numerics.levels import Samples
from gradcheck.numerics.noise import Noise, scatter
from gradcheck.numerics.step_size import (
    absolute_step,
    coarser,
    coarsest_epsilon,
    parameter_scale,
    relative_step,
    typical_scale,
)

# in units of the machine epsilon: what a few sums of terms of the size of an entry are off by
_KINK_REACH = 1024.0
# relative to the entry
_LARGEST_REACH = 1e-3


def partial_derivatives(
    objective: Objective,
    entries: Entries,
    origin: float,
    noise: Noise,
    goal: Goal,
    hint: FloatArray | None = None,
    reach: FloatArray | None = None,
    claim: FloatArray | None = None,
) -> Derivative:
    """Differentiate the loss with respect to the chosen entries, as the parameters stand.

    Parameters
    ----------
    hint : float array, shape (entries,), optional
        Steps that are to be tried before an entry is given up.
    reach : float array, shape (entries,), optional
        Distance up to which a kink is looked for beside each entry.
    claim : float array, shape (entries,), optional
        Magnitudes of the derivatives under test.
    """
    leaves = objective.probe.leaves
    dtypes = [leaf.dtype for leaf in leaves]
    values, scales = _chosen(objective, entries)
    magnitudes = [np.abs(x) for x in values]
    relative = [relative_step(coarser(dtype, objective.dtype)) for dtype in dtypes]
    first = [
        absolute_step(x, dtype, relative=rel, typical=scale)
        for x, dtype, rel, scale in zip(values, dtypes, relative, scales, strict=True)
    ]
    smallest = [64 * coarsest_epsilon([dtype]) * x for x, dtype in zip(magnitudes, dtypes, strict=True)]
    size = np.concatenate(magnitudes)
    return differentiate(
        _sampler(objective, entries),
        origin,
        np.concatenate(first),
        size=size,
        smallest=np.concatenate(smallest),
        typical=entries.spread([rel * scale for rel, scale in zip(relative, scales, strict=True)]),
        largest=np.maximum(1.0, np.maximum(size, entries.spread(scales))),
        noise=noise,
        goal=goal,
        hint=hint,
        reach=reach,
        claim=claim,
        scatter=lambda expected: scatter(_line(objective, entries, hint), origin, expected),
    )


def _line(objective: Objective, entries: Entries, hint: FloatArray | None) -> Line:
    """Return a line along which the loss is one curve: no entry whose scale is but guessed goes farther than hinted."""
    scales = [parameter_scale(leaf.values()) for leaf in objective.probe.leaves]
    if hint is not None:
        units = zip(scales, entries.split(entries.index), entries.split(hint), _hinting_steps(objective), strict=True)
        for scale, where, steps, relative in units:
            scale[where] = np.minimum(scale[where], steps / relative)
    return Line(objective, np.random.default_rng(0), scales)


def differences_by_step(
    objective: Objective, owner: int, index: int, steps: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the central differences of one entry at several steps, and these steps as they were really made.

    Parameters
    ----------
    steps : float array, shape (steps,)
        Positive steps.

    Returns
    -------
    steps, differences : float array, shape (steps,)
        NaN where a step is lost in the precision of the entry, or the loss is not finite.
    """
    plus, minus, half = np.array(objective.evaluate([Pair(owner, index, step) for step in steps.tolist()])).T
    with np.errstate(all="ignore"):
        differences = (plus - minus) / (2 * half)
    made = half > 0
    return np.where(made, half, np.nan), np.where(made & np.isfinite(differences), differences, np.nan)


def suggested_steps(objective: Objective, entries: Entries, origin: float, analytic: FloatArray) -> FloatArray:
    """Return the steps at which the loss would change by a small part of itself, were the analytic derivatives right.

    An entry that is exactly zero does not tell its own scale; a gradient that is right does. Others get infinity.

    Parameters
    ----------
    analytic : float array, shape (entries,)
        The gradient under test.
    """
    types = _hinting_steps(objective)
    with np.errstate(all="ignore"):
        steps = entries.spread(types) * abs(origin) / np.abs(analytic)
    zero = np.concatenate(_chosen(objective, entries)[0]) == 0
    return np.where(zero & np.isfinite(steps) & (steps > 0), steps, np.inf)


def natural_unit(objective: Objective, entries: Entries, scale: FloatArray, hint: FloatArray) -> FloatArray:
    """Return the unit of each entry: its natural scale, or a shorter one that its derivative suggests where it is zero.

    Parameters
    ----------
    scale : float array, shape (entries,)
        Natural scale of each entry.
    hint : float array, shape (entries,)
        What `suggested_steps` returned.
    """
    return np.minimum(scale, hint / entries.spread(_hinting_steps(objective)))


def _hinting_steps(objective: Objective) -> list[float]:
    return [relative_step(coarser(leaf.dtype, objective.dtype), "central") for leaf in objective.probe.leaves]


def kink_reach(objective: Objective, entries: Entries, epsilon: float) -> FloatArray:
    """Return the distance within which the user's code cannot tell on which side of a kink an entry stands."""
    scales = [np.maximum(np.abs(x), scale) for x, scale in zip(*_chosen(objective, entries), strict=True)]
    return min(_KINK_REACH * epsilon, _LARGEST_REACH) * np.concatenate(scales)


def natural_scale(objective: Objective, entries: Entries) -> FloatArray:
    """Return the natural scale of each entry, as the parameters stand."""
    return np.concatenate([parameter_scale(*one) for one in zip(*_chosen(objective, entries), strict=True)])


def _chosen(objective: Objective, entries: Entries) -> tuple[list[FloatArray], list[float]]:
    """Return the values of the chosen entries and the typical scale of the whole, per parameter.

    One parameter after the other: copies of all of them at once would take much memory.
    """
    values, scales = [], []
    for where, leaf in zip(entries.split(entries.index), objective.probe.leaves, strict=True):
        whole = leaf.values()
        values.append(whole[where])
        scales.append(typical_scale(whole))
    return values, scales


def _sampler(objective: Objective, entries: Entries) -> Sampler:
    """Return the function that evaluates the loss on both sides of entries."""

    def sample(positions: IntArray, steps: FloatArray) -> Samples:
        owners, indices = entries.owner[positions].tolist(), entries.index[positions].tolist()
        pairs = [Pair(*one) for one in zip(owners, indices, steps.tolist(), strict=True)]
        return Samples(*np.array(objective.evaluate(pairs), dtype=np.float64).reshape(-1, 3).T)

    return sample
