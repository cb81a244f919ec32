"""Checks JAX code as it is: functions of pytrees, ``custom_vjp``, ``custom_jvp`` and ``jit``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcheck.adapters.jax_dropin import check_grads as check_grads
from gradcheck.adapters.jax_dropin import check_jvp as check_jvp
from gradcheck.adapters.jax_dropin import check_vjp as check_vjp
from gradcheck.adapters.jax_subject import Plan, examined
from gradcheck.adapters.problem import Settings
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
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
    vectorized: bool = False,
) -> CheckResult:
    """Compare the derivatives that JAX computes with central differences.

    Parameters
    ----------
    function : callable
        A function of pytrees, decorated with ``jax.custom_vjp``, ``jax.custom_jvp``, ``jax.jit`` or not.
    *args
        What it is called with. Floating-point leaves are differentiated; integers, keys and everything else are passed
        on.
    modes : sequence of {"rev", "fwd"}
        What is compared: vector-Jacobian products, Jacobian-vector products, or both. A ``custom_vjp`` function has no
        forward mode, which a note says.
    order : int
        2 compares also the derivatives of the first derivatives, and so on.
    argnums : int or sequence of int, optional
        Which arguments are differentiated; by default all of them.
    rtol, atol, points, entries, seed, curves, progress
        As for `gradcheck.check_grad`.
    vectorized : bool
        Whether to evaluate the function under ``jax.vmap``, up to 256 times in one call. Where it does not work there,
        or gives other values, it is called once for each evaluation, and a note says so.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches. A complex array is two parameters, ``z.real`` and
        ``z.imag``. Outputs that are no single number are weighted at random and summed, twice.

    Raises
    ------
    InputError
        If there is nothing to check, or a backward pass returns what does not fit. What the user's code raises comes
        through unchanged.

    Notes
    -----
    Everything is computed in float64, whatever JAX is set to, and that setting is as it was afterwards. What does not
    work in float64 is checked in its own precision, and a note says so.

    Examples
    --------
    >>> import jax.numpy as jnp  # doctest: +SKIP
    >>> from gradcheck.adapters.jax import check  # doctest: +SKIP
    >>> check(lambda x: jnp.sum(x**3), jnp.array([1.0, 2.0])).passed  # doctest: +SKIP
    True
    """
    settings = Settings(rtol, atol, points, entries, seed, curves, progress, vectorized)
    return examined(function, args, Plan(settings, tuple(modes), order, argnums))
