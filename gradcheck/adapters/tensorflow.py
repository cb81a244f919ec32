"""Checks TensorFlow code as it is: functions of tensors and variables, ``tf.custom_gradient`` and Keras models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.adapters.compare import examine
from gradcheck.adapters.problem import Settings
from gradcheck.adapters.tensorflow_subject import Subject, in_float64
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError
from gradcheck.evaluate.tracking import Progress


def check(
    function: Callable[..., Any],
    *inputs: Any,
    rtol: float | None = None,
    atol: float | None = None,
    points: int = 1,
    entries: EntriesOption = "auto",
    seed: int = 0,
    curves: bool = False,
    progress: bool | Callable[[Progress], object] = False,
) -> CheckResult:
    """Compare the gradients that ``tf.GradientTape`` computes with central differences.

    Parameters
    ----------
    function : callable
        A function of tensors, decorated with ``tf.custom_gradient``, ``tf.function`` or not, a module or a Keras model.
    *inputs
        What it is called with: tensors, arrays, variables, and containers of these. Floating-point ones are
        differentiated, and so are the trainable variables of a module or a model.
    rtol, atol, points, entries, seed, curves, progress
        As for `gradcheck.check_grad`.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches. Outputs that are no single number are weighted at
        random and summed, twice.

    Raises
    ------
    InputError
        If there is nothing to check. What the user's code raises comes through unchanged.

    Notes
    -----
    A function of tensors is computed in float64, and so is a copy of a Keras model that can be made from its
    configuration. Anything else is checked in its own precision, and a note says so. Variables are as they were.
    """
    if not callable(function):
        raise InputError(f"`function` must be callable, got {type(function).__name__}.")
    settings = Settings(rtol, atol, points, entries, seed, curves, progress)
    doubled = in_float64(function)
    subject = Subject(function if doubled is None else doubled, inputs, double=True)
    said = "variables are coarser than float64"
    try:
        if subject.can_be_double and not (said := _failure(subject)):
            notes = [] if doubled is None else ["a copy of the model in float64 was checked"]
            return examine(subject.problem(), settings, notes=notes)
    finally:
        subject.restore()
    subject = Subject(function, inputs, double=False)
    try:
        note = f"{said}; it was checked in its own precision, in which small mistakes cannot be seen"
        return examine(subject.problem(), settings, notes=[note])
    finally:
        subject.restore()


def _failure(subject: Subject) -> str:
    """Say what is raised in float64; nothing if that works."""
    problem = subject.problem()
    try:
        problem.pull(problem.arrays, [np.ones_like(output) for output in problem.outputs(problem.arrays)])
    except Exception as error:  # noqa: BLE001 - whatever is raised there comes through where it is the user's own
        return f"in float64 the function raises {type(error).__name__}"
    return ""
