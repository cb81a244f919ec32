"""Parameters that are moved one after the other: the gradient of each is that at the new values of those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import follow
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.perturb import assign
from gradcheck.script.replay.stage import LossExpression, Stage

_MOMENTS, _ENTRIES = 3, 6
# central differences of a smooth loss are good to a tenth of that
_STEP, _AGREEMENT = 6e-6, 1e-4


def follows_in_turn(
    recording: Recording, backward: Backward, pair: GradientMap, losses: Sequence[LossExpression], scale: float
) -> LossExpression | None:
    """Return a loss whose gradient a parameter is moved along, at what the others are just before its own step."""
    if backward.kind is not Kind.CHANGE:
        return None
    alone = replace(backward, pairs=(pair,))
    # a variable was computed before the others were moved; the call that it comes from can be made again
    calls = [replace(loss, text=loss.shown) for loss in losses if not loss.is_implied and loss.shown != loss.text]
    for loss in (*losses, *calls):
        try:
            if all(_agrees(recording, alone, moment, loss, scale) for moment in backward.moments[:_MOMENTS]):
                return loss
        except Exception:  # noqa: BLE001 - a guessed loss may raise anything there
            continue
    return None


def _agrees(recording: Recording, alone: Backward, moment: Call, loss: LossExpression, scale: float) -> bool:
    (pair,) = alone.pairs
    stage = Stage(recording, alone, moment)
    change = np.ravel(stage.gradient()(stage.parameters)[pair.slot.name])
    entries = np.unique(np.linspace(0, change.size - 1, min(_ENTRIES, change.size)).astype(int))
    code = compile(loss.text, "<loss>", "eval", dont_inherit=True)

    def slopes(variables: dict[str, Any], _: Any) -> list[float]:
        holder = stage.now(pair.slot, variables)
        values_now = np.array(holder, dtype=float)
        found = []
        for entry in entries:
            values = []
            for sign in (1, -1):
                moved = values_now.copy()
                step = _STEP * max(1.0, abs(float(moved.flat[entry])))
                moved.flat[entry] += sign * step
                values.append(_value(code, variables, pair, holder, moved))
            found.append((values[0] - values[1]) / (2 * step))
        return found

    numerical = np.array(stage.look_before_change(slopes))
    expected, seen = scale * numerical, change[entries]
    size = float(np.max(np.abs(expected), initial=0.0))
    return size > 0 and bool(np.all(np.abs(seen - expected) <= _AGREEMENT * size))


def _value(code: Any, variables: dict[str, Any], pair: GradientMap, holder: Any, moved: np.ndarray) -> float:
    """Return the loss with another value of one parameter, which lies in its place again afterwards."""
    if isinstance(holder, np.ndarray | list):
        before = np.array(holder, dtype=float)
        assign({"it": holder}, "it", moved)
        try:
            return float(np.asarray(eval(code, dict(variables))).reshape(-1)[0])
        finally:
            assign({"it": holder}, "it", before)
    if pair.slot.path:
        container = follow(variables[pair.slot.variable], pair.slot.path[:-1])
        pair.slot.path[-1].put(container, float(moved))
        try:
            return float(np.asarray(eval(code, dict(variables))).reshape(-1)[0])
        finally:
            pair.slot.path[-1].put(container, holder)
    return float(np.asarray(eval(code, {**variables, pair.slot.variable: float(moved)})).reshape(-1)[0])
