"""The public functions: compare a gradient with central differences of the loss, or return these alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checker.entries import Entries
from gradcheck.checker.failure import failure_message
from gradcheck.checker.options import EntriesOption, Options
from gradcheck.checker.partial_derivatives import partial_derivatives
from gradcheck.checker.points import check_points
from gradcheck.checker.result import CheckResult
from gradcheck.checker.step_sweep import MOST_CURVES, with_step_curves
from gradcheck.errors import GradientMismatch, InputError
from gradcheck.evaluate.objective import Objective
from gradcheck.evaluate.tracking import Progress
from gradcheck.numerics.arrays import BoolArray, FloatArray
from gradcheck.numerics.finite_difference import Derivative


def check_grad(
    loss: Callable[..., Any],
    grad: object,
    params: object,
    *,
    args: Sequence[object] = (),
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "auto",
    points: int = 1,
    entries: EntriesOption = "auto",
    workers: Any = None,
    vectorized: bool = False,
    max_evals: int | None = None,
    timeout: float | None = None,
    resume: str | Path | None = None,
    progress: bool | Callable[[Progress], object] = False,
    seed: int = 0,
    curves: bool = False,
) -> CheckResult:
    """Compare an analytic gradient with central differences of the loss.

    Parameters
    ----------
    loss : callable
        Returns the loss, a real scalar.
    grad : callable, True or gradient
        A callable with the same call that returns the gradient; True if `loss` returns ``(value, gradient)``; or the
        gradient itself. It has the structure and shapes of `params`; names may be decorated (``dW1``, ``grad_W1``).
    params : array, float, tuple, list, mapping or dataclass
        Where to check. A tuple or list is passed as ``loss(*params, *args)``, or as one argument where `loss` takes
        only that. A mapping is passed by keyword where the signature names its keys, otherwise as the first
        argument, as is everything else. Containers may be nested. Arrays are perturbed in place, one entry at a time,
        and come back bit for bit, also after an exception.
    args : sequence
        Further positional arguments of `loss` and `grad`.
    rtol, atol : float, optional
        Tolerances; by default rtol is that of the coarsest floating-point type involved (1e-5 for float64) and atol
        is 0. See `gradcheck.checker.tolerance.Tolerance`.
    method : {"auto", "central", "complex"}
        How the loss is differentiated: by central differences. "complex" replaces these by the complex step wherever
        they confirm it, "auto" only where they are too coarse for a verdict, "central" never.
    points : int
        Number of points. The first is `params`; at the others all parameters are perturbed at random. Needs a `grad`
        that can be evaluated.
    entries : {"auto", "all"} or int
        Largest number of entries to compare one by one per parameter, drawn at random where there are more. "auto"
        compares every entry up to 2,000 in all; beyond that, whole parameters are compared along random directions,
        and the wrong entries of those that are wrong are located.
    workers : int, callable or object with a method ``map``, optional
        Where the loss is evaluated: in so many processes (through joblib, whose ``parallel_config`` says which kind),
        by something that works like `map`, or by a pool, an executor or a Dask client. It pays for losses that take
        a millisecond or more; rounds of evaluations that are shorter are not sent.
    vectorized : bool
        Whether `loss` takes stacked parameters, each with a new first axis (a number becomes an array of shape (n,)),
        and returns the n losses: it is called once for up to 256 evaluations then. `grad` is called as ever.
    max_evals, timeout : int, float, optional
        Largest number of evaluations of the loss, and of seconds; checked between evaluations. What could not be
        decided by then is inconclusive, with the reason "limit".
    resume : str or Path, optional
        A file into which every evaluation is written, and from which those of an earlier run are taken: a long check
        that was broken off, or had reached its limits, goes on where it was.
    progress : bool or callable
        Who is told how far the check is, a few times per second: a function that takes a `gradcheck.Progress`. True
        shows a line on standard error after two seconds, where that is a terminal.
    seed : int
        Seed of the random entries and points.
    curves : bool
        Whether to sweep the step of the worst entry of each parameter (of the dozen worst, where there are more), for
        the pictures of ``result.plot()``; that takes 38 evaluations each.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches.

    Raises
    ------
    InputError
        If the input cannot be checked. What `loss` and `grad` raise comes through unchanged.
    WorkerError
        If workers give no answer, or another one than this process.

    Examples
    --------
    >>> import numpy as np
    >>> check_grad(lambda x: np.sum(x**3), lambda x: 3 * x**2, np.array([1.0, 2.0])).passed
    True
    """
    options = Options.validated(
        rtol=rtol,
        atol=atol,
        method=method,
        points=points,
        entries=entries,
        workers=workers,
        vectorized=vectorized,
        max_evals=max_evals,
        timeout=timeout,
        resume=resume,
        progress=progress,
        seed=seed,
    )
    return check_with(options, loss, grad, params, args, curves=curves)


def check_with(
    options: Options,
    loss: Callable[..., Any],
    grad: object,
    params: object,
    args: Sequence[object] = (),
    *,
    curves: bool = False,
) -> CheckResult:
    """Compare an analytic gradient with differences, with options that are valid: `check_grad` says what they are."""
    objective = Objective.with_gradient(loss, grad, params, args, options.means)
    if options.points > 1 and objective.gradient_from is None:
        raise InputError(
            f"`points`={options.points} needs a gradient that can be evaluated elsewhere: pass a callable (or True) as "
            "`grad`, not an already computed gradient."
        )
    try:
        result = CheckResult.merge(check_points(objective, options))
        if curves:
            objective.begin(result.loss)
            result = with_step_curves(objective, result, MOST_CURVES)
        # also those of points that were left out
        return replace(result, evaluations=objective.evaluations, notes=tuple(objective.notes))
    finally:
        objective.restore()


def assert_grad(
    loss: Callable[..., Any],
    grad: object,
    params: object,
    *,
    args: Sequence[object] = (),
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "auto",
    points: int = 1,
    entries: EntriesOption = "auto",
    workers: Any = None,
    vectorized: bool = False,
    max_evals: int | None = None,
    timeout: float | None = None,
    resume: str | Path | None = None,
    progress: bool | Callable[[Progress], object] = False,
    seed: int = 0,
) -> CheckResult:
    """Check a gradient as `check_grad` does, and raise unless it was shown to match.

    Parameters
    ----------
    loss, grad, params, args, rtol, atol, method, points, entries, workers, vectorized, max_evals, timeout, resume
        As for `check_grad`.
    progress, seed
        As for `check_grad`.

    Returns
    -------
    CheckResult
        A result that passed.

    Raises
    ------
    GradientMismatch
        If an entry does not match, or if an entry could be decided neither way: an assertion must not pass on what
        was not shown. The message holds the tables, the tolerance in effect and the seed.
    InputError
        If the input cannot be checked.
    """
    __tracebackhide__ = True
    result = check_grad(
        loss,
        grad,
        params,
        args=args,
        rtol=rtol,
        atol=atol,
        method=method,
        points=points,
        entries=entries,
        workers=workers,
        vectorized=vectorized,
        max_evals=max_evals,
        timeout=timeout,
        resume=resume,
        progress=progress,
        seed=seed,
    )
    if not result.passed:
        raise GradientMismatch(failure_message(result))
    return result


def numerical_grad(
    loss: Callable[..., Any],
    params: object,
    *,
    args: Sequence[object] = (),
    method: str = "auto",
    workers: Any = None,
    vectorized: bool = False,
    max_evals: int | None = None,
    timeout: float | None = None,
    resume: str | Path | None = None,
    progress: bool | Callable[[Progress], object] = False,
    seed: int = 0,
) -> Any:
    """Return the numerical gradient of a loss, in the structure of `params`.

    Parameters
    ----------
    loss, params, args, method, workers, vectorized, max_evals, timeout, resume, progress, seed
        As for `check_grad`.

    Returns
    -------
    object
        The structure of `params` with float64 arrays and floats; NaN where the loss is not finite nearby.

    Raises
    ------
    InputError
        If the input cannot be differentiated.

    Examples
    --------
    >>> round(numerical_grad(lambda x: x**3, 2.0), 6)
    12.0
    """
    options = Options.validated(
        method=method,
        entries="all",
        workers=workers,
        vectorized=vectorized,
        max_evals=max_evals,
        timeout=timeout,
        resume=resume,
        progress=progress,
        seed=seed,
    )
    objective = Objective(loss, params, args, options.means)
    try:
        origin, noise = objective.reference(objective.start())
        objective.begin(origin)
        entries = Entries.choose(objective.parameters.leaves, options.budget, options.seed)

        def goal(derivative: Derivative) -> tuple[BoolArray, FloatArray]:
            scale = entries.largest(derivative.certain)
            target = 1e-7 * np.maximum(np.abs(derivative.value), 1e-3 * scale)
            return (derivative.error <= target) & (derivative.evaluations > 2) | objective.is_spent, target

        derivative = partial_derivatives(objective, entries, origin, noise, goal)
        if not derivative.value.any() and objective.hand_out_copies():
            origin, noise = objective.reference(objective.value_at(objective.parameters))
            objective.begin(origin)
            derivative = partial_derivatives(objective, entries, origin, noise, goal)
        return objective.parameters.assemble(entries.split(derivative.value))
    finally:
        objective.restore()
