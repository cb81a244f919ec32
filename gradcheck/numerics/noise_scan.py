"""How far values of the loss scatter about a smooth curve, from a table of differences along a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from gradcheck.numerics.arrays import FloatArray

_POINTS = 9
# in units of the natural scale; on the other side as well, as a kink lies on one side only
_SPACINGS = (2.0**-17, -(2.0**-17), 2.0**-23, 2.0**-29, 2.0**-35, 2.0**-41)
# beyond that points differ only where entries are zero; a curve that is still bent there is measured closer
_CLOSEST = (2.0**-47, 2.0**-53)
_WIDENED = (2.0**-11, 2.0**-5)
# differences of a curve fall at least so much when its points move together, those of scatter do not
_STILL_BENT = 0.5
# orders of the differences that a smooth curve hardly shows in
_ORDERS = range(4, 8)


def scatter(along: Callable[[Sequence[float]], FloatArray], origin: float, expected: float) -> float:
    """Return the standard deviation of values of the loss about a smooth curve.

    Values at equal distances leave only their scatter in differences of high order [1]_. A kink or an oscillation looks
    like scatter, but not at every distance: what exceeds the expected scatter is measured again on the other side of
    the point and closer to it. Points that stand too close for the loss to tell them apart are moved apart.

    References
    ----------
    .. [1] J. J. More, S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011), 1292-1314.
    """
    found, before = math.inf, math.inf
    for spacing in _SPACINGS + _CLOSEST:
        if spacing in _CLOSEST and not found < _STILL_BENT * before:
            break
        values = _values(along, origin, spacing)
        if _is_granular(values):
            if math.isfinite(found):
                break
            values = _values(along, origin, _WIDENED[0])
            if _is_granular(values):
                values = _values(along, origin, _WIDENED[1])
        if np.isfinite(values).all():
            before, found = found, min(found, _deviation(values))
        if found <= expected:
            break
    return found if math.isfinite(found) else 0.0


def _values(along: Callable[[Sequence[float]], FloatArray], origin: float, spacing: float) -> FloatArray:
    return np.array([origin, *along([j * spacing for j in range(1, _POINTS)])])


def _is_granular(values: FloatArray) -> bool:
    """Tell whether half of the neighbours are equal."""
    return bool(2 * np.count_nonzero(np.diff(values) == 0) >= _POINTS - 1)


def _deviation(values: FloatArray) -> float:
    """Return the smallest standard deviation that the differences of any of the orders amount to.

    Those of a curve shrink with the order, those of scatter do not.
    """
    # the difference of order k of independent values has (2k)! / (k!)^2 times their variance
    share = {k: math.factorial(k) ** 2 / math.factorial(2 * k) for k in _ORDERS}
    return min(math.sqrt(share[k] * float(np.mean(np.diff(values, k) ** 2))) for k in _ORDERS)
