"""The kinds of arrays that the numeric core passes around, and the comparison of their bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_SMALL = 4096


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
