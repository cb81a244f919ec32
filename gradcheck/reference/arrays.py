"""What the arrays of this package are, and the one place where those of a caller are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
DTYPES = ("float64", "float32")


def float_type(dtype: Any) -> np.dtype[Any]:
    """Return float64 or float32 as a NumPy type.

    Raises
    ------
    ValueError
        If it is another one.
    """
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.name not in DTYPES:
        raise ValueError(f"dtype: expected {' or '.join(DTYPES)}, got {dtype!r}")
    return found


def matrix(values: ArrayLike, name: str, dtype: Any, width: int | None = None) -> Array:
    """Return values as an array of shape (samples, width), with a copy only where one is needed.

    Parameters
    ----------
    values : array_like of shape (samples, width), or (samples,) for a width of 1
        One row per sample.
    name : str
        What to call them in a message.
    dtype : dtype
        What the numbers shall be.
    width : int, optional
        How many columns there must be.

    Raises
    ------
    ValueError
        If they are not numbers, have another shape, are empty, or are not all finite.
    """
    try:
        given = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name}: expected numbers in rows of equal length") from None
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got an array of type {given.dtype}")
    found: Array = np.ascontiguousarray(given, dtype=dtype)
    if given.ndim == 1:
        found = found.reshape(-1, 1)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name}: expected an array of shape (samples, width), not empty, got shape {given.shape}")
    if width is not None and found.shape[1] != width:
        raise ValueError(f"{name}: expected {width} column{'s' * (width != 1)}, got {found.shape[1]}")
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise ValueError(f"{name}: expected finite numbers, got {found[row, column]} in row {row}, column {column}")
    return found


def same_rows(X: Array, Y: Array) -> None:
    """Refuse inputs and targets of different length.

    Raises
    ------
    ValueError
        If the numbers of rows differ.
    """
    if len(X) != len(Y):
        raise ValueError(f"expected one target per sample, got {len(X)} samples and {len(Y)} targets")
