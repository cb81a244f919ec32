"""Evaluations of the loss elsewhere: in other processes or threads, or on a cluster whose engine the user has.

The convention is SciPy's: `workers` is a number of processes, or something that works like ``map``. What is sent is the
loss by value and a share of the displacements; the numbers that come back are those that this process would have got.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.errors import WorkerError
from gradcheck.evaluate.displacement import Displacement, Place, everywhere
from gradcheck.evaluate.inner_threads import limited_to
from gradcheck.evaluate.loss import Loss
from gradcheck.evaluate.params import Parameters
from gradcheck.evaluate.sending import by_value, map_like

# seconds that a task should take, so that its transport does not count, and that a round has to take to be sent at all
_TASK_SECONDS, _ROUND_SECONDS = 0.05, 0.1
# tasks per process, where their number is known: the last ones should end at about the same time
_TASKS_EACH = 4
# copies of losses that a worker keeps
_KEPT = 2
# relative difference of two values of the loss that only the number of threads in a sum makes
_SAME = 1e-12


@dataclass
class Replica:
    """The loss and its parameters, as a worker has them."""

    loss: Loss
    probe: Parameters

    def value(self) -> float:
        """Return the loss at the probe as it stands."""
        return self.loss.value_at(self.probe)

    def values(self, tree: object, count: int) -> npt.NDArray[Any]:
        """Return the loss of a stack, one number for each of its rows."""
        return self.loss.values(tree, count)


class Task(NamedTuple):
    """A share of a round.

    Attributes
    ----------
    replica : bytes or None
        The replica itself, where the worker may not have it.
    origin : int or None
        The process that has sent it, if other processes are to use one thread each for linear algebra.
    """

    key: str
    replica: bytes | None
    displacements: tuple[Displacement, ...]
    origin: int | None = None


class Answer(NamedTuple):
    """What a worker makes of a task: values, or why there are none.

    Attributes
    ----------
    problem : str or None
        What was raised; None without values means that the worker has no replica of that name.
    """

    values: list[tuple[float, ...]] | None
    problem: str | None = None


_replicas = threading.local()
# threads share the global random generators; evaluations that draw from these take turns
_turn = threading.Lock()


def run_task(task: Task) -> Answer:
    """Evaluate a share of a round; this is what runs in the worker."""
    kept: dict[str, Replica] = _replicas.__dict__
    try:
        replica = kept.get(task.key)
        if replica is None:
            if task.replica is None:
                return Answer(None)
            while len(kept) >= _KEPT:
                kept.pop(next(iter(kept)))
            replica = kept[task.key] = pickle.loads(task.replica)
        with ExitStack() as stack:
            if replica.loss.randomness.is_frozen:
                stack.enter_context(_turn)
            if task.origin not in (None, os.getpid()):
                stack.enter_context(limited_to(1))
            return Answer(replica.loss.evaluate(replica, task.displacements))
    except Exception as error:  # noqa: BLE001 - the user's loss may raise anything; it is looked into where it came from
        return Answer(None, f"{type(error).__name__}: {error}")


class Workers:
    """Where evaluations are sent."""

    def __init__(self, workers: Any) -> None:
        self._map, self._processes = map_like(workers)
        self._key, self._replica, self._is_known = "", b"", False

    @property
    def expected(self) -> int:
        """How many evaluations may be under way at the same time."""
        return self._processes or _TASKS_EACH

    def is_worth(self, seconds: float, count: int) -> bool:
        """Tell whether so many evaluations of this duration should be sent."""
        return seconds * count >= _ROUND_SECONDS

    def settle(self, place: Place, loss: Loss, seconds: float, floor: float) -> None:
        """Send the loss with its parameters as they stand; make sure that a worker gets the values of this process."""
        self._replica = by_value(Replica(loss, place.probe))
        self._key, self._is_known = hashlib.blake2b(self._replica, digest_size=16).hexdigest(), False
        # what a worker does not see moving shows
        trial = everywhere(place.probe)
        expected = np.array(trial(place))
        (got,) = self.evaluate([trial], seconds, place)
        close = np.abs(expected - got) <= _SAME * np.abs(expected) + floor
        if not (close | ~np.isfinite(expected)).all():
            raise WorkerError(
                f"the workers get another loss than this process at the same parameters: {list(got)}, expected "
                f"{expected.tolist()}. The loss works with something that is not sent along, such as what an installed "
                "module keeps; pass it as an argument, or use workers=None."
            )

    def evaluate(
        self,
        displacements: Sequence[Displacement],
        seconds: float,
        place: Place,
    ) -> list[tuple[float, ...]]:
        """Evaluate a round."""
        shares = self._shares(displacements, seconds)
        # joblib limits inner threads by itself
        origin = os.getpid() if self._processes is None else None
        known = None if self._is_known else self._replica
        answers = self._ask([Task(self._key, known, share, origin) for share in shares])
        # a worker that has come later, or has kept other replicas meanwhile
        missed = [k for k, answer in enumerate(answers) if answer.values is None and answer.problem is None]
        again = self._ask([Task(self._key, self._replica, shares[k], origin) for k in missed])
        for k, answer in zip(missed, again, strict=True):
            answers[k] = answer
        self._is_known = True
        found: list[tuple[float, ...]] = []
        for share, answer in zip(shares, answers, strict=True):
            if answer.values is None:
                for displacement in share:
                    displacement(place)
                raise WorkerError(f"a worker could not evaluate the loss, which this process can: {answer.problem}")
            found += answer.values
        return found

    def _shares(self, displacements: Sequence[Displacement], seconds: float) -> list[tuple[Displacement, ...]]:
        each = max(displacement.cost for displacement in displacements) * max(seconds, 1e-9)
        size = max(round(_TASK_SECONDS / each), 1)
        if self._processes is not None:
            # enough for all of them, and not more than it takes to let them end together
            size = max(size, math.ceil(len(displacements) / (_TASKS_EACH * self._processes)))
            size = min(size, math.ceil(len(displacements) / self._processes))
        return [tuple(displacements[k : k + size]) for k in range(0, len(displacements), size)]

    def _ask(self, tasks: Sequence[Task]) -> list[Answer]:
        if not tasks:
            return []
        try:
            answers = [
                answer.result() if hasattr(answer, "result") else answer for answer in self._map(run_task, tasks)
            ]
        except Exception as error:
            raise WorkerError(
                f"the workers gave no answer ({type(error).__name__}: {error}). A worker that was killed may have run "
                "out of memory; workers=None evaluates in this process."
            ) from error
        if len(answers) != len(tasks) or not all(isinstance(answer, Answer) for answer in answers):
            raise WorkerError(
                f"`workers` must return what the function that it is handed returns, in order: expected {len(tasks)} "
                f"results, got {len(answers)} of type {type(answers[0]).__name__ if answers else None}."
            )
        return answers
