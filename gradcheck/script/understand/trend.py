"""Whether a training gets anywhere: its loss, from its first recorded round to its last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.numerics.arrays import FloatArray
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.understand.losses import goes_on

# fewer rounds say nothing about where a training goes
_FIRST, _LEAST = 3, 10
# what is left of the loss, above which a training has not got far
_FAR = 0.5
# of the speed at the start, with which a training that has not settled still goes on in its second half
_SAME_PACE = 0.4


@dataclass(frozen=True)
class Course:
    """Where a training goes.

    Attributes
    ----------
    diverges : bool
        Whether its loss ends above where it began, or is not finite.
    creeps : bool
        Whether it ends not far below, and still goes on at the speed that it began with.
    """

    diverges: bool = False
    creeps: bool = False


def course_of(recording: Recording, backward: Backward, loss: LossExpression, *, upwards: bool) -> Course:
    """Return where the training goes, as far as its recorded rounds show: by the loss over the data of all of them.

    That of a single sample says little, as the next one has another.
    """
    moments = backward.moments
    if len(moments) < _FIRST or goes_on(backward, loss.text):
        return Course()
    numbers = np.array([moment.number for moment in moments], dtype=float)
    middle = int(np.argmin(np.abs(numbers - numbers[-1] / 2)))
    sign = -1.0 if upwards else 1.0
    start, half, end = sign * _means(recording, backward, (0, middle, len(moments) - 1), loss)
    if not np.isfinite(end) or end >= start:
        return Course(diverges=True, creeps=bool(np.isfinite(end)))
    if numbers[-1] < _LEAST or start <= 0 or end <= _FAR * start or not 0 < middle < len(moments) - 1:
        return Course()
    first = (start - half) / (numbers[middle] - numbers[0])
    second = (half - end) / (numbers[-1] - numbers[middle])
    return Course(creeps=bool(second > _SAME_PACE * first))


def _means(recording: Recording, backward: Backward, numbers: Sequence[int], loss: LossExpression) -> FloatArray:
    """Return the loss at the parameters of some moments, over the data of all."""
    stages = (_stage(recording, backward, backward.moments[number]) for number in numbers)
    places = [{name: np.array(value) for name, value in stage.parameters.items()} for stage in stages]
    found = []
    for moment in backward.moments:
        stage = _stage(recording, backward, moment)
        found.append([_value(stage, loss, parameters) for parameters in places])
    return np.asarray(np.mean(found, axis=0))


def _value(stage: Stage, loss: LossExpression, parameters: Mapping[str, Any]) -> float:
    try:
        return float(np.asarray(stage.loss(loss)(parameters), dtype=float).reshape(-1)[0])
    except Exception:  # noqa: BLE001 - the user's functions may raise anything once a training has gone astray
        return float("nan")


def _stage(recording: Recording, backward: Backward, moment: Call) -> Stage:
    return Stage(recording, replace(backward, moments=(moment,)), moment)
