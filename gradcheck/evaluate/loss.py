"""The user's loss, called with one structure of parameters after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.evaluate.calls import Call
from gradcheck.evaluate.displacement import Displacement, Place
from gradcheck.evaluate.params import Parameters
from gradcheck.evaluate.random_state import Randomness
from gradcheck.evaluate.stacking import evaluate_stacked, one_value, stacked, values_of


@dataclass
class Loss:
    """The loss with all that an evaluation needs, so that it can be carried elsewhere.

    Parameters
    ----------
    is_vectorized : bool
        Whether it takes stacked parameters, and returns one number for each.
    """

    call: Call
    randomness: Randomness
    with_gradient: bool = False
    is_vectorized: bool = False

    def at_tree(self, tree: object) -> Any:
        """Return what the loss gives at a structure like the caller's, as it is."""
        if self.is_vectorized:
            return one_value(self.run(self.call, stacked(tree)))
        returned = self.run(self.call, tree)
        return split_pair(returned)[0] if self.with_gradient else returned

    def value_at(self, parameters: Parameters) -> float:
        """Return the loss at parameters as they stand."""
        return scalar(self.at_tree(parameters.tree()))

    def evaluate(self, place: Place, displacements: Sequence[Displacement]) -> list[tuple[float, ...]]:
        """Return what the loss gives at displaced parameters of a place that has this loss."""
        if self.is_vectorized:
            return evaluate_stacked(place, displacements)
        return [displacement(place) for displacement in displacements]

    def values(self, tree: object, count: int) -> npt.NDArray[Any]:
        """Return the loss of a stack, one number for each of its rows."""
        return values_of(self.run(self.call, tree), count)

    def run(self, call: Call, tree: object) -> Any:
        """Call a function of the user's with the random numbers that belong to the loss."""
        if self.randomness.is_frozen:
            self.randomness.rewind()
        return call(tree)


def split_pair(returned: object) -> tuple[Any, Any]:
    """Return value and gradient, or raise InputError if that is not what came back."""
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise InputError(f"with `grad=True` the loss must return (value, gradient), got {_shown(returned)}.")
    return returned[0], returned[1]


def scalar(value: Any) -> float:
    """Return a loss as a float, or raise InputError if it is not one real number."""
    if type(value) is float:
        return value
    if isinstance(value, (tuple, list, dict, str)) or value is None:
        advice = " Pass grad=True if it returns (value, gradient)." if isinstance(value, tuple) else ""
        raise InputError(f"the loss must be one real number, got {_shown(value)}.{advice}")
    array = np.asarray(value)
    if array.size != 1:
        raise InputError(
            f"the loss must be a scalar, got an array of shape {array.shape}. Did you mean its sum or mean?"
        )
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"the loss must be one real number, got {_shown(value)} of type {array.dtype}.")
    return float(array.reshape(-1)[0])


def _shown(value: object) -> str:
    length = f" of length {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    return f"{type(value).__name__}{length}"
