"""Evaluates the loss over a sweep of steps, for entries whose central differences are to be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.checker.partial_derivatives import differences_by_step
from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.checker.step_curve import StepCurve
from gradcheck.checker.tolerance import relative_error
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import FloatArray
from gradcheck.numerics.step_size import parameter_scale

# in units of the entry's natural scale, more closely than a power of ten
_RELATIVE_STEPS = np.geomspace(1e-12, 0.3, 19)
# evaluations of the loss that one curve takes, and the number of curves beyond which nobody looks at them
COST, MOST_CURVES = 2 * _RELATIVE_STEPS.size, 12


def with_step_curves(objective: Objective, result: CheckResult, most: int) -> CheckResult:
    """Return a result with the curve of the worst entry for as many of its parameters, the worst of these first."""
    gravity = [(-p.verdict.severity, -np.nan_to_num(p.max_rel_error, nan=np.inf)) for p in result.parameters]
    chosen = set(sorted(range(len(gravity)), key=lambda k: gravity[k])[:most])
    parameters = [
        replace(parameter, curve=_curve(objective, parameter, k)) if k in chosen else parameter
        for k, parameter in enumerate(result.parameters)
    ]
    return replace(result, parameters=tuple(parameters))


def _curve(objective: Objective, parameter: ParameterResult, owner: int) -> StepCurve:
    worst = parameter.worst
    index = int(parameter.indices[worst])
    scale = parameter_scale(objective.probe.leaves[owner].values())[index]
    steps, differences = differences_by_step(objective, owner, index, scale * _RELATIVE_STEPS)
    return StepCurve(index, float(parameter.analytic[worst]), float(parameter.numerical[worst]), steps, differences)


def error_by_step(curve: StepCurve, reference: float) -> FloatArray:
    """Return the relative error of each difference of a curve against a derivative."""
    return relative_error(np.full(curve.steps.shape, reference), curve.differences)
