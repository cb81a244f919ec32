"""``torch.autograd.gradcheck`` and ``gradgradcheck`` with PyTorch's signatures, and tables in their messages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gradcheck.adapters.problem import Settings
from gradcheck.adapters.torch_check import Plan, examine
from gradcheck.adapters.torch_products import BackwardError
from gradcheck.adapters.torch_state import Lent
from gradcheck.adapters.torch_subject import reached_by, tensors_in
from gradcheck.checker.failure import failure_message
from gradcheck.errors import GradientMismatch, InputError


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Stand in for ``torch.autograd.gradcheck``.

    Parameters
    ----------
    func : callable
        A function of tensors.
    inputs : tensor or tuple of tensors
        What it is called with.
    eps : float
        Ignored: each entry has a step of its own.
    atol, rtol : float
        Tolerances, for derivatives of randomly weighted outputs. PyTorch's defaults hide errors of small gradients,
        and those below 0.1 %; `check` does not.
    raise_exception : bool
        Whether to raise what was found, or to return False.
    nondet_tol : float
        How far gradients of two runs at one point may differ.
    check_undefined_grad : bool
        Whether a backward pass must take outputs without a gradient for zeros.
    check_grad_dtypes : bool
        Whether gradients must be of the type of their tensors.
    check_batched_grad, check_batched_forward_grad : bool
        Whether derivatives under ``torch.vmap`` must be the same.
    check_forward_ad, check_backward_ad : bool
        Which modes to check.
    fast_mode : bool
        Ignored: beyond 2,000 entries, tensors are compared along random directions first in any case.
    masked : bool, optional
        Ignored: what a sparse input specifies is differentiated.

    Returns
    -------
    bool
        True if every checked entry matches; False only if `raise_exception` is false.

    Raises
    ------
    GradientMismatch
        If an entry does not match, or could be decided neither way. It is a ``GradcheckError`` of PyTorch's as well,
        and so a RuntimeError.
    InputError
        If there is nothing to check, or a tensor cannot be; a ValueError and a RuntimeError.
    """
    plan = Plan(
        Settings(rtol, atol, entries="auto"),
        backward=check_backward_ad,
        forward=check_forward_ad,
        nondet_tol=nondet_tol,
        undefined="always" if check_undefined_grad else "never",
        balanced=False,
        batched=check_batched_grad,
        batched_forward=check_batched_forward_grad,
        same_dtypes=check_grad_dtypes,
    )
    return _passes(func, _as_tuple(inputs), plan, raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Stand in for ``torch.autograd.gradgradcheck``: check the backward pass as a function of its own.

    Parameters
    ----------
    func : callable
        A function of tensors.
    inputs : tensor or tuple of tensors
        What it is called with.
    grad_outputs : tensor or tuple of tensors, optional
        Gradients of the outputs that the backward pass is called with; by default random ones.
    gen_non_contig_grad_outputs : bool
        Whether the random ones do not lie in one piece of memory.
    check_fwd_over_rev, check_rev_over_rev : bool
        In which modes the backward pass is differentiated.
    eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad
        As for `gradcheck`.
    fast_mode, masked : bool
        Ignored, as for `gradcheck`.

    Returns
    -------
    bool
        As for `gradcheck`.

    Raises
    ------
    GradientMismatch, InputError
        As for `gradcheck`.
    """
    import torch

    tensors = _as_tuple(inputs)
    with Lent(reached_by(func, tensors, None), double=False) as lent:
        lent.rewind()
        outputs = [o for o in tensors_in(func(*tensors)) if o.requires_grad]
    given = _random_like(outputs, gen_non_contig_grad_outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    count = len(given)

    def backward(*args: Any) -> tuple[Any, ...]:
        found = [o for o in tensors_in(func(*args[:-count])) if o.requires_grad]
        leaves = [arg for arg in args[:-count] if isinstance(arg, torch.Tensor) and arg.requires_grad]
        gradients = torch.autograd.grad(found, leaves, args[-count:], create_graph=True, allow_unused=True)
        return tuple(gradient for gradient in gradients if gradient is not None)

    if not outputs:
        raise _input_error()("no output requires a gradient, so there is no backward pass to check.")
    plan = Plan(
        Settings(rtol, atol),
        backward=check_rev_over_rev,
        forward=check_fwd_over_rev,
        nondet_tol=nondet_tol,
        undefined="always" if check_undefined_grad else "never",
        balanced=False,
        batched=check_batched_grad,
        same_dtypes=check_grad_dtypes,
    )
    return _passes(backward, (*tensors, *given), plan, raise_exception)


def _passes(func: Callable[..., Any], inputs: tuple[Any, ...], plan: Plan, raise_exception: bool) -> bool:
    try:
        result = examine(func, inputs, None, plan)
    except BackwardError as error:
        if raise_exception:
            raise _mismatch_error()(error.message) from error
        return False
    except InputError as error:
        raise _input_error()(error.message) from error
    if not result.passed and raise_exception:
        raise _mismatch_error()(failure_message(result))
    return result.passed


def _as_tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def _random_like(outputs: list[Any], scattered: bool) -> tuple[Any, ...]:
    """Return random gradients of outputs, of which every second entry in memory is used if they are scattered."""
    import torch

    found = []
    generator = torch.Generator().manual_seed(0)
    for output in outputs:
        shape = (*output.shape, 2) if scattered else tuple(output.shape)
        values = torch.rand(shape, dtype=output.dtype, generator=generator) * 2 - 1
        found.append((values[..., 0] if scattered else values).to(output.device).requires_grad_())
    return tuple(found)


@functools.cache
def _mismatch_error() -> type[Exception]:
    from torch.autograd.gradcheck import GradcheckError

    return type("TorchGradientMismatch", (GradientMismatch, GradcheckError), {"__doc__": GradientMismatch.__doc__})


@functools.cache
def _input_error() -> type[Exception]:
    return type("TorchInputError", (InputError, RuntimeError), {"__doc__": InputError.__doc__})
