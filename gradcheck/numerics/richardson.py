"""Richardson extrapolation of central differences to h = 0, with a bound of the error."""

from __future__ import annotations

import numpy as np

from gradcheck.numerics.extrapolation import Extrapolation, or_infinite
from gradcheck.numerics.levels import Levels


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
