"""A framework's function as the core sees it: named arrays, outputs, and what the framework says of its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.adapters.batching import objection, two_points
from gradcheck.adapters.cotangent import cotangent
from gradcheck.checker.options import EntriesOption
from gradcheck.errors import InputError
from gradcheck.evaluate.tracking import Progress

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

_NUDGE = 1e-3


@dataclass(frozen=True)
class Settings:
    """Options of the core that a comparison is made with; see `gradcheck.check_grad`."""

    rtol: float | None = None
    atol: float | None = None
    points: int = 1
    entries: EntriesOption = "auto"
    seed: int = 0
    curves: bool = False
    progress: bool | Callable[[Progress], object] = False
    vectorized: bool = False


@dataclass(frozen=True)
class Problem:
    """A function of named real arrays with real outputs.

    Parameters
    ----------
    arrays : dict of arrays
        Where it is checked; private arrays that can be written.
    outputs : callable
        Returns the outputs at arrays.
    pull : callable
        Returns the gradient, at arrays, of outputs that are weighted and summed: reverse mode.
    push : callable or None
        Returns the derivatives of the outputs, at arrays, along tangents: forward mode.
    derived : callable or None
        Returns the function whose outputs are the first derivatives of this one, for weights.
    stacked : callable or None
        Returns the outputs, each with a new first axis, at arrays that are stacked along such an axis.
    """

    arrays: Arrays
    outputs: Callable[[Arrays], list[Array]]
    pull: Callable[[Arrays, Sequence[Array]], Arrays]
    push: Callable[[Arrays, Arrays], list[Array]] | None = None
    derived: Callable[[Sequence[Array]], Problem] | None = None
    stacked: Callable[[Arrays], list[Array]] | None = None


class Weighted:
    """The outputs of a problem as one number, for two sets of random weights.

    Parameters
    ----------
    problem : Problem
        The function.
    seed : int
        Seed of the weights.

    Attributes
    ----------
    is_single : bool
        Whether the outputs have no more digits than single precision has.
    is_one_number : bool
        Whether there is one output, a scalar; its first weight is 1.

    Raises
    ------
    InputError
        If there is nothing to differentiate.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self._first = problem.outputs(problem.arrays)
        require_outputs(self._first)
        self.is_one_number = len(self._first) == 1 and self._first[0].size == 1
        self.is_single = any(output.dtype.itemsize < 8 for output in self._first) or self._has_few_digits()

    def weights(self, number: int) -> list[Array]:
        """Return the weights of one set: of one magnitude over all outputs, and 1 for a loss in the first set."""
        if self.is_one_number and number == 0:
            return [np.ones(self._first[0].shape)]
        rng = np.random.default_rng([self._seed, number])
        found = []
        for output in self._first:
            weight = cotangent(output.shape, rng) / _size(output)
            # what is left of a sum in which most cancels has fewer digits than its type says
            found.append(np.copysign(weight, output) if self.is_single else weight)
        return found

    def sum(self, outputs: Sequence[Array], weights: Sequence[Array]) -> float:
        """Return the weighted sum of outputs or of their derivatives."""
        pairs = zip(outputs, weights, strict=True)
        return float(sum(np.sum(np.asarray(output, dtype=np.float64) * weight) for output, weight in pairs))

    def loss(self, arrays: Arrays, weights: Sequence[Array]) -> float | np.float32:
        """Return the weighted outputs at arrays, in the precision that they have."""
        self._forbid_other_types(arrays)
        value = self.sum(self._problem.outputs(arrays), weights)
        return np.float32(value) if self.is_single else value

    def losses(self, arrays: Arrays, weights: Sequence[Array]) -> Array:
        """Return the weighted outputs at arrays that are stacked, one number for each row."""
        self._forbid_other_types(arrays)
        stacked = self._problem.stacked
        assert stacked is not None, "asked for batches only where there are some"
        rows = len(next(iter(arrays.values())))
        outputs = [np.asarray(output, dtype=np.float64).reshape(rows, -1) for output in stacked(arrays)]
        products = [output * weight.reshape(-1) for output, weight in zip(outputs, weights, strict=True)]
        values: Array = np.sum([product.sum(axis=1) for product in products], axis=0)
        return values.astype(np.float32) if self.is_single else values

    def objection(self) -> str | None:
        """Return why the problem is not evaluated in batches; None if it can be."""
        problem = self._problem
        if problem.stacked is None:
            return "batches are not available for it"
        points = two_points(problem.arrays, self._seed)
        return objection(points, [self._first, problem.outputs(points[1])], problem.stacked)

    def _forbid_other_types(self, arrays: Arrays) -> None:
        mine = self._problem.arrays
        if any(np.asarray(arrays[name]).dtype != mine[name].dtype for name in mine):
            # what the function would round by itself must not stand in for what it is given
            raise InputError("arrays of the same types were expected.")

    def _has_few_digits(self) -> bool:
        """Tell whether outputs that move with the arrays have no more bits than single precision has."""
        rng = np.random.default_rng(self._seed)
        moved = {
            name: array + _NUDGE * (np.abs(array) + 1e-3) * cotangent(array.shape, rng)
            for name, array in self._problem.arrays.items()
        }
        others = self._problem.outputs(moved)
        if [other.shape for other in others] != [first.shape for first in self._first]:
            return False
        parts = [other[other != first] for other, first in zip(others, self._first, strict=True)]
        with np.errstate(over="ignore"):
            coarse = [bool(np.all(part == part.astype(np.float32))) for part in parts if part.size]
        return bool(coarse) and all(coarse) and sum(part.size for part in parts) > 1


def require_outputs(outputs: Sequence[Array]) -> None:
    """Raise InputError unless there are outputs that can be differentiated."""
    if not sum(output.size for output in outputs):
        raise InputError("the function must return floating-point numbers, and it returned none.")
    half = [str(output.dtype) for output in outputs if output.dtype.itemsize < 4]
    if half:
        raise InputError(
            f"the function returns {half[0]} numbers, too coarse to be checked: let it compute in float32."
        )


def _size(output: Array) -> float:
    """Return the typical magnitude of an output, 1 where there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.sqrt(np.mean(np.square(output, dtype=np.float64)))) if output.size else 1.0
    return size if 0 < size < np.inf else 1.0


def settled_modes(modes: Sequence[str], order: int) -> tuple[str, ...]:
    """Return the modes, or raise InputError where a mode or the order is none."""
    if isinstance(modes, str) or not modes or not set(modes) <= {"rev", "fwd"}:
        raise InputError(f"`modes` must be some of 'rev' and 'fwd', as in ('rev',), got {modes!r}.")
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise InputError(f"`order` must be an integer of at least 1, got {order!r}.")
    return tuple(modes)


def settled_argnums(argnums: int | Sequence[int] | None, count: int, fixed: Sequence[int] = ()) -> list[int]:
    """Return which of `count` arguments are differentiated: those the user has named, else all that are not `fixed`.

    Raises
    ------
    InputError
        If the user has named others than there are.
    """
    if argnums is None:
        return [i for i in range(count) if i not in fixed]
    given = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(isinstance(i, int) and -count <= i < count for i in given):
        raise InputError(f"`argnums` must be positions of the {count} arguments, got {argnums!r}.")
    return [i % count for i in given]
