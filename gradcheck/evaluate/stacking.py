"""Losses that take many parameters at once: displaced ones are stacked along a new first axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import InputError
from gradcheck.evaluate.containers import children, like, number_shape
from gradcheck.evaluate.displacement import Displacement, Place

# rows of a stack: by their number, and by the bytes of their parameters
_MOST_ROWS, _MOST_BYTES = 256, 2**26


def stacked(tree: Any) -> Any:
    """Return a structure with a new first axis of length 1 in each of its parameters."""
    if isinstance(tree, np.ndarray):
        return tree[None]
    below = children(tree)
    if below is None:
        return np.asarray(tree)[None]
    if isinstance(tree, list) and number_shape(tree) is not None:
        return np.asarray(tree)[None]
    return like(tree, [(step, stacked(child)) for step, child in below])


def one_value(returned: Any) -> Any:
    """Return the loss of a stack of one."""
    return values_of(returned, 1)[0]


def values_of(returned: Any, count: int) -> npt.NDArray[Any]:
    """Return the losses of a stack, one for each row."""
    values = np.asarray(returned)
    if values.shape != (count,) or values.dtype.kind not in "fiuc":
        raise InputError(
            f"with `vectorized` the loss must return one number for each of {count} stacked parameters, an array of "
            f"shape ({count},), got shape {values.shape} of type {values.dtype}."
        )
    return values


def evaluate_stacked(place: Place, displacements: Sequence[Displacement]) -> list[tuple[float, ...]]:
    """Return what the loss gives at displaced parameters, several of them in each call."""
    rows = _rows_of(place)
    found: list[tuple[float, ...]] = []
    batch: list[Displacement] = []
    for displacement in displacements:
        if batch and sum(one.cost for one in batch) + displacement.cost > rows:
            found += _evaluate(place, batch)
            batch = []
        batch.append(displacement)
    return found + (_evaluate(place, batch) if batch else [])


def _rows_of(place: Place) -> int:
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in place.probe.leaves)
    return int(min(_MOST_ROWS, max(_MOST_BYTES // size, 2)))


def _evaluate(place: Place, batch: Sequence[Displacement]) -> list[tuple[float, ...]]:
    count = sum(displacement.cost for displacement in batch)
    leaves = place.probe.leaves
    stacks = [np.repeat(leaf.stored()[None], count, axis=0) for leaf in leaves]
    widths: list[tuple[float, ...]] = []
    row = 0
    for displacement in batch:
        widths.append(displacement.place_in([stack[row : row + displacement.cost] for stack in stacks]))
        row += displacement.cost
    shaped = [stack.reshape(count, *leaf.shape) for stack, leaf in zip(stacks, leaves, strict=True)]
    values = place.values(place.probe.stack(shaped), count)
    ends = np.cumsum([displacement.cost for displacement in batch])
    parts = np.split(values, ends[:-1])
    return [(*map(float, part), *width) for part, width in zip(parts, widths, strict=True)]
