"""``torch.autograd.gradcheck``: a custom function that returns the gradient under test from ``backward``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from benchmarks.checkers import Answer, raised
from benchmarks.problems import Candidate, CountedLoss, Problem


class _Hosted(torch.autograd.Function):
    """A NumPy loss with a NumPy gradient."""

    @staticmethod
    def forward(ctx: Any, loss: CountedLoss, candidate: Candidate, *values: torch.Tensor) -> torch.Tensor:
        ctx.candidate = candidate
        params = dict(zip(candidate.grad, (value.detach().numpy() for value in values), strict=True))
        return torch.tensor(float(loss(params)), dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *outward: torch.Tensor) -> tuple[Any, ...]:
        grads = (torch.from_numpy(value.astype(np.float64)) for value in ctx.candidate.grad.values())
        return (None, None, *(outward[0] * grad for grad in grads))


class TorchSlow:
    """Every entry by a central difference."""

    name = "torch"
    version = torch.__version__
    rule = "torch.autograd.gradcheck(f, inputs) with float64 inputs: its return value"
    fast = False

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        return [self._answer(problem, candidate) for candidate in problem.candidates]

    def _answer(self, problem: Problem, candidate: Candidate) -> Answer:
        loss = CountedLoss(problem)
        inputs = tuple(
            torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in problem.params.values()
        )
        torch.manual_seed(problem.seed)  # the fast mode draws a direction
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                passed = torch.autograd.gradcheck(
                    lambda *values: _Hosted.apply(loss, candidate, *values),
                    inputs,
                    raise_exception=False,
                    fast_mode=self.fast,
                )
            except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
                return raised(exception, loss.calls)
        return Answer("match" if passed else "mismatch", loss.calls)


class TorchFast(TorchSlow):
    """One random direction."""

    name = "torch fast"
    rule = "the same with fast_mode=True"
    fast = True
