"""``check_grads``, ``check_vjp`` and ``check_jvp`` with the signatures of ``jax.test_util``, and tables in messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.adapters.jax_function import JaxFunction
from gradcheck.adapters.jax_subject import Plan, examined, in_best_precision
from gradcheck.adapters.jax_tree import Tree, cotangents_like, real_outputs
from gradcheck.adapters.problem import Array, Arrays, Problem, Settings
from gradcheck.checker.failure import failure_message
from gradcheck.checker.result import CheckResult
from gradcheck.errors import GradientMismatch, InputError


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Stand in for ``jax.test_util.check_grads``.

    Parameters
    ----------
    f : callable
        A function of pytrees.
    args : sequence
        What it is called with.
    order : int
        Up to which order derivatives are compared.
    modes : sequence of {"fwd", "rev"}
        Which modes are compared.
    atol, rtol : float, optional
        Tolerances per entry, by default those of `check`. JAX's are multiplied by the number of entries.
    eps : float, optional
        Ignored: each entry has a step of its own.

    Raises
    ------
    GradientMismatch
        If an entry does not match, or could be decided neither way; an AssertionError.
    InputError
        If there is nothing to check.
    """
    __tracebackhide__ = True
    plan = Plan(Settings(rtol, atol), tuple(modes), order, strict=True)
    _raise_unless_passed(examined(f, tuple(args), plan), "")


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Stand in for ``jax.test_util.check_vjp``: compare one reverse-mode function with differences of another.

    Parameters
    ----------
    f : callable
        A function of pytrees.
    f_vjp : callable
        ``f_vjp(*args)`` returns the outputs and a function from cotangents of these to those of all arguments, as
        ``functools.partial(jax.vjp, f)`` does.
    args : sequence
        What they are called with.
    atol, rtol, eps
        As for `check_grads`.
    err_msg : str
        What the message of an error begins with.

    Raises
    ------
    GradientMismatch, InputError
        As for `check_grads`.
    """
    __tracebackhide__ = True
    tree = Tree(f, args, range(len(args)))
    plain = JaxFunction.of(f, tree, forward_only=False)

    def problem_at(arrays: Arrays) -> Problem:
        def pull(values: Arrays, weights: Sequence[Array]) -> Arrays:
            returned, pullback = f_vjp(*tree.args(plain.placed(values)))
            return tree.real_parts(pullback(cotangents_like(returned, weights)))

        return Problem(arrays, plain.outputs, pull)

    def attempt(problem: Problem) -> tuple[Plan, list[str]]:
        returned = f_vjp(*tree.args(plain.placed(problem.arrays)))[0]
        outputs = _same_value(problem, real_outputs(returned)[0], err_msg)
        problem.pull(problem.arrays, [np.ones_like(output) for output in outputs])
        return Plan(Settings(rtol, atol), ("rev",)), []

    _raise_unless_passed(in_best_precision(tree, problem_at, attempt), err_msg)


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Stand in for ``jax.test_util.check_jvp``: compare one forward-mode function with differences of another.

    Parameters
    ----------
    f : callable
        A function of pytrees.
    f_jvp : callable
        ``f_jvp(args, tangents)`` returns the outputs and their derivatives, as ``functools.partial(jax.jvp, f)`` does.
    args : sequence
        What they are called with.
    atol, rtol, eps, err_msg
        As for `check_vjp`.

    Raises
    ------
    GradientMismatch, InputError
        As for `check_grads`.
    """
    __tracebackhide__ = True
    tree = Tree(f, args, range(len(args)))
    plain = JaxFunction.of(f, tree, forward_only=True)

    def both(values: Arrays, tangents: Arrays) -> Any:
        return f_jvp(tree.args(plain.placed(values)), tree.tangents(plain.placed(tangents)))

    def problem_at(arrays: Arrays) -> Problem:
        def push(values: Arrays, tangents: Arrays) -> list[Array]:
            return [np.asarray(part) for part in real_outputs(both(values, tangents)[1])[0]]

        return Problem(arrays, plain.outputs, plain.pull, push)

    def attempt(problem: Problem) -> tuple[Plan, list[str]]:
        zeros = {name: np.zeros_like(array) for name, array in problem.arrays.items()}
        _same_value(problem, real_outputs(both(problem.arrays, zeros)[0])[0], err_msg)
        return Plan(Settings(rtol, atol), ("fwd",)), []

    _raise_unless_passed(in_best_precision(tree, problem_at, attempt), err_msg)


def _same_value(problem: Problem, returned: Sequence[Any], err_msg: str) -> list[Array]:
    """Return the outputs; raise GradientMismatch if the function with derivatives has others."""
    outputs = problem.outputs(problem.arrays)
    found = [np.asarray(part) for part in returned]
    if [part.shape for part in found] != [output.shape for output in outputs]:
        raise InputError(
            f"both functions must return the same structure: expected shapes {[o.shape for o in outputs]}, got "
            f"{[part.shape for part in found]}."
        )
    for output, part in zip(outputs, found, strict=True):
        close = 1e3 * float(max(np.finfo(output.dtype).eps, np.finfo(part.dtype).eps))
        if not np.allclose(output, part, rtol=close, atol=close * float(np.max(np.abs(output), initial=0.0))):
            apart = float(np.max(np.abs(output - part)))
            raise GradientMismatch(
                f"{err_msg + ': ' if err_msg else ''}the function with the derivatives returns another value than `f`: "
                f"they are up to {apart:.3g} apart."
            )
    return outputs


def _raise_unless_passed(result: CheckResult, err_msg: str) -> None:
    __tracebackhide__ = True
    if not result.passed:
        raise GradientMismatch(f"{err_msg}: {failure_message(result)}" if err_msg else failure_message(result))
