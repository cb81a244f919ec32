"""Evaluations of a framework's function in batches: whether it can be mapped over stacked arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.adapters.cotangent import cotangent

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

_NUDGE = 1e-3
# how far values in a batch may be from those alone, in units of the machine epsilon and of the largest of an output
_ROUNDINGS = 1e4


def two_points(arrays: Arrays, seed: int) -> list[Arrays]:
    """Return arrays as they are, and moved a little."""
    rng = np.random.default_rng([seed, 11])
    moved = {
        name: (array + _NUDGE * (np.abs(array) + 1e-3) * cotangent(array.shape, rng)).astype(array.dtype)
        for name, array in arrays.items()
    }
    return [arrays, moved]


def objection(
    points: Sequence[Arrays], alone: Sequence[Sequence[Array]], together: Callable[[Arrays], Sequence[Array]]
) -> str | None:
    """Return why a function is not evaluated in batches; None if it can be."""
    stacks = {name: np.stack([point[name] for point in points]) for name in points[0]}
    try:
        found = together(stacks)
    except Exception as error:  # noqa: BLE001 - whatever a function raises that was not written for batches
        said = str(error).strip().partition("\n")[0][:100]
        return f"it raises {type(error).__name__} there ({said})"
    for row, outputs in enumerate(alone):
        if len(outputs) != len(found) or not all(_same(f[row], o) for f, o in zip(found, outputs, strict=True)):
            return "it gives other values there"
    return None


def not_batched(why: str) -> str:
    """Return the note on a function that was evaluated once per call, although batches were asked for."""
    return f"the function cannot be evaluated under vmap: {why}; it was called once for each evaluation"


def padded(count: int) -> int:
    """Return the size of the batch in which so many rows are evaluated.

    There are few sizes, as a framework may compile its operations for each of them.
    """
    size = 1
    while size < count:
        size *= 4
    return size


def _same(found: Array, expected: Array) -> bool:
    if found.shape != expected.shape:
        return False
    size = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    allowed = _ROUNDINGS * float(np.finfo(expected.dtype).eps) * size
    return bool(np.allclose(found, expected, rtol=0, atol=allowed, equal_nan=True))
