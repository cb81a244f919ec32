"""Gradients that are wrong by a factor, or by a multiple of the parameter, and where that number comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.checker.result import FloatArray
from gradcheck.diagnosis.factors import Source, source_of
from gradcheck.diagnosis.sight import Sight
from gradcheck.diagnosis.values import SAME, TINY, Values

# a number explains a factor up to this, and up to what finite differences can tell, but never up to more than the last
_NAMED, _ERRORS, _LOOSEST = 1e-6, 3.0, 1e-4
# how many times larger than what finite differences can tell a difference has to be
_CLEAR = 30.0
# of how many values a relation has to hold; fewer are enough where a number in sight explains it
_ENOUGH, _FEWEST = 3, 2
# how far-fetched a length is as the strength of a penalty
_NO_STRENGTH = 1.0
_PLAIN = (2, -2, 0.5, -0.5, 1, -1)


@dataclass(frozen=True)
class _Factor:
    """What one thing is times another.

    Attributes
    ----------
    points : int array
        The points at which there is something to see of it.
    """

    points: np.ndarray[Any, Any]
    values: FloatArray
    tolerance: FloatArray

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at all points."""
        return bool(np.ptp(self.values) <= SAME * np.max(np.abs(self.values)))

    def is_value(self, value: float) -> bool:
        """Whether it is a certain number at all points."""
        return bool(np.all(np.abs(self.values / value - 1) <= self.tolerance))


def proportion(values: Values, seen: Sight, name: str, where: str) -> str:
    """Say what is proportional to what; empty where nothing is."""
    return _ratio(values, seen, where) or _multiple(values, seen, name, where) or _step(values, seen, name, where)


def _ratio(values: Values, seen: Sight, where: str) -> str:
    factor = _times(values.numerical, values.analytic, values)
    if factor is None or np.all(np.abs(factor.values - 1) < SAME):
        return ""
    if np.all(np.abs(factor.values + 1) < SAME):
        return f"the sign is reversed: analytic = -numerical {where}"
    # what is itself the gradient explains nothing
    numbers = tuple(n for n in seen.numbers if not _is_gradient(n.values, values))
    return _told("numerical = analytic x {}", factor, values, replace(seen, numbers=numbers), where)


def _multiple(values: Values, seen: Sight, name: str, where: str) -> str:
    """Say if a multiple of the parameter is missing, or too much: a penalty on its size."""
    if values.parameter is None:
        return ""
    difference = values.analytic - values.numerical
    noise = values.error + TINY * values.size
    if float(np.linalg.norm(difference)) <= _CLEAR * float(np.linalg.norm(noise)):
        return ""
    factor = _times(difference, values.parameter, values)
    if factor is None:
        return ""
    # a penalty has a strength of its own
    numbers = tuple(replace(n, rank=n.rank + _NO_STRENGTH) if n.is_length else n for n in seen.numbers)
    seen = replace(seen, numbers=numbers)
    if np.all(factor.values < 0):
        factor = replace(factor, values=-factor.values)
        return _told(f"numerical - analytic = {{}} x {name}", factor, values, seen, where)
    return _told(f"analytic - numerical = {{}} x {name}", factor, values, seen, where)


def _step(values: Values, seen: Sight, name: str, where: str) -> str:
    """Say if what is returned is the parameter after a step."""
    if values.parameter is None:
        return ""
    factor = _times(values.parameter - values.analytic, values.numerical, values)
    if factor is None or np.any(np.abs(factor.values) <= SAME):
        return ""
    return _told(f"analytic = {name} - {{}} x numerical", factor, values, seen, where)


def _times(one: FloatArray, other: FloatArray, values: Values) -> _Factor | None:
    """Return what the one is times the other; None where that is not so in every entry."""
    if other.size < _FEWEST or len(np.unique(np.abs(other))) < 2:
        return None
    least = TINY * float(np.max(np.abs(other)))
    points, factors, tolerances = [], [], []
    for number in values.points:
        a, b, error = (array[values.point == number] for array in (one, other, values.error))
        size, noise = float(np.linalg.norm(a)), TINY * values.size + _ERRORS * error
        if np.max(np.abs(b)) <= least or not size:
            if np.any(np.abs(a) > noise):
                return None
            continue  # both are zero
        factor = float(a @ b) / float(b @ b)
        allowed = SAME * np.abs(factor * b) + TINY * float(np.max(np.abs(a)))
        if np.any(np.abs(a - factor * b) > allowed + noise):
            return None
        points.append(number)
        factors.append(factor)
        tolerances.append(min(_NAMED + _ERRORS * float(np.linalg.norm(error)) / size, _LOOSEST))
    return _Factor(np.array(points), np.array(factors), np.array(tolerances)) if factors else None


def _is_gradient(number: FloatArray, values: Values) -> bool:
    """Whether a number in sight is a multiple of the gradient's first entry."""
    gradient = np.array([values.analytic[values.point == point][0] for point in values.points])
    number = number[values.points]
    if np.ptp(number) == 0 or not np.any(gradient):
        return False
    factor = float(number @ gradient) / float(gradient @ gradient)
    return bool(np.all(np.abs(number - factor * gradient) <= SAME * np.abs(number)))


def _told(relation: str, factor: _Factor, values: Values, seen: Sight, where: str) -> str:
    """Say a relation with its factor; empty where that varies, and no numbers in sight vary so."""
    numbers = [replace(number, values=number.values[factor.points]) for number in seen.numbers]
    is_plain = factor.is_constant and any(factor.is_value(value) for value in _PLAIN)
    source = None if is_plain else source_of(factor.values, numbers, factor.tolerance)
    if source is None and not is_plain and len(values.analytic) < _ENOUGH:
        return ""
    if factor.is_constant:
        value = float(np.mean(factor.values))
        return f"{relation.format(_number(value, source))} {where}{_names(source)}"
    if source is None:
        return ""
    also = "" if source.also is None else f", or the same with {source.also.shown},"
    return f"{relation.format(source.in_names())}{also} {where}"


def _number(value: float, source: Source | None) -> str:
    shown = f"{value:.6g}"
    made = "" if source is None else source.in_numbers()
    # a sign is not looked for
    made = f"-{made}" if value < 0 and made else made
    return shown if made in ("", shown) else f"{shown} (= {made})"


def _names(source: Source | None) -> str:
    return "" if source is None else f"; {source.told()}"
