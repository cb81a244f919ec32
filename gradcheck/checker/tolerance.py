"""When a difference is small enough: the tolerance, and the one definition of relative error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.numerics.arrays import FloatArray

# Default rtol by machine epsilon, coarsest first: what correct code of that precision reaches on small networks.
_DEFAULT_RTOL = (("float16", 5e-2), ("float32", 2e-3), ("float64", 1e-5))

_FINEST = float(np.finfo(np.float64).eps)

# An entry far below the largest ones is allowed this fraction of their tolerance, but of its own size no more than a
# thousandth: code that keeps a logarithm from zero is off by as much, and a mistake by more.
_SCALE_SHARE = 1e-3
_LARGEST_SHARE = 1e-3

# Round-off in an entry comes from sums as large as the largest entries: in units of the machine epsilon.
_ROUNDINGS = 16.0


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted difference between an analytic and a numerical derivative.

    ``allowed = atol + rtol * size + 0.001 * min(rtol * scale, size) + 16 * epsilon * scale`` where ``size`` is
    ``max(|analytic|, |numerical|)``, and ``scale`` the largest numerical derivative of the same parameter, in the unit
    of the entry.

    Parameters
    ----------
    atol : float
        Absolute tolerance in units of the loss per unit of the parameter. It is 0 by default, as any other value
        would hide the errors of small gradients.
    epsilon : float
        Machine epsilon of the coarsest type that takes part.
    """

    rtol: float
    atol: float = 0.0
    epsilon: float = _FINEST

    @property
    def resolution(self) -> float:
        """Largest error of a numerical derivative, relative to its scale, with which a match can be declared."""
        return max(3e-4, 0.5 * self.rtol)

    def allowed(
        self, analytic: FloatArray, numerical: FloatArray, scale: FloatArray | float, epsilon: float = 0.0
    ) -> FloatArray:
        """Return the allowed difference per entry.

        Parameters
        ----------
        scale : float or float array
            Largest numerical derivative of the parameter that an entry belongs to, in the unit of the entry.
        """
        size = np.maximum(np.abs(analytic), np.abs(numerical))
        share = np.minimum(self.share(scale), _LARGEST_SHARE * size)
        roundoff = _ROUNDINGS * max(self.epsilon, epsilon) * scale
        return np.asarray(self.atol + self.rtol * size + share + roundoff, dtype=np.float64)

    def share(self, scale: FloatArray | float) -> FloatArray:
        """Return the part of the tolerance of the largest derivative that is small for any entry.

        Parameters
        ----------
        scale : float or float array
            Largest numerical derivative of the parameter that an entry belongs to, in the unit of the entry.
        """
        return np.asarray(_SCALE_SHARE * self.rtol * scale, dtype=np.float64)


def default_rtol(dtypes: Iterable[npt.DTypeLike]) -> float:
    """Return the default relative tolerance for the coarsest of `dtypes`.

    Examples
    --------
    >>> default_rtol(["float64", "float32"])
    0.002
    """
    coarsest = _coarsest(dtypes)
    for name, rtol in _DEFAULT_RTOL:
        if coarsest >= float(np.finfo(name).eps):
            return rtol
    return _DEFAULT_RTOL[-1][1]


def _coarsest(dtypes: Iterable[npt.DTypeLike]) -> float:
    return max(float(np.finfo(np.dtype(dtype)).eps) for dtype in dtypes)


def make_tolerance(rtol: float | None, atol: float | None, dtypes: Iterable[npt.DTypeLike]) -> Tolerance:
    """Return the tolerance in effect: what the user gave, else the default of the coarsest type."""
    for name, value in (("rtol", rtol), ("atol", atol)):
        validate_tolerance(name, value)
    kinds = list(dtypes)
    return Tolerance(
        default_rtol(kinds) if rtol is None else float(rtol),
        0.0 if atol is None else float(atol),
        max(_coarsest(kinds), _FINEST),
    )


def validate_tolerance(name: str, value: float | None) -> None:
    """Raise InputError unless `value` is None or a finite number that is not negative."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise InputError(f"`{name}` must be a number or None, got {value!r}.")
    if not 0 <= value < float("inf"):
        raise InputError(f"`{name}` must be finite and at least 0, got {value!r}.")


def relative_error(analytic: npt.ArrayLike, numerical: npt.ArrayLike) -> FloatArray:
    """Return ``|a - n| / max(|a|, |n|)``: symmetric, between 0 and 2, and 0 where both are 0.

    Returns
    -------
    float array
        NaN where either side is NaN, infinity where either is infinite: neither compares as small.

    Examples
    --------
    >>> float(relative_error(-5.0, 0.0)), float(relative_error(0.0, 0.0))
    (1.0, 0.0)
    """
    a, n = np.asarray(analytic, dtype=np.float64), np.asarray(numerical, dtype=np.float64)
    size = np.maximum(np.abs(a), np.abs(n))
    divisor = np.where((size > 0) & np.isfinite(size), size, 1.0)
    infinite = np.isinf(a) | np.isinf(n)
    with np.errstate(invalid="ignore"):
        # divided first, as the difference of two huge numbers of opposite sign would overflow
        error = np.where(infinite, np.inf, np.abs(a / divisor - n / divisor))
    return np.where(np.isnan(a) | np.isnan(n), np.nan, error)
