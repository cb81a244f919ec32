"""Derivatives from differences at several steps: extrapolated from pairs, or fitted to all; and the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.numerics.levels import Levels


class Extrapolation(NamedTuple):
    """Extrapolated derivatives with the parts of their error.

    Arrays of shape (entries,), or (ways, entries) for several ways to combine the levels.

    Parameters
    ----------
    error : float array
        Bound of the error; infinite for a way that cannot be trusted.
    noise, suspect, truncation : float array
        Parts of the error: round-off, what looks like a kink, and what the finite step leaves.
    is_regular : bool array
        Whether the steps were seen to obey the law of the truncation error.
    """

    value: FloatArray
    error: FloatArray
    noise: FloatArray
    suspect: FloatArray
    truncation: FloatArray
    step: FloatArray
    is_regular: BoolArray

    @classmethod
    def joined(cls, parts: Iterable[Extrapolation]) -> Extrapolation:
        """Return all the ways of several sets of them."""
        return cls(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))

    def best(self) -> Extrapolation:
        """Return the way with the smallest error of each entry."""
        chosen = np.argmin(self.error, axis=0)[None]
        return Extrapolation(*(np.take_along_axis(field, chosen, axis=0)[0] for field in self))


def or_infinite(error: FloatArray) -> FloatArray:
    """Return `error` with infinity for what is not known."""
    return np.where(np.isfinite(error), error, np.inf)


def richardson(levels: Levels) -> Extrapolation:
    """Return what pairs and triples of neighbouring steps extrapolate to, with bounds.

    In the notation of `gradcheck.numerics.levels`, two neighbouring steps a > b with r = a / b give
    ``R = D_b + (D_b - D_a) / (r^2 - 1)`` with the bound ``|D_a - D_b| + K + n``, where K is the limit of S for
    h -> 0. Three steps that obey the h^2 law give a tighter bound. A way that a finer step contradicts is dropped.

    Parameters
    ----------
    levels : Levels
        At least two rows; entries with fewer than two finite levels get an infinite error.

    References
    ----------
    .. [1] L. F. Richardson, Phil. Trans. R. Soc. A 210 (1911), 307-357.
    .. [2] C. J. F. Ridders, Adv. Eng. Softw. 4 (1982), 75-76.
    """
    pairs = _pairs(levels)
    ways = [_consistent(levels, pairs, 2)]
    if len(levels.step) > 2:
        ways.append(_consistent(levels, _triples(levels, pairs), 3))
    return Extrapolation.joined(ways)


def _pairs(levels: Levels) -> Extrapolation:
    h, d, s, n = levels.step, levels.central, levels.spread, levels.noise
    r = h[:-1] / h[1:]
    w = 1 / (r * r - 1)
    truncation = np.abs(d[:-1] - d[1:])
    limit = np.abs((r * s[1:] - s[:-1]) / (r - 1))
    # several kinks inside the stencil do not extrapolate: then the spread itself is the bound
    rough = (np.abs(s[1:]) > 0.6 * np.abs(s[:-1])) & (np.abs(s[1:]) > 0.7 * n[1:])
    suspect = np.where(rough, np.maximum(limit, np.maximum(np.abs(s[1:]), np.abs(s[:-1]))), limit)
    noise = (1 + w) * n[1:] + w * n[:-1]
    error = np.where(r > 1.2, truncation + suspect + noise, np.inf)
    value = d[1:] - w * (d[:-1] - d[1:])
    return Extrapolation(value, or_infinite(error), noise, suspect, truncation, h[:-1], np.zeros(r.shape, dtype=bool))


def _triples(levels: Levels, pairs: Extrapolation) -> Extrapolation:
    h, d, n = levels.step, levels.central, levels.noise
    q = (h[:-2] ** 2 - h[1:-1] ** 2) / (h[1:-1] ** 2 - h[2:] ** 2)
    change, finer_change = d[:-2] - d[1:-1], d[1:-1] - d[2:]
    slack = n[:-2] + n[1:-1] + q * (n[1:-1] + n[2:])
    obeys = np.abs(change - q * finer_change) <= 0.5 * np.abs(q * finer_change) + slack
    obeys &= (h[:-2] < 8 * h[1:-1]) & (h[1:-1] < 8 * h[2:])
    w = 1 / ((h[:-2] / h[2:]) ** 2 - 1)
    truncation = np.abs(pairs.value[:-1] - pairs.value[1:])
    noise = pairs.noise[1:] * (1 + w) + pairs.noise[:-1] * w
    # a smooth loss lets the limit of the spread die like h^3; a kink does not
    suspect = np.where(pairs.suspect[1:] < 0.25 * pairs.suspect[:-1], 0.0, pairs.suspect[1:])
    error = np.where(obeys, 2 * truncation + suspect + noise, np.inf)
    value = pairs.value[1:] + w * (pairs.value[1:] - pairs.value[:-1])
    triple = np.ones(q.shape, dtype=bool)
    return Extrapolation(value, or_infinite(error), noise, suspect, truncation, h[:-2], triple)


def _consistent(levels: Levels, ways: Extrapolation, used: int) -> Extrapolation:
    """Drop the ways that a step finer than the `used` ones of each contradicts beyond its own noise and spread."""
    error = ways.error.copy()
    # where the spread persists, a kink inside the finer stencil moves its difference by as much
    persists = levels.persisting_spread()
    for p in range(len(error)):
        for finer in range(p + used, len(persists)):
            gap = np.abs(levels.central[finer] - ways.value[p])
            error[p] = np.where(gap > error[p] + 2 * levels.noise[finer] + persists[finer], np.inf, error[p])
    return ways._replace(error=error)


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


def best_estimate(levels: Levels) -> Extrapolation:
    """Return of each entry the extrapolated derivative with the smallest bound of its error.

    Parameters
    ----------
    levels : Levels
        At least two rows; entries with fewer than two finite levels get an infinite error.
    """
    with np.errstate(all="ignore"):
        fits = polynomial_fits(levels)
        ways = richardson(levels)
        if fits is not None:
            ways = Extrapolation.joined([ways, fits])
        # a spread that grows as the step shrinks is no curvature and no kink: the loss has yet to be seen close enough
        longest = levels.longest_without_jump()
        return ways._replace(error=np.where(ways.step > longest, np.inf, ways.error)).best()
