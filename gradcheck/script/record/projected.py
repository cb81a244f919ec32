"""Functions with several values: one number is made of these, and its gradient of the matrix of their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


def along(values: Any) -> float:
    """Return one number for an objective's values: their sum, each times a random number that is always the same."""
    flat = dense(values).reshape(-1)
    return float(flat @ _weights(flat.size))


def times(values: Any, factors: Any) -> Any:
    """Return the sum of a function's values, or of the rows of a matrix of them, each times a factor."""
    own = np.asarray(factors).reshape(-1)
    return own @ dense(values).reshape(own.size, -1)


def dense(values: Any) -> np.ndarray[Any, Any]:
    """Return an array, also of a sparse matrix, or of what only multiplies like one."""
    if hasattr(values, "toarray"):
        values = values.toarray()
    elif hasattr(values, "matvec"):
        values = np.column_stack([values.matvec(column) for column in np.eye(values.shape[1])])
    return np.asarray(values)


def _weights(count: int) -> np.ndarray[Any, Any]:
    if count == 1:
        return np.ones(1)
    rng = np.random.default_rng(count)
    signs: np.ndarray[Any, Any] = rng.choice([-1.0, 1.0], count)
    return signs * rng.uniform(0.5, 1.5, count)


@dataclass(frozen=True)
class Projection:
    """Makes of a matrix of derivatives the gradient of the number that `along` makes of the values.

    Attributes
    ----------
    by_parameter : bool
        Whether a row belongs to a parameter, rather than to a value.
    entry : int or None
        The parameter, where each is by itself.
    by_entry : bool
        Whether each value depends on its own parameter alone, so that the derivatives are no matrix.
    """

    count: int
    by_parameter: bool = False
    entry: int | None = None
    by_entry: bool = False

    def __call__(self, derivative: Any) -> Any:
        """Return the gradient; a matrix that does not fit comes back as it is, for the checker to refuse."""
        array = dense(derivative)
        values = array.size // max(self.count, 1)
        if self.by_entry and array.size in (1, self.count):
            gradient = array.reshape(-1) * _weights(self.count)
        elif values == 1 and array.size == self.count:
            gradient = array.reshape(-1)
        elif array.shape == ((self.count, values) if self.by_parameter else (values, self.count)):
            gradient = (array if self.by_parameter else array.T) @ _weights(values)
        else:
            return array
        return gradient if self.entry is None else gradient[self.entry]
