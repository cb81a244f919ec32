"""Step sizes: a pure function of the floating-point type, the scheme and the size of the parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.numerics.arrays import FloatArray

# The step that balances truncation against round-off is a power of the machine epsilon [1]: 1/2 for one forward
# difference, 1/3 for one central difference. "ladder" is the first rung of several central differences: after
# extrapolation the best power would be 1/5, alone it would be 1/3, and 1/4 serves both within a factor of 6.
_EXPONENT = {"forward": 1 / 2, "central": 1 / 3, "ladder": 1 / 4}

# Keeps steps off the powers of two: values of the loss at such steps would have few significant bits, as if it had been
# computed in a coarser type (`Noise.informed_by` looks at these bits).
_OFF_DYADIC = 0.9


def working_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the coarser of `dtype` and float64: derivatives are formed in float64 whatever the parameter is."""
    kind: np.dtype[Any] = np.dtype(dtype)
    return kind if np.finfo(kind).eps > np.finfo(np.float64).eps else np.dtype(np.float64)


def coarser(one: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    """Return the floating type with the larger machine epsilon; `one` where `other` is not a floating type."""
    if not np.issubdtype(other, np.floating):
        return one
    return one if np.finfo(one).eps >= np.finfo(other).eps else other


def coarsest_epsilon(dtypes: Iterable[np.dtype[Any]]) -> float:
    """Return the largest machine epsilon of the floating types among `dtypes`, at least that of float64."""
    floats = [dtype for dtype in dtypes if np.issubdtype(dtype, np.floating)]
    return max(float(np.finfo(dtype).eps) for dtype in [*floats, np.dtype(np.float64)])


def relative_step(dtype: npt.DTypeLike, scheme: str = "ladder") -> float:
    """Return the step for a parameter of size 1.

    References
    ----------
    .. [1] W. Press et al., Numerical Recipes, 3rd ed., section 5.7.

    Examples
    --------
    >>> round(relative_step("float64"), 6), round(relative_step("float32"), 4)
    (0.00011, 0.0167)
    """
    return _OFF_DYADIC * math.pow(float(np.finfo(working_dtype(dtype)).eps), _EXPONENT[scheme])


def typical_scale(values: FloatArray) -> float:
    """Return the median magnitude of the non-zero `values` of one parameter, 1 where there is none."""
    magnitudes = values[(values != 0) & np.isfinite(values)]
    np.abs(magnitudes, out=magnitudes)
    return float(np.median(magnitudes, overwrite_input=True)) if magnitudes.size else 1.0


def parameter_scale(values: FloatArray, typical: float | None = None) -> FloatArray:
    """Return the natural scale of each entry: its magnitude; for zeros the typical one of the parameter."""
    fallback = typical_scale(values) if typical is None else typical
    scale = np.abs(values)
    scale[scale == 0] = fallback
    return np.asarray(scale, dtype=np.float64)


def absolute_step(
    values: FloatArray,
    dtype: npt.DTypeLike,
    scheme: str = "ladder",
    *,
    relative: float | None = None,
    typical: float | None = None,
) -> FloatArray:
    """Return one exactly representable step per entry of a parameter.

    The step is ``relative * scale``, rounded such that ``x + step`` and ``x`` differ by exactly ``step`` in the
    parameter's own type, and never less than eight units in the last place of x.
    """
    kind = working_dtype(dtype)
    wanted = (relative_step(kind, scheme) if relative is None else relative) * parameter_scale(values, typical)
    x = np.abs(values).astype(kind)
    smallest = 8 * np.spacing(x).astype(np.float64)
    with np.errstate(over="ignore"):
        h = np.maximum(wanted, smallest).astype(kind)
        return np.asarray((x + h) - x, dtype=np.float64)
