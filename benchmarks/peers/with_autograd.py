"""``autograd.test_util.check_grads``: a function with a rule of its own that returns the gradient under test."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.test_util import check_grads

from benchmarks.checkers import Answer, raised
from benchmarks.problems import Candidate, CountedLoss, Problem


class Autograd:
    """One random direction of each parameter."""

    name = "autograd"
    version = version("autograd")
    rule = 'autograd.test_util.check_grads(f, argnums, modes=["rev"], order=1)(*params): mismatch where it raises'

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        return [_answer(problem, candidate) for candidate in problem.candidates]


def _answer(problem: Problem, candidate: Candidate) -> Answer:
    loss, names = CountedLoss(problem), list(problem.params)

    @primitive
    def hosted(*values: Any) -> float:
        return float(loss(dict(zip(names, values, strict=True))))

    def pulled(found: np.ndarray) -> Callable[..., Any]:
        return lambda *_: lambda outward: outward * found

    defvjp(hosted, *(pulled(np.asarray(candidate.grad[name], dtype=np.float64)) for name in names))
    point = [np.array(value, dtype=np.float64) for value in problem.params.values()]
    # it draws its directions from the global generator
    np.random.seed(problem.seed)  # noqa: NPY002
    with np.errstate(all="ignore"):
        try:
            check_grads(hosted, tuple(range(len(names))), modes=["rev"], order=1)(*point)
        except AssertionError:
            return Answer("mismatch", loss.calls)
        except Exception as exception:  # noqa: BLE001 - whatever a peer raises is its answer
            return raised(exception, loss.calls)
    return Answer("match", loss.calls)
