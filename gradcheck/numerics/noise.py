"""How far values of the loss are off: told by type, bits and repetition, and measured along a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.numerics.arrays import FloatArray

# significant bits of bfloat16, float16 and float32, with their unit round-off
_ROUNDOFF_BY_BITS = ((8, 2.0**-8), (11, 2.0**-11), (24, 2.0**-24))
# significant bits of numbers that people write
_ROUND = 11


@dataclass(frozen=True)
class Noise:
    """How far a value of the loss may be off.

    Parameters
    ----------
    unit_roundoff : float
        Half the machine epsilon of the precision in which the loss is computed.
    floor : float
        Spread of values at one and the same point.
    scatter : float, optional
        Standard deviation of values at neighbouring points about a smooth curve, once it was measured.
    """

    unit_roundoff: float
    floor: float = 0.0
    scatter: float | None = None

    def of(self, magnitude: FloatArray) -> FloatArray:
        """Return the bound for values of this `magnitude`.

        It is four standard deviations or two units of round-off where the scatter was measured. Where it was not, it
        is four units, as a sum is rarely rounded only once, and the spread of repeated values.
        """
        if self.scatter is None:
            return np.asarray(4 * self.unit_roundoff * magnitude + self.floor, dtype=np.float64)
        return np.asarray(np.maximum(2 * self.unit_roundoff * magnitude, 4 * self.scatter), dtype=np.float64)

    def sentence(self, loss: float) -> str:
        """Return in words how well a value of the loss is known."""
        bits = next((name for name, u in (("float16", 2.0**-12), ("float32", 2.0**-26)) if self.unit_roundoff > u), "")
        size = float(self.of(np.array(abs(loss))))
        relative = f" ({size / abs(loss):.1g} of it)" if loss else ""
        cause = "differs from call to call" if self.floor else f"computed in {bits or 'float64'}"
        return f"{cause}, reproducible to {size:.1g}{relative}"

    def informed_by(self, values: FloatArray) -> Noise:
        """Return the noise that the bits of `values` of the loss tell of.

        Values whose mantissas end in zeros were computed in a coarser type than the one they are returned in.
        """
        telling = values[np.isfinite(values) & (values != 0)]
        if not telling.size:
            return self
        mantissas = (np.abs(np.frexp(telling)[0]) * 2.0**53).astype(np.int64)
        bits = 53 - int(np.log2((mantissas & -mantissas).min()))
        if bits <= _ROUND and (telling == telling[0]).all():
            return self
        coarsest = next((u for limit, u in _ROUNDOFF_BY_BITS if bits <= limit), 0.0)
        return replace(self, unit_roundoff=max(self.unit_roundoff, coarsest))


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
