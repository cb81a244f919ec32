"""Whether a training gets anywhere: its loss, from its first recorded rounds to its last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.script.backward import Backward
from gradcheck.script.record import Recording
from gradcheck.script.replay import LossExpression, Stage

# rounds that the loss at the start is averaged over; fewer in all say nothing about where a training goes
_FIRST, _LEAST = 3, 10
# what is left of the loss, above which a training has not got far
_FAR = 0.5
# of the speed at the start, with which a training that has not settled still goes on in its second half
_SAME_PACE = 0.4


def gets_somewhere(recording: Recording, backward: Backward, loss: LossExpression, *, upwards: bool) -> bool:
    """Whether the steps suit the loss: it falls, and does not merely creep at the speed that it began with.

    Parameters
    ----------
    recording : Recording
        What the script's run showed.
    backward : Backward
        The code, with its recorded moments.
    loss : LossExpression
        The loss that the script writes down.
    upwards : bool
        Whether it is to be made large.
    """
    sign = -1.0 if upwards else 1.0
    numbers = np.array([moment.number for moment in backward.moments], dtype=float)
    values = np.array([sign * _value(recording, backward, k, loss) for k in range(len(numbers))])
    if numbers[-1] < _LEAST:
        return True
    start, end = float(np.mean(values[:_FIRST])), float(values[-1])
    if not np.all(np.isfinite(values)) or end >= start:
        return False
    middle = int(np.argmin(np.abs(numbers - numbers[-1] / 2)))
    if start <= 0 or end <= _FAR * start or not 0 < middle < len(numbers) - 1:
        return True
    first = (start - values[middle]) / (numbers[middle] - numbers[0])
    second = (values[middle] - end) / (numbers[-1] - numbers[middle])
    return bool(second <= _SAME_PACE * first)


def _value(recording: Recording, backward: Backward, number: int, loss: LossExpression) -> float:
    stage = Stage(recording, replace(backward, moments=(backward.moments[number],)), backward.moments[number])
    try:
        return float(np.asarray(stage.loss(loss)(stage.parameters), dtype=float).reshape(-1)[0])
    except Exception:  # noqa: BLE001 - the user's functions may raise anything once a training has gone astray
        return float("nan")
