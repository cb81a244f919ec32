"""SciPy: the distance that ``check_grad`` returns, and ``scipy.differentiate`` with its error estimate."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import scipy
from scipy.differentiate import derivative, jacobian
from scipy.optimize import check_grad

from benchmarks.checkers import Answer, Verdict, raised
from benchmarks.peers.estimates import RULE, Estimate, EstimatePeer
from benchmarks.problems import Candidate, CountedLoss, Problem, flattened

ACCEPTED = 1e-5


class ScipyCheckGrad:
    """The norm of the difference to forward differences."""

    name = "scipy"
    version = scipy.__version__
    rule = f"scipy.optimize.check_grad(loss, grad, x) <= {ACCEPTED:g} times the norm of the gradient"

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        return [self._answer(problem, candidate) for candidate in problem.candidates]

    def _answer(self, problem: Problem, candidate: Candidate) -> Answer:
        loss, grad = CountedLoss(problem), flattened(candidate.grad)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                distance = check_grad(loss.at, lambda _: grad, flattened(problem.params))
            except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
                return raised(exception, loss.calls)
        passed = distance <= ACCEPTED * np.linalg.norm(grad)
        verdict: Verdict = "match" if passed else "mismatch"
        return Answer(verdict, loss.calls)


class ScipyDifferentiate(EstimatePeer):
    """Differences of high order with smaller and smaller steps."""

    name = "scipy.differentiate"
    version = scipy.__version__
    rule = f"derivative / jacobian: {RULE}; inconclusive without `success`"

    def estimate(self, loss: Callable[[np.ndarray], float], x: np.ndarray) -> Estimate:
        """Return the numerical gradient and its error estimate; NaN without success."""
        if x.size == 1:
            found = derivative(lambda t: np.vectorize(lambda one: loss(np.array([one])), otypes=[float])(t), x)
        else:
            found = jacobian(lambda t: np.apply_along_axis(loss, 0, t), x)
        hidden = np.where(found.success, 0.0, np.nan)
        return np.ravel(found.df) + np.ravel(hidden), np.ravel(found.error)
