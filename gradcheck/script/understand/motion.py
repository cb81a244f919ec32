"""How the script moved its parameters with what the backward function returned: observed, not read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.numerics.arrays import FloatArray
from gradcheck.script.record.leaves import follow
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.record.wrapped import aligned
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.source.syntax import Function
from gradcheck.script.source.updates import Motion

_ALONG, _PROPORTIONAL = 0.3, 1e-6


def motion_of(recording: Recording, function: Function, moments: tuple[Call, ...], pair: GradientMap) -> Motion:
    """Compare a parameter's first changes with the first gradients that were returned for it."""
    seen = {moment.number: moment for moment in moments}
    changes, returned, afterwards = [], [], []
    for call in recording.of(function.name):
        if call.number in seen and call.number + 1 in seen:
            try:
                first, then = (pair.slot.at(seen[n]) for n in (call.number, call.number + 1))
                found = follow(call.result, pair.output.leaf.path)
                before, after, gradient = (
                    np.asarray(aligned(value, first), dtype=float).reshape(-1) for value in (first, then, found)
                )
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                continue
            if before.size == after.size == gradient.size:
                changes.append(after - before)
                returned.append(gradient)
                afterwards.append(after)
    if not changes:
        return Motion()
    change, value = np.concatenate(changes), np.concatenate(returned)
    is_value = bool(np.any(change)) and np.array_equal(np.concatenate(afterwards), value)
    return replace(compared(change, value), is_value=is_value)


def slot_value(moment: Call, slot: Slot) -> FloatArray:
    """Return the entries that lay in a slot at a recorded moment."""
    return np.asarray(slot.at(moment), dtype=float).reshape(-1)


def compared(change: FloatArray, returned: FloatArray) -> Motion:
    """Return how a change of a parameter lies to what is its gradient for the script."""
    size = float(np.linalg.norm(change) * np.linalg.norm(returned))
    if not np.isfinite(size) or size == 0:
        return Motion()
    product = float(change @ returned)
    sign = int(np.sign(product)) if abs(product) > _ALONG * size else 0
    factor = product / float(returned @ returned)
    rest = float(np.linalg.norm(change - factor * returned))
    return Motion(sign, factor if rest <= _PROPORTIONAL * float(np.linalg.norm(change)) else None)
