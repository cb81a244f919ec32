"""How the differences of a script's worst entries depend on their steps: for pictures, where they are asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from gradcheck.checker.step_sweep import COST, MOST_CURVES, with_step_curves
from gradcheck.evaluate.objective import Objective
from gradcheck.script.check.point import Point, staged
from gradcheck.script.check.points import Examined
from gradcheck.script.request import Request

# of the time limit
_SHARE_OF_CURVES = 0.1
# unit round-off below which a loss was computed in double precision
_DOUBLE = 1e-12


def with_curves(models: Sequence[Examined], request: Request) -> list[Examined]:
    """Return what was examined, with curves where they are asked for."""
    if not request.curves:
        return list(models)
    return [_at_worst(examined, _SHARE_OF_CURVES * request.seconds / len(models)) for examined in models]


def _at_worst(examined: Examined, seconds: float) -> Examined:
    """Return what was examined, with curves at its worst point; without them where something speaks against it."""
    points = list(examined.points)
    worst = max(range(len(points)), key=lambda k: points[k].result.verdict.severity)
    try:
        points[worst] = _with_curves(examined, points[worst], seconds)
    except Exception:  # noqa: BLE001 - the script's functions may raise anything, and a picture is not worth a verdict
        return examined
    return replace(examined, points=tuple(points))


def _with_curves(examined: Examined, point: Point, seconds: float) -> Point:
    subject = examined.subject
    with ExitStack() as stack:
        stage = stack.enter_context(staged(examined.recording, subject.backward, point))
        if subject.backward.is_narrow and point.result.noise.unit_roundoff < _DOUBLE:
            stack.enter_context(stage.in_double_precision())
        objective = Objective(stage.loss(subject.loss), stage.parameters, ())
        stack.callback(objective.restore)
        began = time.perf_counter()
        objective.reference(objective.start())
        each = (time.perf_counter() - began) / objective.evaluations
        most = int(min(seconds / (COST * each), MOST_CURVES))
        with np.errstate(all="ignore"):
            return replace(point, result=with_step_curves(objective, point.result, most))
