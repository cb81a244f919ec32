"""Whether a script's own network learns with other steps, or with scaled inputs: from the script's own start."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck.comparison.architecture import Architecture, used_rows
from gradcheck.comparison.measure import Task
from gradcheck.comparison.trainings import descend
from gradcheck.reference.data import standardization
from gradcheck.session.course import Course

# cosine between the script's first step and the gradient
_ALONG = 0.9
_FACTORS = (0.1, 0.01, 10.0, 100.0)
_LARGE = 5.0
_MOST_UPDATES = 20_000


@dataclass(frozen=True)
class Trial:
    """A training of the script's network from the script's own start, by plain steps.

    Attributes
    ----------
    factor : float
        How many times the script's own step its steps are.
    scaled : bool
        Whether inputs had mean 0 and spread 1.
    final : float
        The loss at the end; infinite where it diverged.
    """

    factor: float
    rate: float
    scaled: bool
    final: float
    updates: int


@dataclass(frozen=True)
class Steps:
    """The script's step size, and what came of others.

    Attributes
    ----------
    rate : float or None
        By how much the script's first step goes along the gradient of the measure; None where it does not.
    trials : tuple of Trial
        With other steps, and with scaled inputs.
    """

    rate: float | None
    trials: tuple[Trial, ...] = ()

    def best(self, good: float) -> Trial | None:
        """Return the first trial whose loss is good enough."""
        return next((trial for trial in self.trials if trial.final <= good), None)


def first_step(course: Course, architecture: Architecture, task: Task) -> tuple[float | None, int]:
    """Return the script's step size, and of how many samples its first step was."""
    sample, before, after = course.samples[0], course.snapshots[0], course.snapshots[1]
    X, Y = architecture.layout.rows(sample.inputs, sample.targets)
    used = used_rows(architecture, sample, X, Y)
    if used is None:
        return None, 1
    if course.calls[:2] != (1, 2) or any(not np.array_equal(before[n], sample.parameters[n]) for n in before):
        return None, len(used)
    network = architecture.network(before)
    start = network.vector.copy()
    network.objective_and_grad(X[used], Y[used], task.loss)
    gradient = network.grad_vector.copy()
    architecture.fill(network, after)
    change, own = network.vector - start, architecture.indices >= 0
    change, gradient = change[own], gradient[own]
    size = float(np.linalg.norm(change) * np.linalg.norm(gradient))
    if not size or -float(change @ gradient) < _ALONG * size:
        return None, len(used)
    return -float(change @ gradient) / float(gradient @ gradient), len(used)


def try_steps(course: Course, architecture: Architecture, task: Task, *, good: float, seed: int) -> Steps:
    """Train the script's network by other steps, and on scaled inputs, until a loss is good enough."""
    rate, batch = first_step(course, architecture, task)
    if rate is None or not math.isfinite(rate):
        return Steps(None)
    updates = min(course.calls[-1] - 1, _MOST_UPDATES)
    mean, scale = standardization(task.X)
    scaled = Task((task.X - mean) / scale, task.Y, task.loss, task.baseline)
    trials: list[Trial] = []
    # on inputs that are about as large as 1, scaling is no more than another step
    first = [(1.0, True)] if np.any(np.abs(mean) + scale > _LARGE) or np.any(scale < 1 / _LARGE) else []
    for factor, is_scaled in [*first, *((factor, False) for factor in _FACTORS)]:
        network = architecture.network(course.snapshots[0])
        data = scaled if is_scaled else task
        final = descend(data, network, rate=factor * rate, batch=batch, updates=updates, seed=seed)
        trials.append(Trial(factor, factor * rate, is_scaled, final, updates))
        if final <= good:
            break
    return Steps(rate, tuple(trials))
