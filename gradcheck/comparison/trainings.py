"""Trainings of the reference on a script's data: of the same network, of wider ones, and with other steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.comparison.measure import Task
from gradcheck.comparison.record import Run
from gradcheck.reference import SGD, Adam, Network, SquaredError, train
from gradcheck.reference.arrays import Array
from gradcheck.reference.data import split, standardization

_EPOCHS, _CHUNK = 4_000, 100
_RATES, _STARTS = (0.05, 0.1), 3
# what a training may cost, and several of them together, in multiplications: seconds would make what is learned depend
# on what else the machine does
_WORK_EACH, _WORK = 2e9, 6e9
# an update costs as much as so many, however small the network
_WORK_OF_UPDATE = 1e5
# multiplications by each weight, for each sample: forward, and twice backward
_PASSES = 3
_MOST_IN_BATCH = 256
# of the loss of a constant prediction
_SOLVED = 5e-4
_WIDTHS = (8, 16, 32)


@dataclass(frozen=True)
class Kind:
    """A network to train: its widths and activations."""

    widths: tuple[int, ...]
    hidden: str
    output: str


def best_of(task: Task, kind: Kind, *, seed: int, name: str, title: str, good: float = 0.0) -> Run:
    """Train a network from several starting values; return the training that ended with the lowest loss.

    Inputs are scaled to mean 0 and spread 1, and so are targets where outputs are not bounded: this changes nothing in
    what a network can represent, and makes it easier to train.
    """
    best: Run | None = None
    spent = 0.0
    scaled = _scaled(task, kind.output)
    trials = 0
    for rate, start in itertools.product(_RATES, range(_STARTS)):
        trials += 1
        losses, work = _train(scaled, kind, rate, seed + start)
        spent += work
        steps = tuple(range(1, len(losses) + 1))
        run = Run(name, title, kind.widths, kind.hidden, kind.output, steps, losses)
        best = run if best is None else best_run([best, run])
        if best.final < max(good, _SOLVED * task.baseline) or spent > _WORK:
            break
    assert best is not None
    return replace(best, note=f"the best of {trials} trials" if trials > 1 else "")


@dataclass(frozen=True)
class _Scaled:
    X: Array
    Y: Array
    task: Task
    factor: float


def _scaled(task: Task, output: str) -> _Scaled:
    mean, scale = standardization(task.X)
    X, Y, factor = (task.X - mean) / scale, task.Y, 1.0
    if output == "linear" and isinstance(task.loss, SquaredError):
        factor = float(np.std(Y - Y.mean(axis=0))) or 1.0
        Y = (Y - Y.mean(axis=0)) / factor
    return _Scaled(X, Y, task, factor**2)


def _train(scaled: _Scaled, kind: Kind, rate: float, seed: int) -> tuple[tuple[float, ...], float]:
    """Return the losses of a training, and what it has cost."""
    network = Network(kind.widths, hidden=kind.hidden, output=kind.output, seed=seed)
    optimizer, spent = Adam(rate), 0.0
    batch = len(scaled.X) if len(scaled.X) <= _MOST_IN_BATCH else 64
    losses: list[float] = []
    epochs = _CHUNK if len(scaled.X) <= _MOST_IN_BATCH else 5
    while len(losses) < _EPOCHS and spent < _WORK_EACH:
        history = train(
            network,
            scaled.X,
            scaled.Y,
            loss=scaled.task.loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch,
            seed=seed + len(losses),
        )
        spent += _work(network, len(scaled.X), batch, epochs)
        losses += [loss * scaled.factor for loss in history.loss]
        if not math.isfinite(losses[-1]) or losses[-1] < _SOLVED * scaled.task.baseline:
            break
    return tuple(losses), spent


def _work(network: Network, rows: int, batch: int, epochs: int) -> float:
    """Return what so many epochs cost."""
    return float(epochs * (_WORK_OF_UPDATE * -(-rows // batch) + _PASSES * rows * network.vector.size))


def wider(task: Task, kind: Kind, *, seed: int, good: float, hidden: tuple[int, ...] | None = None) -> list[Run]:
    """Train wider networks, until one has a loss that is good enough.

    Parameters
    ----------
    hidden : tuple of int, optional
        The units of the hidden layers, if they are chosen.
    """
    widest, layers = max(kind.widths[1:-1], default=0), max(len(kind.widths) - 2, 1)
    widths = [width for width in _WIDTHS if width > widest] or [2 * widest]
    choices = [hidden] if hidden is not None else [(width,) * layers for width in widths]
    activations = dict.fromkeys([*([kind.hidden] if kind.hidden not in ("linear", "softmax") else []), "tanh"])
    runs: list[Run] = []
    for units in choices:
        found = []
        for name in activations:
            other = Kind((kind.widths[0], *units, kind.widths[-1]), name, kind.output)
            found.append(best_of(task, other, seed=seed, name="wider", title="reference, wider", good=good))
            if found[-1].final <= good:
                break
        runs.append(best_run(found))
        if runs[-1].final <= good:
            break
    return runs


def held_out(task: Task, kind: Kind, *, seed: int) -> float:
    """Train on three quarters of the samples; return the lowest loss that the others have had on the way."""
    scaled = _scaled(task, kind.output)
    kept, aside = split(len(scaled.X), 0.25, seed)
    network = Network(kind.widths, hidden=kind.hidden, output=kind.output, seed=seed)
    history = train(
        network,
        scaled.X[kept],
        scaled.Y[kept],
        loss=task.loss,
        optimizer=Adam(_RATES[0]),
        epochs=_EPOCHS // 2,
        batch_size=None if len(kept) <= _MOST_IN_BATCH else 64,
        seed=seed,
        validation=(scaled.X[aside], scaled.Y[aside]),
        patience=_EPOCHS // 4,
    )
    return min(history.validation_loss) * scaled.factor


def descend(task: Task, network: Network, *, rate: float, batch: int, updates: int, seed: int) -> float:
    """Train a network by plain steps, as scripts do, from the parameters that it has; return its loss at the end."""
    spent, done, rows = 0.0, 0, len(task.X)
    per_epoch = max(1, -(-rows // batch))
    optimizer = SGD(rate)
    while done < updates and spent < _WORK_EACH:
        epochs = max(1, min(updates - done, 500) // per_epoch)
        history = train(
            network,
            task.X,
            task.Y,
            loss=task.loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=min(batch, rows),
            seed=seed + done,
        )
        done += epochs * per_epoch
        spent += _work(network, rows, batch, epochs)
        if history.stopped == "diverged":
            return math.inf
    value = task.of(network)
    return value if math.isfinite(value) else math.inf


def best_run(runs: Sequence[Run]) -> Run:
    """Return the training with the lowest loss at its end."""
    return min(runs, key=lambda run: run.final if math.isfinite(run.final) else math.inf)
