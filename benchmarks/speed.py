"""Speed of a check of all entries against a bare in-place central-difference loop, and the price of large networks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np

from gradcheck import check_grad

SIZES = ((20, 30, 10), (50, 100, 45, 10), (100, 90, 10))
LARGE = ((50, 100, 45, 10), (784, 115, 10))
BATCH = 32

Arrays = dict[str, np.ndarray]
Network = tuple[Callable[[Arrays], float], Callable[[Arrays], Arrays], Arrays]


def network(sizes: tuple[int, ...]) -> Network:
    """Return the loss, the gradient and the parameters of a tanh network with a squared error."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(BATCH, sizes[0])), rng.normal(size=(BATCH, sizes[-1]))
    params: Arrays = {}
    for layer, (n, m) in enumerate(itertools.pairwise(sizes)):
        params[f"W{layer}"], params[f"b{layer}"] = rng.normal(size=(n, m)) / np.sqrt(n), np.zeros(m)
    depth = len(sizes) - 1

    def forward(p: Arrays) -> list[np.ndarray]:
        activations = [X]
        for layer in range(depth):
            z = activations[-1] @ p[f"W{layer}"] + p[f"b{layer}"]
            activations.append(np.tanh(z) if layer < depth - 1 else z)
        return activations

    def loss(p: Arrays) -> float:
        return float(np.mean((forward(p)[-1] - Y) ** 2))

    def grad(p: Arrays) -> Arrays:
        activations, found = forward(p), {}
        delta = 2 * (activations[-1] - Y) / Y.size
        for layer in reversed(range(depth)):
            found[f"W{layer}"], found[f"b{layer}"] = activations[layer].T @ delta, delta.sum(axis=0)
            if layer:
                delta = (delta @ p[f"W{layer}"].T) * (1 - activations[layer] ** 2)
        return found

    return loss, grad, params


def bare_loop(loss: Callable[[Arrays], float], params: Arrays, step: float = 6e-6) -> None:
    """Central differences of every entry, in place, and nothing else."""
    for value in params.values():
        flat = value.reshape(-1)
        for i in range(flat.size):
            kept = flat[i]
            flat[i] = kept + step
            plus = loss(params)
            flat[i] = kept - step
            minus = loss(params)
            flat[i] = kept
            _ = (plus - minus) / (2 * step)


def seconds(action: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def rows_of_speed(rounds: int) -> Iterator[str]:
    """Compare every entry; return evaluations per entry, and the ratio of the best times over interleaved rounds.

    Parameters
    ----------
    rounds : int
        How often each is timed.
    """
    yield f"{'parameters':>10}  {'evaluations per entry':>21}  {'time / bare loop':>16}"
    for sizes in SIZES:
        loss, grad, params = network(sizes)
        count = sum(value.size for value in params.values())
        results, ours, bare = [], [], []
        for _ in range(rounds):
            bare.append(seconds(lambda: bare_loop(loss, params)))
            ours.append(seconds(lambda: results.append(check_grad(loss, grad, params, entries="all"))))
        if not results[-1].passed:
            raise SystemExit(f"the correct network of {count} parameters was not accepted:\n{results[-1]}")
        yield f"{count:>10,}  {results[-1].evaluations / count:>21.3f}  {min(ours) / min(bare):>16.2f}"


def one_entry_wrong(grad: Arrays) -> Arrays:
    """Return a copy in which one entry of the first parameter, of about typical size, is 1 % too large."""
    name = next(iter(grad))
    values = grad[name].copy()
    typical = np.sqrt(np.mean(values**2))
    values[np.unravel_index(np.argmin(np.abs(np.abs(values) - typical)), values.shape)] *= 1.01
    return {**grad, name: values}


def rows_of_defaults() -> Iterator[str]:
    """Check large networks with default options; return evaluations and verdicts, also with one entry wrong."""
    yield f"{'parameters':>10}  {'gradient':<20}  {'evaluations':>11}  verdict"
    for sizes in LARGE:
        loss, grad, params = network(sizes)
        count = sum(value.size for value in params.values())
        correct = grad(params)
        for label, found in (("correct", correct), ("one entry 1 % wrong", one_entry_wrong(correct))):
            result = check_grad(loss, found, params)
            named = sum(parameter.mismatched for parameter in result.parameters)
            verdict = f"{result.verdict}, {named} entries named" if named else str(result.verdict)
            yield f"{count:>10,}  {label:<20}  {result.evaluations:>11,}  {verdict}"
