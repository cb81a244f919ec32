"""What a recorded argument looks like, in so few words that a like one can be drawn elsewhere."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.script.record.leaves import is_numeric

_MOST_PARTS = 12
_SUM = 1e-6


class Kind(enum.Enum):
    """What the numbers of an array are."""

    REAL = "any numbers"
    POSITIVE = "positive numbers"
    UNIT = "numbers between 0 and 1"
    BINARY = "zeros and ones"
    SIGN = "ones of both signs"
    MASK = "truth values"
    CLASSES = "whole numbers from 0"
    WHOLE = "other whole numbers"
    ONE_HOT_ROWS = "a one in each row"
    ONE_HOT_COLUMNS = "a one in each column"
    SIMPLEX_ROWS = "rows that add up to 1"
    SIMPLEX_COLUMNS = "columns that add up to 1"


@dataclass(frozen=True)
class Numbers:
    """An array, a number or a nested list of numbers.

    Attributes
    ----------
    low, high : int
        The smallest and the largest, where they are whole.
    """

    kind: Kind
    shape: tuple[int, ...]
    low: int = 0
    high: int = 0
    is_list: bool = False


@dataclass(frozen=True)
class Literal:
    """A constant, as Python writes it."""

    text: str


@dataclass(frozen=True)
class Parts:
    """A container of samples: ``items`` with their keys for a dict, without for a ``list`` or ``tuple``."""

    kind: str
    items: tuple[tuple[str, Sample], ...]


Sample = Numbers | Literal | Parts


def sample_of(value: Any, *, is_parameter: bool) -> Sample | None:
    """Describe a value; None where it cannot be drawn again."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "b":
        return Numbers(Kind.MASK, value.shape)
    if is_numeric(value):
        if np.ndim(value) == 0 and not is_parameter:
            return Literal(repr(np.asarray(value).item()))
        return _numbers(np.asarray(value), is_parameter=is_parameter, is_list=isinstance(value, list))
    if value is None or isinstance(value, str | bool):
        return Literal(repr(value))
    if type(value) in (dict, list, tuple) and 0 < len(value) <= _MOST_PARTS:
        return _parts(value, is_parameter=is_parameter)
    return None


def _parts(value: Any, *, is_parameter: bool) -> Parts | None:
    items = list(value.items()) if isinstance(value, dict) else [("", part) for part in value]
    found = [(key, sample_of(part, is_parameter=is_parameter)) for key, part in items]
    known = tuple((key, sample) for key, sample in found if sample is not None and isinstance(key, str))
    return Parts(type(value).__name__, known) if len(known) == len(found) else None


def _numbers(array: npt.NDArray[Any], *, is_parameter: bool, is_list: bool) -> Numbers:
    low, high = (float(end) if np.isfinite(end) else 0.0 for end in (np.min(array), np.max(array)))
    is_whole = array.dtype.kind in "iu"
    kind = _parameter_kind(low) if is_parameter else _whole_kind(array) if is_whole else _kind(array, low, high)
    return Numbers(kind, array.shape, *((int(low), int(high)) if is_whole else (0, 0)), is_list)


def _parameter_kind(low: float) -> Kind:
    return Kind.POSITIVE if low > 0 else Kind.REAL


def _whole_kind(array: npt.NDArray[Any]) -> Kind:
    if np.isin(array, (-1, 1)).all():
        return Kind.SIGN
    return Kind.CLASSES if np.min(array) == 0 else Kind.WHOLE


def _kind(array: npt.NDArray[Any], low: float, high: float) -> Kind:
    if low < high and np.isin(array, (-1, 1)).all():
        return Kind.SIGN
    if low < 0 or low == high:
        return Kind.POSITIVE if low > 0 else Kind.REAL
    binary = bool(np.isin(array, (0, 1)).all())
    for axis, one_hot, simplex in (
        (1, Kind.ONE_HOT_ROWS, Kind.SIMPLEX_ROWS),
        (0, Kind.ONE_HOT_COLUMNS, Kind.SIMPLEX_COLUMNS),
    ):
        if array.ndim == 2 and array.shape[axis] > 1 and np.allclose(array.sum(axis=axis), 1, atol=_SUM):
            return one_hot if binary else simplex
    if binary:
        return Kind.BINARY
    if high <= 1:
        return Kind.UNIT
    return Kind.POSITIVE if low > 0 else Kind.REAL
