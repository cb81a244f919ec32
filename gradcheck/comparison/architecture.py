"""Which multilayer perceptron a script has: the one that computes the same predictions with the script's parameters.

Nothing is taken from names. Widths, orientations of matrices, activations and the layout of the data are tried until
the reference network, filled with the script's own parameters, predicts what the script has predicted.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.reference import Network
from gradcheck.reference.arrays import Array
from gradcheck.reference.data import one_hot
from gradcheck.session.dataset import Sample

Indices = np.ndarray

_RTOL, _ATOL = 1e-5, 1e-7
_HIDDEN = ("sigmoid", "tanh", "relu", "leaky_relu", "linear", "softmax")
_OUTPUT = ("sigmoid", "linear", "softmax", "tanh", "relu", "leaky_relu")
_MOST_CHAINS, _MOST_LEAVES, _MOST_ROWS = 2_000, 12, 64
# what the search may cost, in multiplications: seconds would make what is found depend on what else the machine does
_WORK, _WORK_OF_TRIAL = 1e10, 2e5


@dataclass(frozen=True)
class Layout:
    """How the script's arrays are turned into rows, one for each sample.

    Attributes
    ----------
    inputs, targets : str
        ``rows``, ``columns`` (the samples are columns) or ``flat`` (all that there is belongs to one sample).
    classes : int
        Number of classes where targets are their numbers, else 0.
    """

    inputs: str
    targets: str
    classes: int = 0

    def rows(self, inputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return inputs and targets of shape (samples, width)."""
        X, Y = as_rows(inputs, self.inputs), as_rows(targets, self.targets)
        if self.classes:
            Y = one_hot(Y.reshape(-1).astype(np.intp), self.classes)
        return X, Y


@dataclass(frozen=True)
class Architecture:
    """A multilayer perceptron, and how the script's parameters fill it.

    Attributes
    ----------
    widths : tuple of int
        Inputs, units of each hidden layer, outputs.
    names : tuple of str
        The script's parameters, in the order in which `indices` counts their entries.
    indices : ndarray of int
        For each parameter of the network the number of the script's entry; -1 for a bias that the script lacks.
    ends : tuple of int
        The number of entries up to the end of each of the script's parameters.
    """

    widths: tuple[int, ...]
    hidden: str
    output: str
    layout: Layout
    names: tuple[str, ...]
    indices: Indices
    ends: tuple[int, ...]

    def network(self, parameters: Mapping[str, Array]) -> Network:
        """Return the reference network with the script's parameters."""
        network = Network(self.widths, hidden=self.hidden, output=self.output)
        self.fill(network, parameters)
        return network

    def name_of(self, entry: int) -> str:
        """Return the script's parameter that an entry belongs to."""
        return self.names[int(np.searchsorted(self.ends, entry, side="right"))]

    def fill(self, network: Network, parameters: Mapping[str, Array]) -> None:
        """Give a network of these widths the script's parameters."""
        flat = np.concatenate([*(np.ravel(parameters[name]) for name in self.names), [0.0]])
        network.vector[...] = flat[self.indices]


def as_rows(values: Array, layout: str) -> Array:
    """Return values of shape (samples, width)."""
    found = np.asarray(values, dtype=float)
    if layout == "flat":
        return found.reshape(1, -1)
    if found.ndim < 2:
        return found.reshape(-1, 1)
    found = found.reshape(len(found), -1)
    return found.T if layout == "columns" else found


def find_architecture(samples: Sequence[Sample]) -> Architecture | None:
    """Return the network that predicts what the script has predicted; None if there is none."""
    first = samples[0]
    names = tuple(sorted(first.parameters, key=_natural))
    if len(names) > _MOST_LEAVES and any(first.parameters[name].size > 1 for name in names):
        return None
    leaves = list(_numbered(names, first.parameters))
    ends = tuple(itertools.accumulate(leaf.size for leaf in leaves))
    spent, each = 0.0, _WORK_OF_TRIAL + (len(first.inputs) * ends[-1] if np.ndim(first.inputs) else 0)
    for layout, n_in, n_out in _layouts(first):
        for chain in itertools.islice(_all_chains(leaves, names, n_in, n_out), _MOST_CHAINS):
            widths = (n_in, *(weight.shape[1] for weight, _ in chain))
            indices = np.concatenate([*(np.ravel(w) for w, _ in chain), *(b for _, b in chain)])
            hidden = _HIDDEN if len(chain) > 1 else ("linear",)
            for f, g in itertools.product(hidden, _OUTPUT):
                # most do not fit the first moment already
                spent += each
                if spent > _WORK:
                    return None
                found = Architecture(widths, f, g, layout, names, indices, ends)
                if all(_predicts(found, sample) for sample in samples):
                    return found
    return None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def _numbered(names: Sequence[str], parameters: Mapping[str, Array]) -> Iterator[Indices]:
    start = 0
    for name in names:
        shape = parameters[name].shape
        yield np.arange(start, start + math.prod(shape)).reshape(shape)
        start += math.prod(shape)


