"""Parameters that take on another shape as the script runs: a gradient of the wrong shape was broadcast into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.script.record.run import Call
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.pairing import Slot


def grown(backward: Backward) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the parameters that do not keep their shapes, each with its first shape and its last."""
    found = {}
    for pair in backward.pairs:
        shapes = [shape for moment in backward.moments if (shape := _shape(pair.slot, moment)) is not None]
        if shapes and shapes[-1] != shapes[0] and _broadcasts(shapes[0], shapes[-1]):
            found[pair.slot.name] = shapes[0], shapes[-1]
    return found


def before_growth(backward: Backward) -> Backward:
    """Return the backward with the moments at which its parameters still have the shapes that they began with."""
    slots = {pair.slot.name: pair.slot for pair in backward.pairs}
    first = {name: shape for name, (shape, _) in grown(backward).items()}
    kept = [m for m in backward.moments if all(_shape(slots[name], m) == shape for name, shape in first.items())]
    return replace(backward, moments=tuple(kept))


def fitted(gradients: Mapping[str, Any], parameters: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return gradients in which those that do not fit their parameters are NaN, for parameters of some names."""
    return {
        name: np.full(np.shape(parameters[name]), np.nan)
        if name in names and np.size(value) != np.size(parameters[name])
        else value
        for name, value in gradients.items()
    }


def _shape(slot: Slot, moment: Call) -> tuple[int, ...] | None:
    try:
        shape: tuple[int, ...] = np.shape(slot.at(moment))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    return shape


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False
