"""Checks functions written for HIPS autograd, and primitives with derivatives of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcheck.adapters.autograd_function import Arguments, AutogradFunction
from gradcheck.adapters.compare import available, examine
from gradcheck.adapters.problem import Settings, settled_argnums, settled_modes
from gradcheck.checker.failure import failure_message
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
from gradcheck.errors import GradientMismatch, InputError
from gradcheck.evaluate.tracking import Progress


def check(
    function: Callable[..., Any],
    *args: Any,
    modes: Sequence[str] = ("rev", "fwd"),
    order: int = 1,
    argnums: int | Sequence[int] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    points: int = 1,
    entries: EntriesOption = "auto",
    seed: int = 0,
    curves: bool = False,
    progress: bool | Callable[[Progress], object] = False,
) -> CheckResult:
    """Compare the derivatives that HIPS autograd computes with central differences.

    Parameters
    ----------
    function : callable
        A function of arrays, numbers, lists, tuples and dicts; a primitive with ``defvjp`` or ``defjvp``, or whatever
        calls one.
    *args
        What it is called with. Floating-point arrays and numbers are differentiated, in float64.
    modes : sequence of {"rev", "fwd"}
        What is compared. A primitive without ``defjvp`` has no forward mode, which a note says.
    order : int
        2 compares also the derivatives of the gradient, and so on.
    argnums : int or sequence of int, optional
        Which arguments are differentiated; by default all of them.
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

    Examples
    --------
    >>> import autograd.numpy as np  # doctest: +SKIP
    >>> from gradcheck.adapters.autograd import check  # doctest: +SKIP
    >>> check(lambda x: np.sum(x**3), np.array([1.0, 2.0])).passed  # doctest: +SKIP
    True
    """
    settings = Settings(rtol, atol, points, entries, seed, curves, progress)
    return _examined(function, args, settings, tuple(modes), order, argnums, strict=False)


def check_grads(
    f: Callable[..., Any], argnum: int | Sequence[int] = 0, modes: Sequence[str] = ("fwd", "rev"), order: int = 2
) -> Callable[..., None]:
    """Stand in for ``autograd.test_util.check_grads``.

    Parameters
    ----------
    f : callable
        A function written for autograd.
    argnum : int or sequence of int
        Which arguments are differentiated.
    modes : sequence of {"fwd", "rev"}
        Which modes are compared.
    order : int
        Up to which order.

    Returns
    -------
    callable
        To be called with the arguments; raises `GradientMismatch`, an AssertionError, unless all entries match.
    """

    def checked(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True

        def function(*values: Any) -> Any:
            return f(*values, **kwargs)

        function.__wrapped__ = f  # type: ignore[attr-defined]
        result = _examined(function, args, Settings(), tuple(modes), order, argnum, strict=True)
        if not result.passed:
            raise GradientMismatch(failure_message(result))

    return checked


def _examined(
    function: Any,
    args: Sequence[Any],
    settings: Settings,
    modes: tuple[str, ...],
    order: int,
    argnums: int | Sequence[int] | None,
    *,
    strict: bool,
) -> CheckResult:
    if not callable(function):
        raise InputError(f"`function` must be callable, got {type(function).__name__}.")
    arguments = Arguments(function, args, settled_argnums(argnums, len(args)))
    problem = AutogradFunction.of(function, arguments).problem(arguments.arrays())
    settled = settled_modes(modes, order)
    why = "a primitive that is used has no defjvp"
    found, notes = available(problem, settled, _has_no_jvp, why, strict=strict)
    return examine(problem, settings, modes=found, order=order, notes=notes)


def _has_no_jvp(error: Exception) -> bool:
    return isinstance(error, NotImplementedError) and "JVP" in str(error)
