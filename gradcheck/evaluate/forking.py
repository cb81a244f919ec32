"""Evaluations in forks of this process: they see everything that it holds, so that nothing has to be sent to them."""

from __future__ import annotations

import itertools
import os
import pickle
import warnings
from collections.abc import Sequence

from gradcheck.evaluate.displacement import Displacement, Place
from gradcheck.evaluate.inner_threads import limited_to, prepared
from gradcheck.evaluate.loss import Loss

# a fork takes a few milliseconds
_ROUND_SECONDS = 0.2


class Forks:
    """So many forks for each round of evaluations.

    Parameters
    ----------
    count : int
        How many; where there are no forks, this process evaluates by itself.
    """

    def __init__(self, count: int) -> None:
        self.expected = count if hasattr(os, "fork") else 1

    def is_worth(self, seconds: float, count: int) -> bool:
        """Tell whether so many evaluations of this duration should be shared."""
        return self.expected > 1 and seconds * count >= _ROUND_SECONDS

    def settle(self, place: Place, loss: Loss, seconds: float, floor: float) -> None:
        """Do nothing: a fork has the loss and its parameters as they stand."""

    def evaluate(
        self,
        displacements: Sequence[Displacement],
        seconds: float,  # noqa: ARG002 - all forks begin at once
        place: Place,
    ) -> list[tuple[float, ...]]:
        """Evaluate a round."""
        count = min(self.expected, len(displacements))
        ends = [len(displacements) * k // count for k in range(count + 1)]
        shares = [displacements[a:b] for a, b in itertools.pairwise(ends)]
        prepared()
        threads = max((os.cpu_count() or 1) // count, 1)
        started = [_start(place, share, threads) for share in shares]
        found: list[tuple[float, ...]] = []
        for share, (pid, source) in zip(shares, started, strict=True):
            with os.fdopen(source, "rb") as pipe:
                answer = pipe.read()
            os.waitpid(pid, 0)
            found += pickle.loads(answer) if answer else [displacement(place) for displacement in share]
        return found


def _start(place: Place, share: Sequence[Displacement], threads: int) -> tuple[int, int]:
    """Start a fork that has so many threads for linear algebra."""
    source, sink = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a numerical library has
        pid = os.fork()
    if pid:
        os.close(sink)
        return pid, source
    try:
        os.close(source)
        with limited_to(threads):
            answer = pickle.dumps([displacement(place) for displacement in share])
        while answer:
            answer = answer[os.write(sink, answer) :]
    finally:
        # neither the exit handlers of the script nor its buffers are this fork's
        os._exit(0)