def _layouts(sample: Sample) -> Iterator[tuple[Layout, int, int]]:
    """Return the ways in which inputs and targets have as many rows, with the widths."""
    kinds = ("rows", "columns", "flat")
    seen = set()
    for one, other in itertools.product(kinds, kinds):
        X, Y = as_rows(sample.inputs, one), as_rows(sample.targets, other)
        if len(X) != len(Y) or (X.shape, Y.shape, one == "columns", other == "columns") in seen:
            continue
        seen.add((X.shape, Y.shape, one == "columns", other == "columns"))
        yield Layout(one, other), X.shape[1], Y.shape[1]
        if sample.targets.dtype.kind in "iu" and Y.shape[1] == 1 and sample.prediction.ndim == 2:
            for classes in {*sample.prediction.shape} - {1}:
                if np.max(Y) < classes:
                    yield Layout(one, other, classes), X.shape[1], classes


Chain = list[tuple[Indices, Indices]]


def _all_chains(leaves: list[Indices], names: Sequence[str], n_in: int, n_out: int) -> Iterator[Chain]:
    """Return the ways to put the parameters into layers, each with its weights and biases."""
    yield from _chains(leaves, n_in, n_out)
    if all(leaf.size == 1 for leaf in leaves) and len(leaves) > 2:
        yield from _single(leaves, names, n_in, n_out)


def _chains(leaves: list[Indices], width: int, n_out: int) -> Iterator[Chain]:
    if not leaves:
        return
    for i, leaf in enumerate(leaves):
        others = [*leaves[:i], *leaves[i + 1 :]]
        for weight, bias in _layers(leaf, width):
            units = weight.shape[1]
            # a bias of its own column, then one of the other parameters, then none
            choices = [(bias, others)] if bias is not None else list(_biases(others, units))
            for chosen, left in choices:
                if not left and units == n_out:
                    yield [(weight, chosen)]
                for rest in _chains(left, units, n_out):
                    yield [(weight, chosen), *rest]


def _layers(leaf: Indices, width: int) -> Iterator[tuple[Indices, Indices | None]]:
    """Return the ways in which an array can hold the weights of a layer with so many inputs."""
    if leaf.ndim == 0:
        if width == 1:
            yield leaf.reshape(1, 1), None
    elif leaf.ndim == 1:
        if width == 1:
            yield leaf.reshape(1, -1), None
        if len(leaf) == width != 1:
            yield leaf.reshape(-1, 1), None
    elif leaf.ndim == 2:
        for matrix in (leaf, leaf.T):
            if len(matrix) == width:
                yield matrix, None
            if len(matrix) == width + 1:
                yield matrix[1:], matrix[0]
                yield matrix[:-1], matrix[-1]


def _biases(leaves: list[Indices], units: int) -> Iterator[tuple[Indices, list[Indices]]]:
    for i, leaf in enumerate(leaves):
        if leaf.size == units or leaf.size == 1:
            yield np.broadcast_to(leaf.reshape(-1), (units,)), [*leaves[:i], *leaves[i + 1 :]]
    yield np.full(units, -1), leaves


def _single(leaves: list[Indices], names: Sequence[str], n_in: int, n_out: int) -> Iterator[Chain]:
    """Return layers that are made of single numbers: weights in one order or the other, then biases."""
    weights = [leaf.item() for leaf, name in zip(leaves, names, strict=True) if not re.match(r"(?i).*\bb|b", name)]
    biases = [leaf.item() for leaf, name in zip(leaves, names, strict=True) if leaf.item() not in weights]
    for units in range(1, len(weights)):
        if n_in * units + units * n_out != len(weights) or len(biases) not in (0, units + n_out):
            continue
        first, second = np.array(weights[: n_in * units]), np.array(weights[n_in * units :])
        own = np.array(biases) if biases else np.full(units + n_out, -1)
        for W1 in (first.reshape(units, n_in).T, first.reshape(n_in, units)):
            for W2 in (second.reshape(n_out, units).T, second.reshape(units, n_out)):
                yield [(W1, own[:units]), (W2, own[units:])]


def _predicts(architecture: Architecture, sample: Sample) -> bool:
    """Whether the network predicts what the script did, for all inputs or for some of them, of the same targets."""
    X, Y = architecture.layout.rows(sample.inputs, sample.targets)
    if len(X) != len(Y) or X.shape[1] != architecture.widths[0] or not np.all(np.isfinite(X)):
        return False
    return used_rows(architecture, sample, X, Y) is not None


def used_rows(architecture: Architecture, sample: Sample, X: Array, Y: Array) -> Indices | None:
    """Return of which samples a moment's predictions are; None where they are not those of the network.

    Parameters
    ----------
    X, Y : ndarray of shape (samples, width)
        Its inputs and targets.
    """
    found = architecture.network(sample.parameters).predict(X)
    if not np.all(np.isfinite(found)):
        return None
    width = found.shape[1]
    for prediction in _predictions(sample.prediction, width):
        if len(prediction) == len(found) and np.allclose(prediction, found, rtol=_RTOL, atol=_ATOL):
            return np.arange(len(found))
        if len(prediction) < len(found) and len(prediction) <= _MOST_ROWS:
            near = np.all(np.isclose(prediction[:, np.newaxis], found, rtol=_RTOL, atol=_ATOL), axis=2)
            if sample.wanted.size == prediction.size and Y.shape[1] == width:
                # of inputs with the same output, those with the same target
                near &= np.all(sample.wanted.reshape(-1, 1, width) == Y, axis=2)
            if np.all(np.any(near, axis=1)):
                return np.asarray(np.argmax(near, axis=1))
    return None


def _predictions(prediction: Array, width: int) -> Iterator[Array]:
    if prediction.size % width == 0:
        yield prediction.reshape(-1, width)
        if prediction.ndim == 2 and len(prediction) == width:
            yield prediction.T
