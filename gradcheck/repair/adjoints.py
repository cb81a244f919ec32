"""Values of the way back that are proved right: derivatives of the loss with respect to values of the way forward."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.repair.bench import Trial
from gradcheck.repair.budget import Share
from gradcheck.repair.influence import Influence

_DIRECTIONS, _STEP, _SAME = 2, 1e-5, 1e-5
# loss evaluations are spent on so many values at most
_MOST = 40
# a way forward may be gone twice, for the loss and for the gradients
_OFTEN = 3

Array = np.ndarray[Any, Any]


def proved_right(trial: Trial, found: Sequence[Influence], scale: float, share: Share) -> dict[int, frozenset[int]]:
    """Return the sites of the way back whose values are derivatives of the loss, each with the sites of these values.

    Compared along random directions: a value of the way back, with the numerical derivative of the loss when a value
    of the same shape on the way forward is moved that way. The lines of such values are not to blame.
    """
    values = _values(trial, [i.site.number for i in found if i.rounds <= _OFTEN])
    back = {i.site.number for i in found if not i.loss and i.gradients and i.site.number in values}
    forward = [i.site.number for i in found if i.loss and i.rounds <= _OFTEN]
    slopes = numerical_slopes(trial, forward, {values[number].shape for number in back}, share)
    right: dict[int, frozenset[int]] = {}
    for number, own in slopes.items():
        for other in back:
            if is_derivative(values[other], own, scale):
                right[other] = right.get(other, frozenset()) | {number}
    return right


@dataclass(frozen=True)
class Slopes:
    """How the loss changes as a value of the way forward is moved along random directions."""

    directions: tuple[Array, ...]
    values: Array


def numerical_slopes(
    trial: Trial, numbers: Sequence[int], shapes: Collection[tuple[int, ...]] | None, share: Share
) -> dict[int, Slopes]:
    """Return the derivatives of the loss with respect to sites of the way forward whose values have some shapes.

    Parameters
    ----------
    shapes : collection of tuple of int or None
        The shapes; None for all.
    """
    values = _values(trial, numbers)
    slopes: dict[int, Slopes] = {}
    for number in [n for n in values if shapes is None or values[n].shape in shapes][:_MOST]:
        if share.is_spent:
            break
        directions = _directions(values[number].shape)
        along = np.array([_slope(trial, number, values[number], direction) for direction in directions])
        if np.all(np.isfinite(along)) and np.any(along):
            slopes[number] = Slopes(tuple(directions), along)
    return slopes


def is_derivative(value: Array, slopes: Slopes, scale: float) -> bool:
    """Whether an array is what the loss changes by, or as much times what the script's gradients are multiplied by."""
    if value.shape != slopes.directions[0].shape:
        return False
    along = np.array([float(np.sum(value * direction)) for direction in slopes.directions])
    size = float(np.max(np.abs(slopes.values)))
    return any(bool(np.max(np.abs(along / s - slopes.values)) <= _SAME * size) for s in {1.0, scale})


def _values(trial: Trial, numbers: Sequence[int]) -> dict[int, Array]:
    """Return the values of sites; those that have another one each time are left out."""
    wanted, kept = set(numbers), dict[int, Array]()

    def keep(number: int, value: Any) -> Any:
        if number in wanted and isinstance(value, float | np.floating | np.ndarray):
            array = np.array(value)
            if array.dtype.kind != "f" or (number in kept and not np.array_equal(kept[number], array)):
                wanted.discard(number)
            else:
                kept[number] = array
        return value

    trial.gradients(tap=keep)
    # the loss may be computed by other code than the gradients
    missing = wanted - set(kept)
    if missing:
        trial.loss(lambda number, value: keep(number, value) if number in missing else value)
    return {number: value for number, value in kept.items() if number in wanted}


def _directions(shape: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [np.asarray(rng.standard_normal(shape)) for _ in range(_DIRECTIONS)]


def _slope(trial: Trial, number: int, value: Array, direction: Array) -> float:
    step = _STEP * max(float(np.mean(np.abs(value))), 0.1)

    def moving(by: float) -> Callable[[int, Any], Any]:
        return lambda n, own: own + by * direction if n == number else own

    above, below = trial.loss(moving(step)), trial.loss(moving(-step))
    return float("nan") if above is None or below is None else (above - below) / (2 * step)
