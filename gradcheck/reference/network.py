"""A multilayer perceptron: its parameters, its forward pass, and backpropagation.

Rows are samples. Layer l computes ``A_l = f_l(Z_l)`` with ``Z_l = A_(l-1) W_l + b_l``, where ``A_0 = X``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gradcheck.reference.activations import activation
from gradcheck.reference.arrays import Array, float_type, matrix, same_rows
from gradcheck.reference.layers import Dense
from gradcheck.reference.losses import Loss


class Workspace:
    """The arrays of one forward and backward pass, made once for a number of samples and used again for each batch.

    Parameters
    ----------
    network : Network
        Whose passes they are for.
    samples : int
        The number of rows.

    Attributes
    ----------
    activations, deltas : list of ndarray of shape (samples, width)
        A_l and dL/dA_l, which becomes dL/dZ_l, for every layer l.
    logits : ndarray of shape (samples, outputs)
        Z of the last layer.
    """

    def __init__(self, network: Network, samples: int) -> None:
        shapes = [(samples, width) for width in network.widths[1:]]
        self.activations: list[Array] = [np.empty(shape, network.dtype) for shape in shapes]
        self.deltas: list[Array] = [np.empty(shape, network.dtype) for shape in shapes]
        self.logits: Array = np.empty(shapes[-1], network.dtype)


class Network:
    """A multilayer perceptron.

    Parameters
    ----------
    widths : sequence of int
        Number of inputs, of the units of each hidden layer, and of outputs; at least two numbers.
    hidden : str or sequence of str
        Activation of the hidden layers, one for all or one for each: ``sigmoid``, ``tanh``, ``relu``, ``leaky_relu``,
        ``softmax`` or ``linear``.
    output : str
        Activation of the last layer.
    seed : int or numpy.random.Generator
        Decides the initial weights.
    dtype : {"float64", "float32"}
        Of the parameters and of everything that is computed.

    Attributes
    ----------
    vector, grad_vector : ndarray of shape (parameters,)
        All parameters and their gradient: all weights first, then all biases. The layers' arrays are views of them, so
        an optimizer updates the whole network in one go.
    layers : list of Dense
        The layers.

    Raises
    ------
    ValueError
        If a width is no positive whole number, or a name is unknown.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: str | Sequence[str] = "tanh",
        output: str = "linear",
        seed: int | np.random.Generator = 0,
        dtype: Any = "float64",
    ) -> None:
        self.widths = _checked_widths(widths)
        names = [hidden] * (len(self.widths) - 2) if isinstance(hidden, str) else list(hidden)
        if len(names) != len(self.widths) - 2:
            raise ValueError(f"hidden: expected {len(self.widths) - 2} activations, one per layer, got {len(names)}")
        self.dtype = float_type(dtype)
        shapes = list(itertools.pairwise(self.widths))
        self.n_weights = sum(inputs * outputs for inputs, outputs in shapes)
        self.vector: Array = np.zeros(self.n_weights + sum(self.widths[1:]), self.dtype)
        self.grad_vector: Array = np.zeros_like(self.vector)
        arrays = zip(*self._views(self.vector), *self._views(self.grad_vector), [*names, output], strict=True)
        self.layers = [Dense(W, b, dW, db, activation(name)) for W, b, dW, db, name in arrays]
        rng = np.random.default_rng(seed)
        for layer in self.layers:
            layer.initialize(rng)

    def _views(self, vector: Array) -> tuple[list[Array], list[Array]]:
        """Return the weights and the biases that lie in a vector, one of each per layer."""
        shapes = list(itertools.pairwise(self.widths))
        ends = list(itertools.accumulate([*(n * m for n, m in shapes), *self.widths[1:]]))
        parts = np.split(vector, ends[:-1])
        return [part.reshape(s) for part, s in zip(parts, shapes, strict=False)], parts[len(shapes) :]

    @property
    def params(self) -> dict[str, Array]:
        """The parameters, ``W1``, ``b1``, ``W2`` and so on: views, so changing them changes the network."""
        return {f"{name}{i}": getattr(layer, name) for i, layer in enumerate(self.layers, 1) for name in ("W", "b")}

    @property
    def grads(self) -> dict[str, Array]:
        """The gradient that was computed last, under the names of the parameters; views."""
        return {f"{n}{i}": getattr(layer, "d" + n) for i, layer in enumerate(self.layers, 1) for n in ("W", "b")}

    def predict(self, X: ArrayLike) -> Array:
        """Return the outputs.

        Parameters
        ----------
        X : array_like of shape (samples, inputs)
            One row per sample.

        Returns
        -------
        ndarray of shape (samples, outputs)
            Activations of the last layer.

        Raises
        ------
        ValueError
            If ``X`` has another shape or is not finite.
        """
        X = matrix(X, "X", self.dtype, self.widths[0])
        space = Workspace(self, len(X))
        self.forward(X, space)
        return space.activations[-1]

    def objective(self, X: ArrayLike, Y: ArrayLike, loss: Loss, *, l2: float = 0.0) -> float:
        """Return the loss plus the penalty l2/2 * (sum of all squared weights); biases are not penalised.

        Parameters
        ----------
        X : array_like of shape (samples, inputs)
            One row per sample.
        Y : array_like of shape (samples, outputs)
            The targets.
        loss : Loss
            The loss function.
        l2 : float
            Strength of the penalty.

        Raises
        ------
        ValueError
            If the shapes do not fit, something is not finite, or the loss does not belong to the output activation.
        """
        return self.objective_and_grad(X, Y, loss, l2=l2)[0]

    def objective_and_grad(
        self, X: ArrayLike, Y: ArrayLike, loss: Loss, *, l2: float = 0.0
    ) -> tuple[float, dict[str, Array]]:
        """Return what `objective` returns, and the gradient under the names of the parameters (copies).

        Parameters and errors are those of `objective`.
        """
        X, Y = self.checked(X, Y, loss)
        value = self.backpropagate(X, Y, loss, Workspace(self, len(X)), l2)
        weights = self.vector[: self.n_weights]
        return value + l2 / 2 * float(weights @ weights), {name: g.copy() for name, g in self.grads.items()}

    def checked(self, X: ArrayLike, Y: ArrayLike, loss: Loss) -> tuple[Array, Array]:
        """Return inputs and targets as arrays that fit the network; parameters and errors are those of `objective`."""
        if loss.output not in (None, self.layers[-1].f.name):
            raise ValueError(f"{loss.name} needs the output activation {loss.output}, got {self.layers[-1].f.name}")
        X, Y = matrix(X, "X", self.dtype, self.widths[0]), matrix(Y, "Y", self.dtype, self.widths[-1])
        same_rows(X, Y)
        return X, Y

    def forward(self, X: Array, space: Workspace) -> None:
        """Compute the activations of all layers, and the logits.

        Parameters
        ----------
        X : ndarray of shape (samples, inputs)
            One row per sample.
        space : Workspace
            Where they are written.
        """
        A = X
        for layer, out in zip(self.layers[:-1], space.activations, strict=False):
            layer.affine(A, out)
            layer.f.apply(out)
            A = out
        last, out = self.layers[-1], space.activations[-1]
        last.affine(A, space.logits)
        np.copyto(out, space.logits)
        last.f.apply(out)

    def backpropagate(self, X: Array, Y: Array, loss: Loss, space: Workspace, l2: float = 0.0) -> float:
        """Compute the gradient of the loss and of the penalty; it is then in `grad_vector`.

        Parameters
        ----------
        X : ndarray of shape (samples, inputs)
            One row per sample.
        Y : ndarray of shape (samples, outputs)
            The targets.
        loss : Loss
            The loss function.
        space : Workspace
            Scratch space for as many samples.
        l2 : float
            Strength of the penalty.

        Returns
        -------
        float
            The loss, without the penalty.
        """
        self.forward(X, space)
        inputs = [X, *space.activations[:-1]]
        value = loss.value_and_delta(space.logits, space.activations[-1], Y, space.deltas[-1])
        last = len(self.layers) - 1
        for i in range(last, -1, -1):
            layer, D = self.layers[i], space.deltas[i]
            if i < last or loss.output is None:
                layer.f.pull_back(space.activations[i], D)  # from dL/dA to dL/dZ
            layer.backward(inputs[i], D, space.deltas[i - 1] if i else None)
        if l2:
            self.grad_vector[: self.n_weights] += l2 * self.vector[: self.n_weights]
        return value


def _checked_widths(widths: Sequence[int]) -> tuple[int, ...]:
    found = tuple(widths)
    if len(found) < 2:
        raise ValueError(f"widths: expected at least the numbers of inputs and outputs, got {found}")
    for width in found:
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
            raise ValueError(f"widths: expected whole numbers of at least 1, got {width!r} in {found}")
    return tuple(int(width) for width in found)
