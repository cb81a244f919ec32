"""Time per epoch of the reference trainer beside scikit-learn, PyTorch, and a loop over samples in plain Python.

The libraries train the same network on the same data with Adam, in the same batches, with ReLU and a cross-entropy,
and add up the loss of an epoch; each in the loop that its documentation shows. The loop in plain Python makes a step
for each sample.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from gradcheck.reference import Adam, Network, train
from gradcheck.reference.losses import loss_function

SIZES = ((2, 16, 1), (20, 32, 3), (64, 128, 10))
BATCHES = (16, 64, 256)
RATE = 0.01
# the loop over samples is timed on so many, and the time multiplied
LOOPED = 64


@dataclass(frozen=True)
class Problem:
    """A network's widths and the data that it is trained on.

    Attributes
    ----------
    widths : tuple of int
        Inputs, hidden units, outputs.
    X : ndarray of shape (samples, inputs)
        One row per sample.
    Y : ndarray of shape (samples, outputs)
        One column of 0 and 1, or one-hot rows.
    batch_size : int
        Samples per step.
    dtype : str
        What is computed with.
    """

    widths: tuple[int, ...]
    X: np.ndarray
    Y: np.ndarray
    batch_size: int
    dtype: str

    @property
    def binary(self) -> bool:
        """Whether there are two labels, and so one output."""
        return self.widths[-1] == 1


def drawn_problem(widths: tuple[int, ...], batch_size: int, dtype: str, samples: int) -> Problem:
    """Draw the data of a problem.

    Parameters
    ----------
    widths : tuple of int
        Inputs, hidden units, outputs.
    batch_size, samples : int
        Samples per step, and of all.
    dtype : {"float64", "float32"}
        What is computed with.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(samples, widths[0]))
    scores = X @ rng.normal(size=(widths[0], max(widths[-1], 2)))
    labels = scores.argmax(axis=1)
    Y = labels[:, np.newaxis] if widths[-1] == 1 else np.eye(widths[-1])[labels]
    return Problem(widths, X.astype(dtype), Y.astype(dtype), batch_size, dtype)


def reference_epochs(given: Problem, epochs: int) -> list[float]:
    """Return the seconds of each epoch of the reference trainer."""
    output, loss = ("sigmoid", "binary_cross_entropy") if given.binary else ("softmax", "softmax_cross_entropy")
    network = Network(given.widths, hidden="relu", output=output, dtype=given.dtype)
    times = [time.perf_counter()]
    train(
        network,
        given.X,
        given.Y,
        loss=loss_function(loss),
        optimizer=Adam(RATE),
        epochs=epochs,
        batch_size=given.batch_size,
        callback=lambda *_: times.append(time.perf_counter()),
    )
    return [after - before for before, after in itertools.pairwise(times)]


def torch_epochs(given: Problem, epochs: int) -> list[float]:
    """Return the seconds of each epoch with PyTorch: a Sequential, a loss on logits, Adam, and loss.item()."""
    import torch

    dtype = getattr(torch, given.dtype)
    layers = [
        part
        for n, m in itertools.pairwise(given.widths)
        for part in (torch.nn.Linear(n, m, dtype=dtype), torch.nn.ReLU())
    ]
    network = torch.nn.Sequential(*layers[:-1])
    loss_of = torch.nn.BCEWithLogitsLoss() if given.binary else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    X, Y = torch.from_numpy(given.X), torch.from_numpy(given.Y)

    def epoch() -> None:
        total = 0.0
        for rows in torch.randperm(len(X)).split(given.batch_size):
            optimizer.zero_grad()
            loss = loss_of(network(X[rows]), Y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)

    return [_seconds(epoch) for _ in range(epochs)]


def sklearn_epochs(given: Problem, epochs: int) -> list[float]:
    """Return the mean seconds of an epoch of scikit-learn's MLPClassifier.fit, as many times as there are epochs."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        given.widths[1:-1],
        batch_size=given.batch_size,
        learning_rate_init=RATE,
        alpha=0.0,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
    )
    y = given.Y[:, 0].astype(int) if given.binary else given.Y.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [_seconds(lambda: model.fit(given.X, y)) / epochs] * epochs


def looped_epochs(given: Problem, epochs: int) -> list[float]:
    """Return the seconds of an epoch of stochastic gradient descent, one sample and one number at a time."""
    network = Network(given.widths, hidden="relu", output="sigmoid")
    layers = [(layer.W.T.tolist(), layer.b.tolist()) for layer in network.layers]
    X, Y = given.X[:LOOPED].tolist(), given.Y[:LOOPED].tolist()

    def epoch() -> None:
        for x, y in zip(X, Y, strict=True):
            _looped_step(layers, x, y)

    return [_seconds(epoch) * len(given.X) / len(X) for _ in range(min(epochs, 3))]


def _looped_step(layers: list[tuple[list[list[float]], list[float]]], x: list[float], y: list[float]) -> None:
    """One step with plain lists; the output is a sigmoid or a softmax, whose gradients are both a - y."""
    activations = [x]
    for W, b in layers:
        z = [sum(w * a for w, a in zip(row, activations[-1], strict=True)) + c for row, c in zip(W, b, strict=True)]
        activations.append([max(value, 0.0) for value in z])
    if len(z) == 1:
        activations[-1] = [1 / (1 + math.exp(-z[0]))]
    else:
        powers = [math.exp(value - max(z)) for value in z]
        activations[-1] = [power / sum(powers) for power in powers]
    delta = [a - t for a, t in zip(activations[-1], y, strict=True)]
    for (W, b), a in zip(reversed(layers), reversed(activations[:-1]), strict=True):
        below = [sum(d * row[i] for d, row in zip(delta, W, strict=True)) if a[i] > 0 else 0.0 for i in range(len(a))]
        for j, d in enumerate(delta):
            row = W[j]
            for i, value in enumerate(a):
                row[i] -= RATE * d * value
            b[j] -= RATE * d
        delta = below


CONTENDERS: dict[str, tuple[str, Callable[[Problem, int], list[float]]]] = {
    "scikit-learn": ("sklearn", sklearn_epochs),
    "torch": ("torch", torch_epochs),
    "python loop": ("math", looped_epochs),
}


def rows_of_training(epochs: int, rounds: int, samples: int) -> Iterator[str]:
    """Compare times per epoch, the best of interleaved rounds.

    Parameters
    ----------
    epochs : int
        Of each training.
    rounds : int
        How often each is timed.
    samples : int
        How many there are.
    """
    present = {name: run for name, (module, run) in CONTENDERS.items() if find_spec(module)}
    for name in CONTENDERS.keys() - present.keys():
        yield f"{name} is left out: it is not installed"
    yield f"milliseconds per epoch of {samples:,} samples, and how many times as long the others take"
    yield f"{'network':>10} {'numbers':>8} {'batch':>5} {'reference':>10}" + "".join(f"{n:>22}" for n in present)
    for widths, dtype, batch_size in itertools.product(SIZES, ("float64", "float32"), BATCHES):
        given = drawn_problem(widths, batch_size, dtype, samples)
        best = dict.fromkeys(["reference", *present], math.inf)
        for _ in range(rounds):
            for name, run in {"reference": reference_epochs, **present}.items():
                best[name] = min(best[name], *run(given, epochs))
        own = best["reference"]
        others = "".join(f"{1e3 * best[n]:>12,.2f} ({best[n] / own:>6.1f}x)" for n in present)
        layers = "-".join(map(str, widths))
        yield f"{layers:>10} {dtype:>8} {batch_size:>5} {1e3 * own:>10.2f}  {others}"


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
