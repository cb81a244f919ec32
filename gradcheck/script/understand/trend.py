"""Whether a training gets anywhere: its loss, from its first recorded rounds to its last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.understand.losses import goes_on

# rounds that the loss at the start is averaged over; fewer in all say nothing about where a training goes
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
    """Return where the training goes, as far as its recorded rounds show."""
    sign = -1.0 if upwards else 1.0
    numbers = np.array([moment.number for moment in backward.moments], dtype=float)
    values = np.array([sign * _value(recording, backward, k, loss) for k in range(len(numbers))])
    if len(numbers) < _FIRST or goes_on(backward, loss.text):
        return Course()
    start, end = float(np.mean(values[:_FIRST])), float(values[-1])
    if not np.all(np.isfinite(values)) or end >= start:
        return Course(diverges=True, creeps=bool(np.all(np.isfinite(values))))
    if numbers[-1] < _LEAST:
        return Course()
    middle = int(np.argmin(np.abs(numbers - numbers[-1] / 2)))
    if start <= 0 or end <= _FAR * start or not 0 < middle < len(numbers) - 1:
        return Course()
    first = (start - values[middle]) / (numbers[middle] - numbers[0])
    second = (values[middle] - end) / (numbers[-1] - numbers[middle])
    return Course(creeps=bool(second > _SAME_PACE * first))


def _value(recording: Recording, backward: Backward, number: int, loss: LossExpression) -> float:
    stage = Stage(recording, replace(backward, moments=(backward.moments[number],)), backward.moments[number])
    try:
        return float(np.asarray(stage.loss(loss)(stage.parameters), dtype=float).reshape(-1)[0])
    except Exception:  # noqa: BLE001 - the user's functions may raise anything once a training has gone astray
        return float("nan")
