"""A network of 1,045 parameters with a hand-written gradient, the mistakes people make in it, and hard situations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.problems import Candidate, Params, Problem

SIZES = (12, 20, 30, 5)
DEPTH = len(SIZES) - 1
SAMPLES = 32
DECAY = 0.01
WEIGHTS = frozenset(f"W{layer}" for layer in range(DEPTH))
EVERYTHING = WEIGHTS | {f"b{layer}" for layer in range(DEPTH)}

ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
}


@dataclass(frozen=True)
class Situation:
    """What a network is checked under.

    Parameters
    ----------
    label : str
        How the tables call it.
    loss_unit : float
        What the loss is multiplied by.
    above_kink : float or None
        The first three hidden units see one sample exactly this far above zero.
    saturated : bool
        Whether the first five hidden units are far in the flat part of their activation.
    activations : tuple of str
        Those that it makes sense for.
    """

    label: str
    loss_unit: float = 1.0
    above_kink: float | None = None
    saturated: bool = False
    activations: tuple[str, ...] = ("tanh", "ReLU")


SITUATIONS = (
    Situation("plain"),
    Situation("loss x 1e6", 1e6),
    Situation("loss x 1e-6", 1e-6),
    Situation("loss x 1e-9", 1e-9),
    Situation("units at their kink", above_kink=0.0, activations=("ReLU",)),
    Situation("units 2e-7 from it", above_kink=2e-7, activations=("ReLU",)),
    Situation("saturated units", saturated=True),
)


@dataclass(frozen=True, eq=False)
class Network:
    """Softmax with cross-entropy and an L2 term, on data; computes in the type of its parameters.

    Parameters
    ----------
    activation : {"tanh", "ReLU"}
        Of the hidden layers.
    X, Y : float array, shape (samples, ...)
        Inputs and one-hot targets.
    unit : float
        What the loss is multiplied by.
    """

    activation: str
    X: np.ndarray
    Y: np.ndarray
    unit: float = 1.0

    def forward(self, params: Params) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the inputs of all layers and the outputs before their activation."""
        layers, before = [self.X], []
        for i in range(DEPTH):
            before.append(layers[-1] @ params[f"W{i}"] + params[f"b{i}"])
            layers.append(ACTIVATIONS[self.activation][0](before[-1]))
        return layers, before

    def loss(self, params: Params) -> float:
        """Return the loss."""
        logits = self.forward(params)[1][-1]
        shifted = logits - logits.max(axis=1, keepdims=True)
        likelihood = (self.Y * (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))).sum(axis=1)
        squares = sum(np.sum(params[name] ** 2) for name in sorted(WEIGHTS))
        value: float = self.unit * (DECAY / 2 * squares - likelihood.mean())
        return value

    def grad(self, params: Params, bug: str = "") -> Params:
        """Return the gradient, with one of the mistakes that are made on the way back."""
        layers, before = self.forward(params)
        slope = ACTIVATIONS[self.activation][1]
        odds = np.exp(before[-1] - before[-1].max(axis=1, keepdims=True))
        delta = odds / odds.sum(axis=1, keepdims=True) - self.Y
        if bug != "missing mean":
            delta = delta / len(self.X)
        decay = 0.0 if bug == "missing L2 term" else DECAY
        found = {}
        for i in reversed(range(DEPTH)):
            found[f"W{i}"] = self.unit * (layers[i].T @ delta + decay * params[f"W{i}"])
            found[f"b{i}"] = self.unit * (delta.mean(axis=0) if (bug, i) == ("bias mean", 1) else delta.sum(axis=0))
            if i:
                delta = delta @ params[f"W{i}"].T
                if (bug, i) != ("missing activation derivative", DEPTH - 1):
                    delta = delta * slope(before[i - 1])
        return {name: found[name] for name in params}


def _large_entry(values: np.ndarray, rng: np.random.Generator) -> tuple[int, ...]:
    """Draw an entry that is at least as large as the root mean square."""
    chosen = rng.choice(np.flatnonzero(np.abs(values) >= np.sqrt(np.mean(values**2))))
    return tuple(int(i) for i in np.unravel_index(chosen, values.shape))


def _double_one_entry(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = values.copy()
    values[_large_entry(values, rng)] *= 2
    return values


def _clear_one_row(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = values.copy()
    values[_large_entry(values, rng)[0]] = 0
    return values


# what goes wrong on the way back, and in which parameters it shows
PASS_BUGS = {
    "missing mean": EVERYTHING,
    "missing activation derivative": frozenset({"W0", "b0", "W1", "b1"}),
    "bias mean": frozenset({"b1"}),
    "missing L2 term": WEIGHTS,
}
# what is done to the gradient of one parameter
PARAMETER_BUGS: dict[str, tuple[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]]] = {
    "bias zero": ("b0", lambda values, _: 0 * values),
    "sign": ("W1", lambda values, _: -values),
    "one entry x2": ("W1", _double_one_entry),
    "one row zero": ("W1", _clear_one_row),
    "1 % too large": ("W2", lambda values, _: values * values.dtype.type(1.01)),
    "x2": ("W0", lambda values, _: 2 * values),
}
LABELS = ("correct", *PASS_BUGS, *PARAMETER_BUGS)


def network_problem(activation: str, real: type, situation: Situation, seed: int) -> Problem:
    """Return a network in a situation, with its correct gradient and all planted mistakes.

    Parameters
    ----------
    activation : {"tanh", "ReLU"}
        Of the hidden layers.
    real : type
        Floating-point type of data and parameters.
    situation : Situation
        What makes it hard.
    seed : int
        Draws data, parameters and the entries that are wrong.
    """
    rng = np.random.default_rng(seed)
    X: np.ndarray = rng.normal(size=(SAMPLES, SIZES[0])).astype(real)
    Y: np.ndarray = np.eye(SIZES[-1], dtype=real)[rng.integers(0, SIZES[-1], SAMPLES)]
    params: Params = {}
    for i, (a, b) in enumerate(itertools.pairwise(SIZES)):
        params[f"W{i}"] = (rng.normal(size=(a, b)) / np.sqrt(a)).astype(real)
        params[f"b{i}"] = (0.1 * rng.normal(size=b)).astype(real)
    if situation.above_kink is not None:
        X[0] = 0  # such a sample sees the bias alone, without any rounding
        params["b0"][:3] = situation.above_kink
    if situation.saturated:
        params["b0"][:5] = -100
    network = Network(activation, X, Y, situation.loss_unit)
    correct = network.grad(params)
    candidates = [Candidate("correct", correct, frozenset())]
    candidates += [Candidate(bug, network.grad(params, bug), wrong) for bug, wrong in PASS_BUGS.items()]
    for label, (name, change) in PARAMETER_BUGS.items():
        candidates.append(Candidate(label, {**correct, name: change(correct[name], rng)}, frozenset({name})))
    variant = f"{activation}, {np.dtype(real)}"
    return Problem(situation.label, variant, seed, params, lambda: network.loss, tuple(candidates))


def network_problems(seed: int) -> list[Problem]:
    """Return a network of every activation and type in every situation.

    Parameters
    ----------
    seed : int
        See `network_problem`.
    """
    return [
        network_problem(activation, real, situation, seed)
        for situation in SITUATIONS
        for activation in situation.activations
        for real in (np.float64, np.float32)
    ]
