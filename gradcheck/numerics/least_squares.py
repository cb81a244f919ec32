"""Polynomials in h^2 fitted to central differences: more steps average the round-off in the loss out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.numerics.arrays import FloatArray
from gradcheck.numerics.extrapolation import Extrapolation, or_infinite
from gradcheck.numerics.levels import Levels

# a fit with fewer steps to spare would look good by chance
_SPARE = 2
_DEGREES = (1, 2)
# the bound of a fit, in units of its own round-off: a share for what the residuals may hide, and one for what they show
_HIDDEN, _SHOWN = 1.0, 2.0
# of the round-off of the quietest step, as round-off that is common to all steps does not average out
_COMMON = 0.25
# the largest share that a value may have in its own fit; with 1, nothing else checks it
_LEVERAGE = 0.9


def polynomial_fits(levels: Levels) -> Extrapolation | None:
    """Return the derivatives at h = 0 of polynomials fitted to each entry's steps, or None if there are too few steps.

    In the notation of `gradcheck.numerics.levels`, D is fitted by ``c0 + c1 h^2`` and by ``c0 + c1 h^2 + c2 h^4`` over
    all steps up to a largest one, weighted by ``1 / n^2``. A fit needs residuals within the round-off, no
    single step that decides it alone, and an S that fits an odd polynomial: it does not where there are kinks.
    """
    rows = len(levels.step)
    # of each step, there or at finer ones
    persisting = np.maximum.accumulate(levels.persisting_spread()[::-1], axis=0)[::-1]
    fits = [_fit(levels, persisting, first, degree) for degree in _DEGREES for first in range(rows - degree - _SPARE)]
    return Extrapolation.joined(fits) if fits else None


def _fit(levels: Levels, persisting: FloatArray, first: int, degree: int) -> Extrapolation:
    """Fit the levels from the row `first` down; all fields have shape (1, entries)."""
    h, d, s, n = levels.step[first:], levels.central[first:], levels.spread[first:], levels.noise[first:]
    known = np.isfinite(d) & (n > 0)
    relative = np.where(known, h / h[0], 0.0)
    quietest = np.fmin.reduce(np.where(known, n, np.inf), axis=0)
    weight = np.where(known, quietest / n, 0.0)
    even = np.stack([relative ** (2 * k) for k in range(degree + 1)], axis=-1)
    odd = np.stack([relative ** (2 * k + 1) for k in range(degree + 1)], axis=-1)
    curve = _weighted(even, np.where(known, d, 0.0), weight)
    spread = _weighted(odd, np.where(known, s, 0.0), weight)
    noise = quietest * np.maximum(curve.uncertainty, _COMMON)
    # round-off that the residuals show is round-off, however much was expected
    noise *= _HIDDEN + _SHOWN * curve.residual / quietest
    # an odd polynomial of one term less leaves room for a constant: half the jump of a slope, which may hide in the
    # round-off
    with_jump = np.concatenate([even[..., :1], odd[..., :degree]], axis=-1)
    jump = _weighted(with_jump, np.where(known, s, 0.0), weight)
    hidden = np.minimum(np.abs(jump.constant), quietest * jump.uncertainty)
    suspect = np.abs(jump.constant) - hidden + persisting[first]
    noise += hidden
    fits = known[0] & (curve.residual <= quietest) & (spread.residual <= quietest) & (curve.leverage <= _LEVERAGE)
    error = or_infinite(np.where(fits, noise + suspect, np.inf))
    return Extrapolation(
        value=curve.constant[None],
        error=error[None],
        noise=noise[None],
        suspect=suspect[None],
        truncation=np.zeros_like(error)[None],
        step=h[:1],
        is_regular=fits[None],
    )


class _Fitted(NamedTuple):
    """Weighted least squares of each entry; arrays of shape (entries,).

    Parameters
    ----------
    uncertainty : float array
        Its standard deviation, in units of that of a value of weight 1.
    leverage : float array
        The largest share that any value has in its own fit.
    """

    constant: FloatArray
    uncertainty: FloatArray
    residual: FloatArray
    leverage: FloatArray


def _weighted(columns: FloatArray, values: FloatArray, weight: FloatArray) -> _Fitted:
    """Fit each entry by weighted least squares.

    Parameters
    ----------
    columns : float array, shape (levels, entries, terms)
        The functions that are fitted.
    values, weight : float array, shape (levels, entries)
        What they are fitted to, and its weight: the inverse of the uncertainty, in units of any one of them.
    """
    scaled = columns * weight[..., None]
    normal = np.einsum("lep,leq->epq", scaled, scaled)
    right = np.einsum("lep,le->ep", scaled, weight * values)
    inverse = np.linalg.pinv(normal, hermitian=True)
    solution = np.einsum("epq,eq->ep", inverse, right)
    residual = np.abs(weight * values - np.einsum("lep,ep->le", scaled, solution))
    leverage = np.einsum("lep,epq,leq->le", scaled, inverse, scaled)
    return _Fitted(solution[:, 0], np.sqrt(inverse[:, 0, 0]), residual.max(axis=0), leverage.max(axis=0))
