"""The kinds of arrays that the numeric core passes around, and the comparison of their bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_SMALL = 4096
# of the largest value, what sums lose or gain where their terms come in another order
_ROUND_OFF = 1e-9


def same_bits(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Tell whether two arrays have one shape and type and hold the same bits: NaN equals itself, -0.0 is not 0.0."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == object:
        return all(x is y for x, y in zip(a.flat, b.flat, strict=True))
    if a.nbytes <= _SMALL:  # copies that cost less than the calls which do without
        return a.tobytes() == b.tobytes()
    one, other = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (a, b))
    return bool(np.array_equal(one, other))


def same_values(a: npt.ArrayLike, b: npt.ArrayLike) -> bool:
    """Tell whether two arrays hold the same values but for round-off: sums over a set come in any order."""
    one, other = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if one.shape != other.shape:
        return False
    with np.errstate(invalid="ignore"):
        largest = np.max(np.abs(one), where=np.isfinite(one), initial=0.0)
        near = np.abs(one - other) <= _ROUND_OFF * largest
    return bool(np.all(near | (one == other) | (np.isnan(one) & np.isnan(other))))
