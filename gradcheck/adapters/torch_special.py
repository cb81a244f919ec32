"""Backward passes in unusual use: some outputs without a gradient, many weights at once, and differentiated again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.adapters.torch_compare import disagreements
from gradcheck.adapters.torch_products import Arrays, BackwardError, Outputs, as_arrays, gradients
from gradcheck.adapters.torch_subject import Subject
from gradcheck.adapters.torch_tensors import Variable
from gradcheck.checker.result import ParameterResult
from gradcheck.checker.tolerance import Tolerance


def undefined_outputs(
    subject: Subject, outputs: Outputs, weights: Sequence[Any], tolerance: Tolerance, *, alone: bool
) -> tuple[list[ParameterResult], list[str]]:
    """Compare backward passes in which an output has no gradient with those in which it has zeros."""
    import torch

    count = len(outputs)
    cases = [{k} for k in range(count)] if count > 1 else []
    rows: list[ParameterResult] = []
    notes: list[str] = []
    for case in [*cases, set(range(count))] if alone else cases:
        zeros = [torch.zeros_like(w) if k in case else w for k, w in enumerate(weights)]
        expected = as_arrays(subject, gradients(subject, outputs.now(), zeros))
        cut = [_without_gradient()(o) if k in case else o for k, o in enumerate(outputs.now())]
        place = f"output {next(iter(case))}" if len(case) < count else "any output"
        suffix = f" (no gradient for {place})"
        try:
            found = as_arrays(subject, gradients(subject, cut, weights))
        except BackwardError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a backward pass raises when handed None
            found = {name: np.full(array.shape, np.nan) for name, array in expected.items()}
            notes.append(
                f"the backward pass raises {type(error).__name__} where {place} has no gradient: with "
                "ctx.set_materialize_grads(False) it is handed None, and has to take that for zeros"
            )
        rows += disagreements(found, expected, tolerance, suffix)
    return rows, notes


@functools.cache
def _without_gradient() -> Any:
    """Return a function that passes a tensor on and lets no gradient back."""
    import torch

    class WithoutGradient(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
        @staticmethod
        def forward(_: Any, tensor: Any) -> Any:
            return tensor.clone()

        @staticmethod
        def backward(*_: Any) -> None:
            return None

    return WithoutGradient.apply


def forbid_other_batched(subject: Subject, outputs: Outputs, number: int = 3) -> None:
    """Raise BackwardError unless a backward pass under ``torch.vmap`` gives what single ones give."""
    import torch

    several = [outputs.weights(k) for k in range(1, number + 1)]
    single = [as_arrays(subject, gradients(subject, outputs.now(), weights)) for weights in several]
    stacks = [torch.stack(parts) for parts in zip(*several, strict=True)]
    try:
        found = gradients(subject, outputs.now(), stacks, is_grads_batched=True)
    except RuntimeError as error:
        raise BackwardError(f"the backward pass does not work under torch.vmap: {error}") from error
    for k, expected in enumerate(single):
        _forbid_difference(as_arrays(subject, [None if g is None else g[k] for g in found]), expected, "torch.vmap")


def forbid_other_batched_forward(subject: Subject, outputs: Outputs, number: int = 2) -> None:
    """Raise BackwardError unless forward mode under ``torch.vmap`` gives what single calls give."""
    import torch

    for variable in subject.variables:
        leaf = variable.leaf
        rng = np.random.default_rng(number)
        stack = torch.from_numpy(rng.normal(size=(number, *leaf.shape))).to(leaf.dtype).to(leaf.device)

        def product(tangent: Any, leaf: Any = leaf) -> Any:
            def function(moved: Any) -> list[Any]:
                return outputs.now(lambda node: moved if node is leaf else node)

            return torch.func.jvp(function, (leaf.detach(),), (tangent,))[1]

        single = [product(tangent) for tangent in stack]
        try:
            batched = torch.vmap(product)(stack)
        except RuntimeError as error:
            raise BackwardError(f"forward mode does not work under torch.vmap: {error}") from error
        for k, expected in enumerate(single):
            for one, other in zip(batched, expected, strict=True):
                arrays = [{variable.name: t.detach().resolve_conj().cpu().numpy()} for t in (one[k], other)]
                _forbid_difference(arrays[0], arrays[1], "torch.vmap")


def _forbid_difference(found: Arrays, expected: Arrays, place: str) -> None:
    wrong = disagreements(found, expected, Tolerance(1e-7, 0.0), "")
    if wrong:
        raise BackwardError(f"the gradient of `{wrong[0].name}` is another one under {place} than without it.")


def second_order(subject: Subject, outputs: Outputs, weights: Sequence[Any]) -> Subject:
    """Return the gradient of weighted outputs as a function of the variables and of the weights."""
    leaves = [weight.detach().clone().requires_grad_() for weight in weights]
    names = [f"grad_outputs[{k}]" for k in range(len(leaves))] if len(leaves) > 1 else ["grad_output"]

    def call(swapped: Callable[[Any], Any]) -> Any:
        inputs = [swapped(variable.leaf) for variable in subject.variables]
        return gradients(subject, outputs.now(swapped), [swapped(leaf) for leaf in leaves], inputs, create_graph=True)

    variables = [Variable(name, leaf) for name, leaf in zip(names, leaves, strict=True)]
    return Subject(call, [*subject.variables, *variables], subject.lent)
