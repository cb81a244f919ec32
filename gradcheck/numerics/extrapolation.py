"""A derivative extrapolated from several steps to h = 0, with the parts of its error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradcheck.numerics.arrays import BoolArray, FloatArray


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
