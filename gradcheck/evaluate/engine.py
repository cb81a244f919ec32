"""How displaced parameters get to the loss: one after the other, stacked, or by workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gradcheck.errors import InputError
from gradcheck.evaluate.displacement import Displacement, Place, everywhere
from gradcheck.evaluate.forking import Forks
from gradcheck.evaluate.journal import Journal
from gradcheck.evaluate.limits import Limits
from gradcheck.evaluate.loss import Loss
from gradcheck.evaluate.parallel import Workers
from gradcheck.evaluate.tracking import Tracker

# relative difference of two values of the loss that only the order of sums makes: in units of the machine epsilon
_ROUNDINGS = 4e6
_COARSEST = 1e-3
# how long to evaluate before it is looked at limits, and told of the progress, again
_SHARE_SECONDS = 0.2


class CountingPlace(Place, Protocol):
    """A place that knows how often the loss was evaluated."""

    evaluations: int


class Means(NamedTuple):
    """What the user has given for the evaluations.

    Attributes
    ----------
    tracker : Tracker or None
        Who is told how far it is.
    """

    workers: Workers | Forks | None = None
    is_vectorized: bool = False
    limits: Limits = Limits()
    journal: Journal | None = None
    tracker: Tracker | None = None


class Engine:
    """Evaluates the loss at displaced parameters, by the means that there are.

    Attributes
    ----------
    floor : float
        How far two values at the same parameters may be apart.
    is_spent : bool
        Whether evaluations were left out, because they would have cost too much.
    """

    def __init__(self, loss: Loss, means: Means) -> None:
        self._loss, self._means = loss, means
        self._is_settled = False
        self.seconds = self.floor = 0.0
        self.is_spent = False

    def begin(self, place: CountingPlace, origin: float) -> None:
        """Take note of a new point."""
        self._is_settled = False
        if self._means.journal is not None:
            self._means.journal.begin(place.probe, origin)
        if self._means.tracker is not None:
            self._means.tracker.begin(place.evaluations)

    def forget(self) -> None:
        """Use nothing that was evaluated before: the loss is called in another way from now on."""
        self._is_settled = False
        self._means = self._means._replace(journal=None)

    def evaluate(self, place: CountingPlace, displacements: Sequence[Displacement]) -> list[tuple[float, ...]]:
        """Evaluate a round.

        Returns
        -------
        list of tuple of float
            NaN for what would have cost too much.
        """
        journal, limits, tracker = self._means.journal, self._means.limits, self._means.tracker
        if journal is None and not limits and not tracker:
            return self._run(place, displacements)
        found = [None if journal is None else journal.get(displacement) for displacement in displacements]
        pending = [k for k, values in enumerate(found) if values is None]
        planned = sum(displacements[k].cost for k in pending)
        done = 0
        while done < len(pending):
            size = self._share(displacements, pending[done : done + self._most()], limits.left(place.evaluations))
            if not size:
                self.is_spent = True
                break
            chosen = pending[done : done + size]
            share = [displacements[k] for k in chosen]
            values = self._run(place, share)
            done += size
            planned -= sum(displacement.cost for displacement in share)
            if journal is not None:
                journal.add(share, values)
            if tracker is not None:
                tracker.tell(place.evaluations, planned)
            for k, one in zip(chosen, values, strict=True):
                found[k] = one
        return [one.unknown if values is None else values for one, values in zip(displacements, found, strict=True)]

    def _most(self) -> int:
        """Return how many evaluations there are at most before it is looked at limits again, and one more."""
        workers = self._means.workers
        return 1 + int(_SHARE_SECONDS / max(self.seconds, 1e-9) * (1 if workers is None else workers.expected))

    def _share(self, displacements: Sequence[Displacement], upcoming: Sequence[int], left: float) -> int:
        """Return how many of the upcoming displacements are evaluated before it is looked at limits again."""
        spent = np.cumsum([displacements[k].cost for k in upcoming])
        return int(min(np.count_nonzero(spent <= left), np.count_nonzero(spent < self._most()) + 1))

    def _run(self, place: CountingPlace, displacements: Sequence[Displacement]) -> list[tuple[float, ...]]:
        workers, count = self._means.workers, sum(displacement.cost for displacement in displacements)
        if workers is None or not workers.is_worth(self.seconds, count):
            return self._loss.evaluate(place, displacements)
        before = place.evaluations
        if not self._is_settled:
            workers.settle(place, self._loss, self.seconds, self.floor)
            self._is_settled = True
        found = workers.evaluate(displacements, self.seconds, place)
        # those that were made here were comparisons
        place.evaluations = before + count
        return found

    def close(self) -> None:
        """Tell nobody any more."""
        if self._means.tracker is not None:
            self._means.tracker.close()

    def forbid_mixing(self, place: Place, epsilon: float) -> None:
        """Raise InputError if parameters that are stacked have other losses than each has alone."""
        trial = everywhere(place.probe)
        alone, (together,) = trial(place), self._loss.evaluate(place, [trial])
        if not np.allclose(together, alone, rtol=min(_ROUNDINGS * epsilon, _COARSEST), atol=0, equal_nan=True):
            raise InputError(
                f"with `vectorized` each row of the stacked parameters must have its own loss: expected {list(alone)}, "
                f"got {list(together)}. Let the loss reduce over all axes but the first."
            )
