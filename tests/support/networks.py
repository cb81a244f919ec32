"""Networks of any size with their gradients, for several test modules."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

Params = dict[str, np.ndarray]
Problem = tuple[Callable[[Params], Any], Callable[[Params], Params], Params]


def network(
    rng: np.random.Generator,
    *,
    sizes: tuple[int, ...] = (5, 8, 6, 3),
    samples: int = 30,
    activation: str = "tanh",
    head: str = "softmax",
    dtype: type = np.float64,
    zero_bias: bool = True,
) -> Problem:
    """Return loss, gradient and parameters of a network.

    Parameters
    ----------
    rng : Generator
        Draws data and parameters.
    sizes : tuple of int
        Width of each layer.
    samples : int
        Number of samples.
    activation : {"tanh", "relu", "sigmoid"}
        Of the hidden layers.
    head : {"softmax", "mse"}
        Softmax with cross-entropy, or a mean squared error.
    dtype : type
        Of data and parameters.
    zero_bias : bool
        Whether the biases are zero.
    """
    depth = len(sizes) - 1
    X: Any = rng.normal(size=(samples, sizes[0])).astype(dtype)
    labels = rng.integers(0, sizes[-1], samples)
    Y: Any = np.eye(sizes[-1], dtype=dtype)[labels]
    params: Params = {}
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        params[f"W{i}"] = (rng.normal(size=(a, b)) / np.sqrt(a)).astype(dtype)
        params[f"b{i}"] = (np.zeros(b) if zero_bias else 0.1 * rng.normal(size=b)).astype(dtype)
    functions: dict[str, tuple[Any, Any]] = {
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    }
    act, slope = functions[activation]

    def forward(p: Params) -> tuple[list[np.ndarray], list[np.ndarray]]:
        a, z = [X], []
        for i in range(depth):
            z.append(a[-1] @ p[f"W{i}"] + p[f"b{i}"])
            a.append(act(z[-1]) if i < depth - 1 else z[-1])
        return a, z

    def softmax(z: Any) -> Any:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def loss(p: Params) -> Any:
        out = forward(p)[0][-1]
        if head == "softmax":
            return -np.mean(np.log(softmax(out)[np.arange(samples), labels]))
        return np.mean((out - Y) ** 2)

    def grad(p: Params) -> Params:
        a, z = forward(p)
        d = (softmax(z[-1]) - Y) / samples if head == "softmax" else 2 * (z[-1] - Y) / Y.size
        found = {}
        for i in reversed(range(depth)):
            found[f"W{i}"], found[f"b{i}"] = a[i].T @ d, d.sum(axis=0)
            if i:
                d = (d @ p[f"W{i}"].T) * slope(z[i - 1])
        return found

    return loss, grad, params
