"""Peers that differentiate and estimate their own error, but leave the comparison to their users.

They get the tolerance of gradcheck, so that only the numerical derivatives and their error estimates differ.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from benchmarks.checkers import Answer, Verdict, raised
from benchmarks.problems import CountedLoss, Problem, flattened
from gradcheck.checker.tolerance import Tolerance, make_tolerance

RULE = "match where |gradient - value| <= its error estimate + the tolerance of gradcheck"
Estimate = tuple[np.ndarray, np.ndarray]


class EstimatePeer(ABC):
    """A peer that returns a derivative and an estimate of its error.

    It differentiates once for all gradients under test, as they play no part in that.
    """

    name: str
    version: str
    rule: str

    @abstractmethod
    def estimate(self, loss: Callable[[np.ndarray], float], x: np.ndarray) -> Estimate:
        """Return the numerical gradient and its error estimate; NaN where the peer says that it found none."""

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        loss = CountedLoss(problem)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                value, error = self.estimate(loss.at, flattened(problem.params))
            except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
                return [raised(exception, loss.calls) for _ in problem.candidates]
        answers = []
        for candidate in problem.candidates:
            tolerance = make_tolerance(None, None, [grad.dtype for grad in candidate.grad.values()])
            answers.append(Answer(compared(flattened(candidate.grad), value, error, tolerance), loss.calls))
        return answers


def compared(grad: np.ndarray, value: np.ndarray, error: np.ndarray, tolerance: Tolerance) -> Verdict:
    """Return the verdict of `RULE` on a gradient.

    Parameters
    ----------
    grad, value, error : float array, shape (n,)
        Gradient under test, numerical gradient, estimate of its error.
    tolerance : Tolerance
        What is allowed beside the error.
    """
    allowed = error + tolerance.allowed(
        grad, value, scale=float(np.max(np.abs(value), initial=0.0, where=np.isfinite(value)))
    )
    if np.any(np.abs(grad - value) > allowed):  # false where something is NaN
        return "mismatch"
    return "match" if np.all(np.isfinite(allowed)) else "inconclusive"
