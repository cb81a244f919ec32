"""Straight lines through the parameters as they stand, along which the loss is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.evaluate.displacement import WHOLE, Along, Stretch
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import FloatArray
from gradcheck.numerics.step_size import parameter_scale

# signs that are drawn at once: those of a whole parameter would take much memory
_BLOCK = 2**16


def random_direction(rng: np.random.Generator, scale: FloatArray) -> FloatArray:
    """Return a direction of random signs, with magnitudes between 0.6 and 1 of the natural scale of each entry."""
    direction = rng.uniform(0.6, 1.0, scale.size)
    direction *= scale
    for first in range(0, scale.size, _BLOCK):
        block = direction[first : first + _BLOCK]
        block *= rng.choice([-1.0, 1.0], block.size)
    return direction


class Line:
    """The loss as a function of the position on a line that moves every entry by its own natural scale.

    Parameters
    ----------
    scales : sequence of float array, optional
        Natural scale of each entry, where it is known.
    """

    def __init__(
        self, objective: Objective, rng: np.random.Generator, scales: Sequence[FloatArray] | None = None
    ) -> None:
        self._objective = objective
        self._stretches = [
            Stretch(k, WHOLE, random_direction(rng, parameter_scale(leaf.values()) if scales is None else scales[k]))
            for k, leaf in enumerate(objective.probe.leaves)
        ]

    def __call__(self, positions: Sequence[float]) -> FloatArray:
        """Return the loss at positions on the line, in units of its direction."""
        alone = [Along(self._stretches, (t,)) for t in positions]
        return np.array([value for values in self._objective.evaluate(alone) for value in values])
