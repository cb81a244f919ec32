"""The error of central differences against their step, as a chart."""

from __future__ import annotations

import numpy as np

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.checker.step_curve import StepCurve
from gradcheck.checker.step_sweep import error_by_step
from gradcheck.numerics.arrays import FloatArray
from gradcheck.report.page.axis import Axis
from gradcheck.report.page.chart import Chart, Frame, Label, Line
from gradcheck.report.page.words import place, rough

_WIDTH, _HEIGHT, _TOP = 360, 330, 52
# a difference of nothing has no logarithm; it is drawn at the round-off of a number
_LEAST = 1e-17


def sweep(parameter: ParameterResult) -> Chart | None:
    """Return the chart of a parameter's curve; None where there is none, or nothing of it is finite."""
    curve = parameter.curve
    if curve is None:
        return None
    errors = {
        "numerical": error_by_step(curve, curve.numerical),
        "analytic": error_by_step(curve, curve.analytic),
    }
    known = np.concatenate([error[np.isfinite(error)] for error in errors.values()])
    if not known.size or curve.steps.size < 2:
        return None
    y = Axis.logarithmic(max(float(known.min()), _LEAST), max(float(known.max()), 10 * _LEAST))
    x = Axis.logarithmic(float(curve.steps[0]), float(curve.steps[-1]))
    frame = Frame(_WIDTH, _HEIGHT, 16, x, y, _TOP)
    steps = [float(step) for step in curve.steps]
    lines = [
        Line(frame.path(steps, [float(e) if np.isfinite(e) else None for e in error]), name, _NAMES[name])
        for name, error in errors.items()
    ]
    entry = place(parameter.name, _index(parameter, curve))
    return frame.chart(
        "step of the central difference",
        "relative difference",
        f"Central differences of {entry} at many steps, against its two derivatives",
        _text(parameter, entry, errors),
        lines=lines,
        labels=_legend(frame),
    )


_NAMES = {"numerical": "from the numerical value", "analytic": "from the analytic value"}


def _legend(frame: Frame) -> list[Label]:
    return [
        Label(str(frame.left + 34), str(16 + 19 * k), said, f"key {name}", "start")
        for k, (name, said) in enumerate(_NAMES.items())
    ]


def _index(parameter: ParameterResult, curve: StepCurve) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(curve.index, parameter.shape)) if parameter.shape else ()


def _text(parameter: ParameterResult, entry: str, errors: dict[str, FloatArray]) -> str:
    least = {name: float(np.nanmin(error)) if np.isfinite(error).any() else np.inf for name, error in errors.items()}
    near, far = rough(least["numerical"]), rough(least["analytic"])
    said = f"The central difference of {entry} comes within {near} of the numerical value"
    if parameter.verdict is Verdict.MISMATCH:
        return (
            f"{said}, and at no step closer than {far} to the analytic one: no choice of the step makes this gradient "
            "right."
        )
    if parameter.verdict is Verdict.MATCH:
        return (
            f"{said} and {far} of the analytic one. Towards long steps the truncation error grows, towards short ones "
            "the round-off error."
        )
    return f"{said} and {far} of the analytic one; that decides nothing."
