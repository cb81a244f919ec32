"""What every checker is given: a loss, a point, and gradients of which one is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Params = dict[str, np.ndarray]
Loss = Callable[[Params], float]


@dataclass(frozen=True)
class Candidate:
    """A gradient under test.

    Parameters
    ----------
    label : str
        What was planted, ``correct`` for nothing.
    grad : dict of arrays
        The gradient, with the names and shapes of the parameters.
    wrong : frozenset of str
        Names of the parameters whose gradient is wrong.
    """

    label: str
    grad: Params
    wrong: frozenset[str]


@dataclass(frozen=True)
class Problem:
    """A loss at a point.

    Parameters
    ----------
    group : str
        The row of the tables that it counts in.
    variant : str
        What else tells it from others of the same group and seed; may be empty.
    seed : int
        What it was drawn from.
    params : dict of arrays
        The point.
    make_loss : callable
        Returns the loss. One that draws noise starts its stream anew, so that all checkers meet the same.
    candidates : tuple of Candidate
        The gradients under test.
    """

    group: str
    variant: str
    seed: int
    params: Params
    make_loss: Callable[[], Loss]
    candidates: tuple[Candidate, ...]


class CountedLoss:
    """A loss that counts its calls.

    Parameters
    ----------
    problem : Problem
        Where the loss is from.

    Attributes
    ----------
    calls : int
        How often it was called.
    """

    def __init__(self, problem: Problem) -> None:
        self._loss = problem.make_loss()
        self._params = problem.params
        self.calls = 0

    def __call__(self, params: Params) -> float:
        """Return the loss at `params`, in the type that it computes in."""
        self.calls += 1
        return self._loss(params)

    def at(self, vector: np.ndarray) -> float:
        """Return the loss as a float, for checkers that know only vectors.

        The parameters are views of the vector: a loss that computes in the type of its parameters computes in the
        vector's.
        """
        return float(self(unflattened(vector, self._params)))


def flattened(params: Params) -> np.ndarray:
    """Return all entries in one float64 vector."""
    return np.concatenate([np.ravel(value).astype(np.float64) for value in params.values()])


def unflattened(vector: np.ndarray, like: Params) -> Params:
    """Return views of a vector in the shapes of `like`."""
    views, start = {}, 0
    for name, value in like.items():
        views[name] = vector[start : start + value.size].reshape(value.shape)
        start += value.size
    return views
