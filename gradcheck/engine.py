"""How displaced parameters get to the loss: one after the other, stacked, or by workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.displacement import Displacement, Place, everywhere
from gradcheck.errors import InputError
from gradcheck.loss import Loss
from gradcheck.parallel import Workers

# relative difference of two values of the loss that only the order of sums makes
_SAME = 1e-9


class Means(NamedTuple):
    """What the user has given for the evaluations.

    Attributes
    ----------
    workers : Workers or None
        Where they are sent.
    is_vectorized : bool
        Whether the loss takes stacked parameters.
    """

    workers: Workers | None = None
    is_vectorized: bool = False


class Engine:
    """Evaluates the loss at displaced parameters, by the means that there are.

    Parameters
    ----------
    loss : Loss
        The loss.
    workers : Workers or None
        Where long rounds are sent.

    Attributes
    ----------
    seconds : float
        How long one evaluation takes.
    floor : float
        How far two values at the same parameters may be apart.
    """

    def __init__(self, loss: Loss, workers: Workers | None) -> None:
        self._loss, self._workers = loss, workers
        self._is_settled = False
        self.seconds = self.floor = 0.0

    def forget(self) -> None:
        """Take note that the parameters have moved."""
        self._is_settled = False

    def evaluate(self, place: Place, displacements: Sequence[Displacement]) -> list[tuple[float, ...]] | None:
        """Evaluate elsewhere; return None where it is better done here.

        Parameters
        ----------
        place : Place
            The parameters, and the loss at them in this process.
        displacements : sequence of Displacement
            How they are moved.
        """
        count = sum(displacement.cost for displacement in displacements)
        if self._workers is None or not self._workers.is_worth(self.seconds, count):
            return None
        if not self._is_settled:
            self._workers.settle(place, self._loss, self.seconds, self.floor)
            self._is_settled = True
        return self._workers.evaluate(displacements, self.seconds, place)

    def forbid_mixing(self, place: Place) -> None:
        """Raise InputError if parameters that are stacked have other losses than each has alone."""
        trial = everywhere(place.probe)
        alone, (together,) = trial(place), self._loss.evaluate(place, [trial])
        if not np.allclose(together, alone, rtol=_SAME, atol=0, equal_nan=True):
            raise InputError(
                f"with `vectorized` each row of the stacked parameters must have its own loss: expected {list(alone)}, "
                f"got {list(together)}. Let the loss reduce over all axes but the first."
            )
