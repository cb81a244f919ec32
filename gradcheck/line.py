"""The loss along a straight line through the parameters as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.arrays import FloatArray, IntArray
from gradcheck.leaf import Leaf
from gradcheck.objective import Objective
from gradcheck.step_size import parameter_scale


class Stretch(NamedTuple):
    """Some entries of one parameter, and how far each of them goes."""

    leaf: Leaf
    where: IntArray
    direction: FloatArray


def random_direction(rng: np.random.Generator, scale: FloatArray) -> FloatArray:
    """Return a direction with random signs, and with magnitudes between 0.6 and 1 of the natural scale of each entry.

    Parameters
    ----------
    rng : Generator
        Where the signs and magnitudes come from.
    scale : float array
        Natural scale of each entry.
    """
    return np.asarray(scale * rng.uniform(0.6, 1.0, scale.size) * rng.choice([-1.0, 1.0], scale.size))


class Line:
    """The loss as a function of the position on a line; the probe is brought back after each evaluation.

    Parameters
    ----------
    objective : Objective
        The loss, with its probe chosen.
    stretches : sequence of Stretch
        The direction.
    """

    def __init__(self, objective: Objective, stretches: Sequence[Stretch]) -> None:
        self._objective = objective
        self._stretches = stretches
        self._stored = [stretch.leaf.take(stretch.where) for stretch in stretches]

    @classmethod
    def through_all(cls, objective: Objective, rng: np.random.Generator) -> Line:
        """Return a line that moves every entry by its own natural scale."""
        stretches = []
        for leaf in objective.probe.leaves:
            direction = random_direction(rng, parameter_scale(leaf.values()))
            stretches.append(Stretch(leaf, np.arange(leaf.size), direction))
        return cls(objective, stretches)

    def __call__(self, t: float) -> float:
        """Return the loss at `t` times the direction from the point."""
        try:
            for (leaf, where, direction), stored in zip(self._stretches, self._stored, strict=True):
                leaf.shift(where, stored, t * direction)
            return self._objective.value()
        finally:
            for (leaf, where, _), stored in zip(self._stretches, self._stored, strict=True):
                leaf.give(where, stored)
