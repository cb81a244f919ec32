"""Checks PyTorch code as it is: functions of tensors, ``torch.autograd.Function`` and modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from gradcheck.adapters.problem import Settings
from gradcheck.adapters.torch_check import Plan, examine
from gradcheck.adapters.torch_dropin import gradcheck as gradcheck
from gradcheck.adapters.torch_dropin import gradgradcheck as gradgradcheck
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError
from gradcheck.evaluate.tracking import Progress


def check(
    what: Any,
    *inputs: Any,
    loss: Callable[[Any], Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    points: int = 1,
    entries: EntriesOption = "auto",
    seed: int = 0,
    curves: bool = False,
    progress: bool | Callable[[Progress], object] = False,
    vectorized: bool = False,
    order: int = 1,
    forward: bool | Literal["auto"] = "auto",
    nondet_tol: float | None = None,
) -> CheckResult:
    """Compare the derivatives that PyTorch computes with central differences.

    Parameters
    ----------
    what : callable
        A ``torch.autograd.Function`` (or its ``apply``), a function of tensors, a module or a method of one; it may
        be scripted or compiled. The parameters of a module that require a gradient are differentiated, tied ones once.
    *inputs
        What it is called with. Tensors that require a gradient, also those in containers, are differentiated;
        everything else is passed on.
    loss : callable, optional
        What makes one number of the outputs. Without it, outputs are weighted at random, twice.
    rtol, atol, points, entries, seed, curves, progress
        As for `gradcheck.check_grad`.
    vectorized : bool
        Whether to evaluate the function under ``torch.vmap``, up to 256 times in one call (not for `order=2` and
        `forward`). Where it does not work there, or gives other values, it is called once for each evaluation, and a
        note says so.
    order : {1, 2}
        2 compares also the second derivatives, which PyTorch finds by differentiating the backward pass, with
        differences of the first.
    forward : bool or "auto"
        Whether to compare forward-mode derivatives as well, along a random direction for each input; "auto" does so
        for a Function that defines ``jvp``.
    nondet_tol : float, optional
        How far gradients of two runs at one point may differ; by default as far as rtol and atol allow.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches. A complex tensor is two parameters, ``z.real`` and
        ``z.imag``; its gradient is PyTorch's, whose real and imaginary part are the derivatives with respect to these.

    Raises
    ------
    InputError
        If there is nothing to check, entries of a tensor share memory, or a backward pass returns what does not fit.
        What the user's code raises comes through unchanged.

    Notes
    -----
    Everything is computed in float64, on the device where it lies; what does not work in float64 is checked in its
    own precision, and a note says so. Inputs are copied. Modules compute with other memory while the check lasts, and
    are as they were afterwards: parameters, buffers, gradients, mode, and so are PyTorch's random generators, its
    default type and autocast. Random numbers are the same in every call.
    """
    if order not in (1, 2):
        raise InputError(f"`order` must be 1 or 2, got {order!r}.")
    settings = Settings(rtol, atol, points, entries, seed, curves, progress, vectorized)
    return examine(what, inputs, loss, Plan(settings, order=order, forward=forward, nondet_tol=nondet_tol))
