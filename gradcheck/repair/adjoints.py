"""Values of the way back that are proved right: derivatives of the loss with respect to values of the way forward."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.repair.bench import Trial
from gradcheck.repair.influence import Influence

_DIRECTIONS, _STEP, _SAME = 2, 1e-5, 1e-5
# loss evaluations are spent on so many values at most
_MOST = 40

Array = np.ndarray[Any, Any]


def proved_right(trial: Trial, found: Sequence[Influence], scale: float, deadline: float) -> frozenset[int]:
    """Return the sites of the way back whose values are derivatives of the loss, as they should be.

    Compared along random directions: a value of the way back, with the numerical derivative of the loss when a value
    of the same shape on the way forward is moved that way. The lines of such values are not to blame.

    Parameters
    ----------
    trial : Trial
        The text at a point.
    found : sequence of Influence
        The sites.
    scale : float
        What the gradients are multiplied by.
    deadline : float
        When to stop.
    """
    values = _values(trial, [i.site.number for i in found if i.rounds == 1])
    back = {i.site.number for i in found if not i.loss and i.gradients and i.site.number in values}
    shapes = {values[number].shape for number in back if values[number].size > 1 or values[number].ndim == 0}
    forward = [i.site.number for i in found if i.loss and i.site.number in values]
    right: set[int] = set()
    for number in [n for n in forward if values[n].shape in shapes][:_MOST]:
        if time.monotonic() > deadline:
            break
        directions = _directions(values[number].shape)
        slopes = np.array([_slope(trial, number, values[number], direction) for direction in directions])
        size = float(np.max(np.abs(slopes), initial=0.0))
        if not np.isfinite(size) or size == 0:
            continue
        for other in back:
            if values[other].shape == values[number].shape:
                along = np.array([float(np.sum(values[other] * direction)) for direction in directions])
                if any(np.max(np.abs(along / s - slopes)) <= _SAME * size for s in {1.0, scale}):
                    right.add(other)
    return frozenset(right)


def _values(trial: Trial, numbers: Sequence[int]) -> dict[int, Array]:
    wanted, kept = set(numbers), {}

    def keep(number: int, value: Any) -> Any:
        if number in wanted and isinstance(value, float | np.floating | np.ndarray):
            array = np.array(value)
            if array.dtype.kind == "f":
                kept[number] = array
        return value

    trial.gradients(tap=keep)
    return kept


def _directions(shape: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [np.asarray(rng.standard_normal(shape)) for _ in range(_DIRECTIONS)]


def _slope(trial: Trial, number: int, value: Array, direction: Array) -> float:
    step = _STEP * max(float(np.mean(np.abs(value))), 0.1)

    def moving(by: float) -> Callable[[int, Any], Any]:
        return lambda n, own: own + by * direction if n == number else own

    above, below = trial.loss(moving(step)), trial.loss(moving(-step))
    return float("nan") if above is None or below is None else (above - below) / (2 * step)
