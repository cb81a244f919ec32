"""One loss for all trainings, so that they can be compared: over all samples, whatever the script sums or halves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.comparison.architecture import Architecture, used_rows
from gradcheck.errors import ScriptError
from gradcheck.reference import BinaryCrossEntropy, Network, SoftmaxCrossEntropy, SquaredError
from gradcheck.reference.arrays import Array
from gradcheck.reference.losses import Loss
from gradcheck.reference.network import Workspace
from gradcheck.session.course import Course
from gradcheck.session.dataset import Sample

_MOST_ROWS = 2_000
_SAME = 1e-3


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Attributes
    ----------
    X : ndarray of shape (samples, inputs)
        The different inputs.
    Y : ndarray of shape (samples, outputs)
        Their targets.
    baseline : float
        The loss of the best constant prediction.
    """

    X: Array
    Y: Array
    loss: Loss
    baseline: float

    @property
    def measure(self) -> str:
        """What the loss is called."""
        return "squared error" if isinstance(self.loss, SquaredError) else "cross-entropy"

    def of(self, network: Network) -> float:
        """Return the loss of a network."""
        space = Workspace(network, len(self.X))
        with np.errstate(all="ignore"):
            network.forward(self.X, space)
            return self.loss.value(space.logits, space.activations[-1], self.Y)


def task_of(course: Course, architecture: Architecture) -> Task:
    """Return all samples that a script was trained on, and by what its trainings are measured."""
    pairs = [architecture.layout.rows(inputs, targets) for inputs, targets in course.batches]
    fitting = [(X, Y) for X, Y in pairs if len(X) == len(Y) and X.shape[1] == architecture.widths[0]]
    if not fitting:
        raise ScriptError("the data that were recorded do not fit together", slug="no-data", line=course.line)
    X, Y = (np.concatenate(parts) for parts in zip(*fitting, strict=True))
    if len(fitting) > 1:  # what was handed over batch by batch came again in each epoch
        _, first = np.unique(np.concatenate([X, Y], axis=1), axis=0, return_index=True)
        X, Y = X[np.sort(first)], Y[np.sort(first)]
    if len(X) > _MOST_ROWS:
        rows = np.linspace(0, len(X) - 1, _MOST_ROWS).astype(np.intp)
        X, Y = X[rows], Y[rows]
    loss = _loss(course.samples, architecture, Y)
    return Task(X, Y, loss, _baseline(loss, Y))


def _loss(samples: Sequence[Sample], architecture: Architecture, Y: Array) -> Loss:
    """Return the cross-entropy where the script's loss is a multiple of it, else the squared error."""
    fused: Loss = SoftmaxCrossEntropy() if architecture.output == "softmax" else BinaryCrossEntropy()
    if architecture.output != fused.output or np.any(Y < 0) or np.any(Y > 1):
        return SquaredError()
    spread = {loss.name: _spread(samples, architecture, loss) for loss in (SquaredError(), fused)}
    return fused if spread[fused.name] < max(_SAME, 0.5 * spread["squared_error"]) else SquaredError()


def _spread(samples: Sequence[Sample], architecture: Architecture, loss: Loss) -> float:
    """Return how much the ratio of the script's loss to another one varies."""
    ratios = []
    for sample in samples:
        X, Y = architecture.layout.rows(sample.inputs, sample.targets)
        used = used_rows(architecture, sample, X, Y)
        if used is None:
            continue
        network = architecture.network(sample.parameters)
        value = Task(X[used], Y[used], loss, 0.0).of(network)
        ratios.append(sample.loss / value if value else math.nan)
    if not ratios or not all(map(math.isfinite, ratios)):
        return math.inf
    return float(np.ptp(ratios) / max(abs(float(np.mean(ratios))), 1e-300)) if len(ratios) > 1 else 0.0


def _baseline(loss: Loss, Y: Array) -> float:
    mean = Y.mean(axis=0)
    if isinstance(loss, SquaredError):
        return float(np.mean((Y - mean) ** 2))
    p = np.clip(mean, 1e-12, 1 - 1e-12)
    if isinstance(loss, SoftmaxCrossEntropy):
        return float(-np.sum(p * np.log(p)))
    return float(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))


def losses_of(course: Course, architecture: Architecture, task: Task) -> tuple[float, ...]:
    """Return the losses over all samples at the moments of a training."""
    network: Any = architecture.network(course.snapshots[0])
    found = []
    for parameters in course.snapshots:
        architecture.fill(network, parameters)
        found.append(task.of(network))
    return tuple(found)
