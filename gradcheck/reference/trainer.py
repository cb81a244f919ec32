"""Training: epochs of mini-batches, what was seen on the way, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from gradcheck.reference.arrays import Array
from gradcheck.reference.losses import Loss
from gradcheck.reference.network import Network, Workspace
from gradcheck.reference.optimizers import Optimizer

FINISHED, NO_PROGRESS, DIVERGED = "finished", "no progress", "diverged"


@dataclass
class History:
    """What was seen in a training.

    Attributes
    ----------
    loss : list of float
        For each epoch the mean loss over its samples, taken while the parameters moved and without the penalty, so
        that trainings with different penalties can be compared.
    validation_loss : list of float
        For each epoch the loss of the validation samples after it; empty without such samples.
    stopped : str
        ``finished`` after all epochs, ``no progress`` by early stopping, ``diverged`` if the loss was not finite.
    best_epoch : int or None
        With early stopping: the epoch, counted from 0, whose parameters were kept.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    stopped: str = FINISHED
    best_epoch: int | None = None

    @property
    def epochs(self) -> int:
        """How many epochs there were."""
        return len(self.loss)


def train(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int = 100,
    batch_size: int | None = None,
    l2: float = 0.0,
    seed: int | np.random.Generator = 0,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    patience: int | None = None,
    min_progress: float = 0.0,
    callback: Callable[[int, float], object] | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network : Network
        Its parameters are changed.
    X : array_like of shape (samples, inputs)
        One row per sample.
    Y : array_like of shape (samples, outputs)
        The targets.
    loss : Loss
        What is minimised; cross-entropies need the output activation that they are fused with.
    optimizer : Optimizer
        How the parameters move.
    epochs : int
        How often every sample is used.
    batch_size : int, optional
        Samples per step; the last batch of an epoch has what is left. All samples by default.
    l2 : float
        Strength of the penalty l2/2 * (sum of all squared weights).
    seed : int or numpy.random.Generator
        Decides the order of the samples, which is new in each epoch.
    validation : tuple of array_like, optional
        Inputs and targets that are watched, and not trained on.
    patience : int, optional
        Stop early after so many epochs without progress of the validation loss, or of the training loss where there
        are no validation samples; the best parameters are kept.
    min_progress : float
        By how much a loss has to be below the best one before, to count as progress.
    callback : callable, optional
        Called with the number of epochs that are done and the loss of the last one.

    Returns
    -------
    History
        The losses, and why the training ended.

    Raises
    ------
    ValueError
        If arrays do not fit the network or are not finite, or a number is out of its range.
    """
    X, Y = network.checked(X, Y, loss)
    _check_numbers(epochs=epochs, batch_size=batch_size, patience=patience, l2=l2)
    batches = Batches(network, X, Y, batch_size or len(X), np.random.default_rng(seed))
    watched = None if validation is None else network.checked(*validation, loss)
    history, stopping = History(), None if patience is None else _EarlyStopping(network, patience, min_progress)
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges is reported in the history
        for epoch in range(epochs):
            seen = _one_epoch(network, batches, loss, optimizer, l2)
            history.loss.append(seen)
            if watched is not None:
                seen = _loss_of(network, *watched, loss)
                history.validation_loss.append(seen)
            if callback is not None:
                callback(epoch + 1, history.loss[-1])
            if not math.isfinite(seen):
                history.stopped = DIVERGED
                break
            if stopping is not None and stopping.is_enough(epoch, seen):
                history.stopped = NO_PROGRESS
                break
    if stopping is not None:
        history.best_epoch = stopping.restore()
    return history


class Batches:
    """The mini-batches of an epoch, in an order that is new each time; their arrays are made once.

    Parameters
    ----------
    network : Network
        Which they are for.
    X : ndarray of shape (samples, inputs)
        One row per sample.
    Y : ndarray of shape (samples, outputs)
        The targets.
    batch_size : int
        Samples per batch; the last one has what is left.
    rng : numpy.random.Generator
        Decides the order.
    """

    def __init__(self, network: Network, X: Array, Y: Array, batch_size: int, rng: np.random.Generator) -> None:
        self.X, self.Y = X, Y
        self._rng = rng
        self._order = np.arange(len(X))
        self._size = size = min(batch_size, len(X))
        self._spaces = {n: Workspace(network, n) for n in {size, len(X) % size} - {0}}
        self._X, self._Y = np.empty_like(X[:size]), np.empty_like(Y[:size])

    def __iter__(self) -> Iterator[tuple[Array, Array, Workspace]]:
        if self._size == len(self.X):
            yield self.X, self.Y, self._spaces[self._size]
            return
        self._rng.shuffle(self._order)
        for start in range(0, len(self.X), self._size):
            rows = self._order[start : start + self._size]
            X, Y = self._X[: len(rows)], self._Y[: len(rows)]
            # with mode="raise", the default, take() would write into a copy of `out` first
            self.X.take(rows, axis=0, out=X, mode="clip")
            self.Y.take(rows, axis=0, out=Y, mode="clip")
            yield X, Y, self._spaces[len(rows)]


def _one_epoch(network: Network, batches: Batches, loss: Loss, optimizer: Optimizer, l2: float) -> float:
    """Use every sample once; return the mean loss."""
    total = 0.0
    for X, Y, space in batches:
        total += len(X) * network.backpropagate(X, Y, loss, space, l2)
        optimizer.update(network.vector, network.grad_vector)
    return total / len(batches.X)


def _loss_of(network: Network, X: Array, Y: Array, loss: Loss) -> float:
    space = Workspace(network, len(X))
    network.forward(X, space)
    return loss.value(space.logits, space.activations[-1], Y)


class _EarlyStopping:
    """Remembers the best parameters, and counts the epochs since."""

    def __init__(self, network: Network, patience: int, min_progress: float) -> None:
        self._network, self._patience, self._min_progress = network, patience, min_progress
        self._best, self._epoch = math.inf, 0
        self._vector = network.vector.copy()

    def is_enough(self, epoch: int, loss: float) -> bool:
        if loss < self._best - self._min_progress or self._best == math.inf:
            self._best, self._epoch = loss, epoch
            self._vector[...] = self._network.vector
        return epoch - self._epoch >= self._patience

    def restore(self) -> int:
        self._network.vector[...] = self._vector
        return self._epoch


def _check_numbers(*, l2: float, **counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1):
            raise ValueError(f"{name}: expected a whole number of at least 1, got {count!r}")
    if not 0 <= l2 < math.inf:
        raise ValueError(f"l2: expected a number of at least 0, got {l2!r}")
