"""Errors that vanish with the step: something is used after it was moved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.checker.result import ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.script.check.point import Point, staged
from gradcheck.script.record.leaves import Leaf, Step, follow, leaves
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.source.names import base_name, is_step_size
from gradcheck.script.understand.scale import Scale
from gradcheck.script.understand.subject import Subject

# how much smaller the step is made, and how much smaller the error has to become
SMALLER, _VANISHED = 1e-3, 1e-2


def vanishing(recording: Recording, subject: Subject, points: Sequence[Point]) -> frozenset[str]:
    """Return the parameters whose gradients are right when the script's step is made small."""
    scale, backward = subject.scale, subject.backward
    wrong = {p.name for point in points for p in point.result.parameters if p.verdict is Verdict.MISMATCH}
    if not scale.applied:
        return frozenset()
    for point in points:
        with (
            _with_small_steps(point.moment, scale) as moment,
            staged(recording, backward, replace(point, moment=moment)) as stage,
        ):
            gradients = stage.gradient()(stage.parameters)
        for parameter in point.result.parameters:
            gradient = np.asarray(gradients[parameter.name]).reshape(-1) / (scale.value * SMALLER)
            if parameter.verdict is Verdict.MISMATCH and not _vanishes(parameter, gradient):
                wrong.discard(parameter.name)
    return frozenset(wrong)


def _vanishes(parameter: ParameterResult, gradient: np.ndarray[Any, Any]) -> bool:
    before = float(np.linalg.norm(parameter.analytic - parameter.numerical))
    after = float(np.linalg.norm(gradient[parameter.indices] - parameter.numerical))
    return after <= _VANISHED * before


@contextmanager
def _with_small_steps(moment: Call, scale: Scale) -> Iterator[Call]:
    """Return a moment in which whatever is called like the step and is as large is small, for the time of the block."""
    arguments, variables = dict(moment.arguments), dict(moment.variables)
    places = []
    for root in (arguments, variables):
        for name, value in root.items():
            for leaf in leaves(name, value):
                if _is_step(leaf, scale):
                    *way, last = (Step(name, attribute=False), *leaf.path)
                    places.append((follow(root, tuple(way)), last, leaf.value))
    try:
        for holder, last, value in places:
            last.put(holder, value * SMALLER)
        yield replace(moment, arguments=arguments, variables=variables)
    finally:
        for holder, last, value in places:
            last.put(holder, value)


def _is_step(leaf: Leaf, scale: Scale) -> bool:
    name = base_name(leaf.name)
    called = name == base_name(scale.text.lstrip("-")) if scale.text else is_step_size(name)
    return called and not leaf.shape and leaf.replaceable and math.isclose(leaf.value, abs(scale.value))
