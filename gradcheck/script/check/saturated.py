"""Points at which a constant that keeps a logarithm finite decides the loss: it is flat there, and says nothing.

Where outputs are 0 or 1 to the last bit, ``log(p + 1e-9)`` is the logarithm of the constant, and stays so where the
parameters are moved a little; the gradient of what is meant, ``p - y``, is right all the same. With smaller parameters,
outputs are no longer that sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from gradcheck.script.replay.stage import LossExpression, Stage

_LOGARITHMS = ("log", "log2", "log10")
# as a multiple of a constant: what is no more is mostly made of it, and of what is more its share does not show
_MOSTLY, _HARDLY = 2.0, 1e4


def deciding(leasts: Sequence[float], constants: Sequence[float]) -> float | None:
    """Return the constant that decides a loss wherever it was looked at, by the least number with a logarithm there."""
    found = [constant for constant in constants if min(leasts, default=math.inf) <= _MOSTLY * constant]
    smallest = min(found, default=None)
    return smallest if smallest is not None and not any(shows_less(least, smallest) for least in leasts) else None


def shows_less(least: float, constant: float) -> bool:
    """Whether a constant in all logarithms hardly changes one of this number."""
    return least > _HARDLY * constant


def least_logarithm(stage: Stage, loss: LossExpression) -> float:
    """Return the least positive number of which the loss takes the logarithm at a stage; inf for none."""
    found: list[float] = [math.inf]

    def note(argument: Any) -> None:
        values = np.asarray(argument, dtype=float)
        found.append(float(np.min(values, initial=math.inf, where=values > 0)))

    try:
        with _told_of_logarithms(note):
            stage.loss(loss)(stage.parameters)
    except Exception:  # noqa: BLE001 - the user's functions may raise anything
        return math.inf
    return min(found)


@contextmanager
def _told_of_logarithms(note: Any) -> Iterator[None]:
    """Call something with the argument of each logarithm that NumPy and Python take in the block."""
    places = [(np, name) for name in _LOGARITHMS] + [(math, name) for name in _LOGARITHMS]
    saved = [(place, name, getattr(place, name)) for place, name in places]
    for place, name, function in saved:
        setattr(place, name, _telling(function, note))
    try:
        yield
    finally:
        for place, name, function in saved:
            setattr(place, name, function)


def _telling(function: Any, note: Any) -> Any:
    def told(argument: Any, *others: Any, **settings: Any) -> Any:
        with suppress(TypeError, ValueError):
            note(argument)
        return function(argument, *others, **settings)

    return told
