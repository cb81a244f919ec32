"""Richardson extrapolation of central differences to h = 0, with a bound of the error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.arrays import BoolArray, FloatArray
from gradcheck.levels import Levels


class Extrapolation(NamedTuple):
    """Extrapolated derivatives with the parts of their error.

    Arrays of shape (entries,), or (ways, entries) for several ways to combine the levels.

    Parameters
    ----------
    value : float array
        The derivatives.
    error : float array
        Bound of the error; infinite for a way that cannot be trusted.
    noise, suspect, truncation : float array
        Parts of the error: round-off, what looks like a kink, and what the finite step leaves.
    step : float array
        The largest step used.
    is_triple : bool array
        Whether three steps were combined, not two.
    """

    value: FloatArray
    error: FloatArray
    noise: FloatArray
    suspect: FloatArray
    truncation: FloatArray
    step: FloatArray
    is_triple: BoolArray

    def best(self) -> Extrapolation:
        """Return the way with the smallest error of each entry."""
        chosen = np.argmin(self.error, axis=0)[None]
        return Extrapolation(*(np.take_along_axis(field, chosen, axis=0)[0] for field in self))


def extrapolate(levels: Levels) -> Extrapolation:
    """Return the best extrapolated derivative of each entry, with its bound.

    In the notation of `gradcheck.levels`, two neighbouring steps a > b with r = a / b give ``R = D_b + (D_b - D_a) /
    (r^2 - 1)`` with the bound ``|D_a - D_b| + K + n``, where K is the limit of S for h -> 0. Three steps that obey the
    h^2 law give a tighter bound. A way that a finer step contradicts is dropped.

    Parameters
    ----------
    levels : Levels
        At least two rows; entries with fewer than two finite levels get an infinite error.

    References
    ----------
    .. [1] L. F. Richardson, Phil. Trans. R. Soc. A 210 (1911), 307-357.
    .. [2] C. J. F. Ridders, Adv. Eng. Softw. 4 (1982), 75-76.
    """
    with np.errstate(all="ignore"):
        pairs = _pairs(levels)
        ways = [_consistent(levels, pairs, 2)]
        if len(levels.step) > 2:
            ways.append(_consistent(levels, _triples(levels, pairs), 3))
    return Extrapolation(*(np.concatenate(fields) for fields in zip(*ways, strict=True))).best()


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
    return Extrapolation(value, _or_infinite(error), noise, suspect, truncation, h[:-1], np.zeros(r.shape, dtype=bool))


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
    return Extrapolation(value, _or_infinite(error), noise, suspect, truncation, h[:-2], triple)


def _consistent(levels: Levels, ways: Extrapolation, used: int) -> Extrapolation:
    """Drop the ways that a step finer than the `used` ones of each contradicts beyond its own noise and spread."""
    error = ways.error.copy()
    size = np.abs(levels.spread)
    # where the spread persists, a kink inside the finer stencil moves its difference by as much
    persists = np.vstack([np.zeros_like(size[:1]), np.where(size[1:] > 0.6 * size[:-1], size[1:], 0.0)])
    for p in range(len(error)):
        for finer in range(p + used, len(size)):
            gap = np.abs(levels.central[finer] - ways.value[p])
            error[p] = np.where(gap > error[p] + 2 * levels.noise[finer] + persists[finer], np.inf, error[p])
    return ways._replace(error=error)


def _or_infinite(error: FloatArray) -> FloatArray:
    return np.where(np.isfinite(error), error, np.inf)
