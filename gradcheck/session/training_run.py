"""A script's own training, followed from its start to its end, and what becomes of the loss."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.answers import begin_input
from gradcheck.script.record.kernel import stand_in_for_kernel
from gradcheck.script.record.leaves import follow
from gradcheck.script.record.run import Recorder, Recording, StopScript, run_script
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.pairing import Slot, slots
from gradcheck.script.replay.perturb import assign
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand.candidates import read_variables

# so many rounds are followed, fewer where each computes with many numbers
_MOST_ROUNDS, _FEWEST_ROUNDS, _NUMBERS = 3_000, 300, 60_000_000
# the parameters are kept so many times on the way
_SNAPSHOTS = 16
# the end is the last part of the way, as a step that is taken for one sample goes up and down
_SHARE_OF_END, _AT_END = 0.25, 3
# the loss is taken on the data of so many moments
_MOMENTS = 8
# standard errors of a mean over samples, and what is no difference
_ERRORS, _ROUND = 2.0, 1e-6
# so much worse, as a share of the loss at the end and at the start, is worth a word
_WORSE, _OF_START = 0.1, 1e-3

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Run:
    """The parameters on the way, by round, and why the script did not come to its end where it did not."""

    snapshots: Mapping[int, Mapping[str, Any]]
    problem: str | None = None

    @property
    def start(self) -> Mapping[str, Any]:
        """The parameters at the start."""
        return self.snapshots[min(self.snapshots)]

    @property
    def end(self) -> list[Mapping[str, Any]]:
        """The parameters on the last part of the way."""
        last = max(self.snapshots)
        return [s for number, s in self.snapshots.items() if number >= (1 - _SHARE_OF_END) * last]


class _Follower(Recorder):
    """Looks at the parameters at the calls of the code that computes gradients."""

    def __init__(self, region: str, places: Sequence[Slot], most: int) -> None:
        super().__init__(set())
        self.snapshots: dict[int, dict[str, Any]] = {}
        self._region, self._slots, self._most = region, places, most
        self._count, self._every = 0, 1
        self._last: dict[str, Any] = {}

    def enter(self, function: str) -> bool:
        """Look at what is there; nothing is ever recorded."""
        if self.recording and function == self._region:
            self._look(sys._getframe(1).f_locals)
        return False

    def _look(self, variables: Mapping[str, Any]) -> None:
        try:
            self._last = {
                slot.name: follow(
                    (variables if slot.is_argument and slot.variable in variables else self.namespace)[slot.variable],
                    slot.path,
                )
                for slot in self._slots
            }
        except (AttributeError, IndexError, KeyError, TypeError):
            return
        self._count += 1
        if self._count % self._every == 0 or self._count == 1:
            self.snapshots[self._count] = copy.deepcopy(self._last)
            if len(self.snapshots) > _SNAPSHOTS:
                self._every *= 2
                self.snapshots = {n: s for n, s in self.snapshots.items() if n == 1 or n % self._every == 0}
        if self._count >= self._most:
            raise StopScript

    def end(self) -> None:
        """Keep what the parameters have become."""
        if self._last:
            self.snapshots[self._count + 1] = copy.deepcopy(self._last)


def rounds_to_follow(recording: Recording, backward: Backward) -> int:
    """Return how many rounds of a training to follow: a matter of how much each computes with, and of no clock."""
    places = slots(backward.region, backward.moments[0], read_variables(recording.source))
    numbers = sum(place.leaf.size for place in places)
    return max(_FEWEST_ROUNDS, min(_MOST_ROUNDS, _NUMBERS // max(numbers, 1)))


def follow_run(
    source: SourceFile, argv: Sequence[str], region: str, places: Sequence[Slot], most: int, seed: int, seconds: float
) -> Run | None:
    """Run a script, and keep its parameters on the way; None where it has no rounds to follow."""
    begin_input(source.path)
    stand_in_for_kernel(source)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator that scripts share
    follower = _Follower(region, places, most)
    with np.errstate(all="ignore"):
        _, problem = run_script(source, argv, seconds, follower, set(), set())
    follower.end()
    if not follower.snapshots:
        return None
    raised = problem is not None and problem.slug not in ("script-exited", "timeout")
    return Run(follower.snapshots, problem.message if raised and problem is not None else None)


@dataclass(frozen=True)
class Course:
    """The loss at the start and at the end of a training, on the data of several moments."""

    start: Array
    end: Array

    @property
    def is_finite(self) -> bool:
        """Whether it ends with a number."""
        return bool(np.all(np.isfinite(self.end)))

    def rises(self, sign: float = 1.0) -> bool:
        """Whether the loss, times a sign, ends above where it began, by more than chance."""
        if not self.is_finite:
            return True
        change = sign * (self.end - self.start)
        slack = _ERRORS * float(np.std(change)) / np.sqrt(change.size) + _ROUND * float(np.mean(np.abs(self.start)))
        return bool(np.mean(change) > slack)

    def explodes(self) -> bool:
        """Whether the loss ends far above where it began."""
        return not self.is_finite or float(np.mean(self.end)) > float(np.mean(self.start + 10 * np.abs(self.start)))

    def is_worse(self, other: Course, sign: float = 1.0) -> bool:
        """Whether the loss, times a sign, ends clearly above that of another training."""
        if not other.is_finite:
            return False
        change = sign * (self.end - other.end)
        slack = _ERRORS * float(np.std(change)) / np.sqrt(change.size)
        size = _WORSE * float(np.mean(np.abs(other.end))) + _OF_START * float(np.mean(np.abs(self.start)))
        return bool(np.mean(change) > slack + size)


def course_of(run: Run, recording: Recording, backward: Backward, loss: LossExpression) -> Course | None:
    """Return the course of a loss in a training; None where it cannot be computed on the way."""
    starts, ends = list[float](), list[float]()
    for moment in backward.moments[:_MOMENTS]:
        stage = Stage(recording, backward, moment)
        try:
            evaluate = stage.loss(loss)
            (start,) = _values(stage, evaluate, [run.start])
            if start in starts:  # the same data once more
                continue
            values = list(_values(stage, evaluate, run.end[-_AT_END:]))
        except Exception:  # noqa: BLE001 - the user's functions may raise anything
            continue
        starts.append(start)
        ends.append(float(np.mean(values)))
    found = Course(np.array(starts), np.array(ends))
    return found if starts and np.all(np.isfinite(found.start)) else None


def recorded_course(recording: Recording, backward: Backward, loss: LossExpression) -> Course | None:
    """Return a loss as it was at the first and at the last recorded moment, with the parameters of these."""
    found: list[float] = []
    for moment in (backward.moments[0], backward.moments[-1]):
        stage = Stage(recording, backward, moment)
        try:
            found += _values(stage, stage.loss(loss), [stage.parameters])
        except Exception:  # noqa: BLE001 - the user's functions may raise anything
            return None
    start, end = found
    return Course(np.array([start]), np.array([end])) if np.isfinite(start) else None


def _values(stage: Stage, evaluate: Any, points: Iterable[Mapping[str, Any]]) -> Iterable[float]:
    own = {name: np.array(value, dtype=float) for name, value in stage.parameters.items()}
    try:
        for point in points:
            for name in own:
                value = stage.in_order(name, point[name])
                assign(stage.parameters, name, np.asarray(value, dtype=float).reshape(own[name].shape))
            try:
                with np.errstate(all="ignore"):
                    yield float(np.asarray(evaluate(stage.parameters), dtype=float).reshape(-1)[0])
            except (ArithmeticError, ValueError):  # such as a logarithm of what a training has made negative
                yield np.nan
    finally:
        for name, value in own.items():
            assign(stage.parameters, name, value)
