"""Bounds in the forms that SciPy takes, and a point far enough inside of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.numerics.arrays import FloatArray
from gradcheck.numerics.step_size import parameter_scale

# room for the steps of differences, as a share of an entry's size and of the interval
_OF_SIZE, _OF_INTERVAL = 0.05, 0.25


class Bounds:
    """Lower and upper bounds of each entry.

    Parameters
    ----------
    given : object
        ``scipy.optimize.Bounds``, a pair per entry (None for no bound), a tuple of lower and upper bounds, or None.
    """

    def __init__(self, given: Any, size: int) -> None:
        lower, upper = _two_arrays(given, size)
        try:
            self.lower: FloatArray = np.broadcast_to(np.asarray(lower, dtype=np.float64), (size,))
            self.upper: FloatArray = np.broadcast_to(np.asarray(upper, dtype=np.float64), (size,))
        except (TypeError, ValueError):
            raise InputError(_EXPECTED.format(size=size, given=given)) from None
        if not (self.lower <= self.upper).all():
            raise InputError(f"every lower bound must be at most the upper one, got `bounds`={given!r}.")
        self.are_given = given is not None

    def contain(self, x: npt.ArrayLike) -> bool:
        """Tell whether a point lies inside."""
        point = np.asarray(x)
        return bool(np.all(self.lower <= point) and np.all(point <= self.upper))

    def inward(self, x: FloatArray) -> tuple[FloatArray, list[str]]:
        """Return a point with room around it, and what is to be told."""
        if not self.contain(x):
            raise InputError("`x0` lies outside of `bounds`, where nothing may be evaluated: pass a point inside.")
        width = self.upper - self.lower
        room = np.minimum(_OF_SIZE * parameter_scale(x), np.where(np.isfinite(width), _OF_INTERVAL * width, np.inf))
        moved = np.where(x - self.lower < room, self.lower + room, x)
        moved = np.where((self.upper - moved < room) & (width > 0), self.upper - room, moved)
        notes = []
        where = np.flatnonzero(moved != x)
        if where.size:
            listed = ", ".join(map(str, where[:5])) + (", ..." if where.size > 5 else "")
            farthest = float(np.max(np.abs(moved - x)))
            notes.append(
                f"entries {listed} lie at a bound; they were moved inside by up to {farthest:.2g}, as nothing outside "
                "is evaluated"
            )
        if (width == 0).any():
            notes.append("entries whose bounds leave no room cannot be checked")
        return moved, notes


_EXPECTED = (
    "`bounds` must be a scipy.optimize.Bounds, a (min, max) pair for each of the {size} entries, or a tuple of lower "
    "and upper bounds, got {given!r}."
)


def _two_arrays(given: Any, size: int) -> tuple[Any, Any]:
    if given is None:
        return -np.inf, np.inf
    if hasattr(given, "lb") and hasattr(given, "ub"):
        return given.lb, given.ub
    try:
        items = list(given)
        are_pairs = len(items) == size and all(len(item) == 2 for item in items)
    except TypeError:
        are_pairs = False
        items = list(given) if isinstance(given, (tuple, list)) else []
    is_two = isinstance(given, tuple) and len(items) == 2
    if are_pairs and is_two and size == 2 and not np.array_equal(np.array(items), np.array(items).T):
        raise InputError(
            f"`bounds`={given!r} can be read as two pairs or as lower and upper bounds: pass a list of pairs, or a "
            "scipy.optimize.Bounds."
        )
    if are_pairs:
        return (
            [-np.inf if low is None else low for low, _ in items],
            [np.inf if high is None else high for _, high in items],
        )
    if is_two:
        return items[0], items[1]
    raise InputError(_EXPECTED.format(size=size, given=given))
