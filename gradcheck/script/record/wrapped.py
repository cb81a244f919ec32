"""Numbers that a user keeps in something else than a plain array: pandas objects, and arrays of Python's own numbers.

What is differentiated is a plain array; the script goes on to see the object that it knows, filled anew.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBERS = (int, float, np.integer, np.floating)
# an array of more objects is no parameter
_MOST_OBJECTS = 10_000


@dataclass(frozen=True)
class Wrapping:
    """An object that holds the numbers of a parameter.

    Attributes
    ----------
    held : Series, DataFrame or array of objects
        The object, whose numbers are exchanged in place.
    labels : dict
        What a pandas object is made with besides its numbers: the names of its rows and columns.
    """

    held: Any
    labels: dict[str, Any]

    @classmethod
    def around(cls, value: Any) -> Wrapping | None:
        """Return the wrapping of a value; None where it is a plain number, array or list."""
        if not is_wrapped(value):
            return None
        names = ("index", "columns", "name")
        return cls(value, {} if _is_array(value) else {n: getattr(value, n) for n in names if hasattr(type(value), n)})

    @property
    def numbers(self) -> np.ndarray[Any, Any]:
        """The numbers, in an array of their own, which is of less than double precision where all of them are."""
        dtypes = [] if _is_array(self.held) else _dtypes(self.held)
        is_narrow = bool(dtypes) and all(map(_is_narrow, dtypes))
        return np.array(self.held, dtype=np.result_type(*dtypes) if is_narrow else float)

    def filled(self, numbers: np.ndarray[Any, Any]) -> Any:
        """Return the object, with these numbers in it."""
        if _is_array(self.held):
            self.held[...] = numbers
        else:
            type(self.held).__init__(self.held, numbers.copy(), **self.labels)
        return self.held

    def made(self, numbers: np.ndarray[Any, Any]) -> Any:
        """Return another object of the same kind."""
        return numbers.astype(object) if _is_array(self.held) else type(self.held)(numbers.copy(), **self.labels)


def is_wrapped(value: Any) -> bool:
    """Whether a value is a pandas object of numbers, or an array of Python's numbers."""
    if isinstance(value, np.ndarray):
        return (
            value.dtype == object
            and 0 < value.size <= _MOST_OBJECTS
            and all(isinstance(item, NUMBERS) and not isinstance(item, bool) for item in value.flat)
        )
    if not is_pandas(value) or value.size == 0:
        return False
    return all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in _dtypes(value))


def plain(value: Any) -> Any:
    """Return the numbers of what is wrapped as an array, and any other value as it is."""
    return np.array(value, dtype=float) if is_wrapped(value) else value


def is_pandas(value: Any) -> bool:
    """Whether a value is a Series or a DataFrame, and not of a class that somebody has derived from these."""
    if not type(value).__module__.startswith("pandas"):
        return False
    pandas = sys.modules.get("pandas")
    return type(value) in (getattr(pandas, "Series", None), getattr(pandas, "DataFrame", None))


def in_double_precision(value: Any) -> Any:
    """Return a pandas object in double precision: itself, or where it holds less, another one."""
    narrow = [k for k, dtype in enumerate(_dtypes(value)) if _is_narrow(dtype)]
    if not narrow:
        return value
    if value.ndim == 1 or len(narrow) == value.shape[1]:
        return value.astype(np.float64)
    return value.astype({value.columns[k]: np.float64 for k in narrow}) if value.columns.is_unique else value


def aligned(value: Any, like: Any) -> Any:
    """Return a pandas object with its rows and columns in the order of another one, as pandas computes with them."""
    if not (is_pandas(value) and is_pandas(like)):
        return value
    for axis in range(min(value.ndim, like.ndim)):
        own, wanted = value.axes[axis], like.axes[axis]
        if not own.equals(wanted) and own.is_unique and len(own) == len(wanted) and own.isin(wanted).all():
            value = value.reindex(wanted, axis=axis)
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _dtypes(value: Any) -> list[Any]:
    """Return the types of what a pandas object holds, one a column."""
    return [value.dtype] if value.ndim == 1 else list(value.dtypes)


def _is_narrow(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < np.dtype(np.float64).itemsize
