"""Activation functions, each with its derivative written through its own output.

A layer turns the pre-activations ``Z`` into the activations ``A = f(Z)``. All functions here work in place, row by row,
on arrays of shape (samples, width).
"""

from __future__ import annotations

import numpy as np

from gradcheck.reference.arrays import Array


class Activation:
    """An activation function f; this one is the identity, called ``linear``.

    Attributes
    ----------
    name : str
        What it is called in settings and files.
    gain : float
        How much larger the variance of the weights has to be than for the identity, so that signals neither fade nor
        grow from layer to layer; 2 for functions that cut off one half (He and others, 2015).
    """

    name = "linear"
    gain = 1.0

    def apply(self, Z: Array) -> None:
        """Replace ``Z`` by ``f(Z)``.

        Parameters
        ----------
        Z : ndarray of shape (samples, width)
            Pre-activations; overwritten with the activations.
        """

    def pull_back(self, A: Array, D: Array) -> None:
        """Turn the gradient with respect to ``A = f(Z)`` into that with respect to ``Z`` (chain rule).

        Parameters
        ----------
        A : ndarray of shape (samples, width)
            Activations. Nothing needs them afterwards, so they may serve as scratch space.
        D : ndarray of shape (samples, width)
            dL/dA; overwritten with dL/dZ.
        """


class Sigmoid(Activation):
    """a = 1 / (1 + e^-z), with a' = a (1 - a)."""

    name = "sigmoid"

    def apply(self, Z: Array) -> None:
        np.negative(Z, out=Z)
        with np.errstate(over="ignore"):  # e^-z may be infinite: then 1 / (1 + e^-z) is 0, as it should be
            np.exp(Z, out=Z)
        Z += 1
        np.reciprocal(Z, out=Z)

    def pull_back(self, A: Array, D: Array) -> None:
        D *= A
        np.subtract(1, A, out=A)
        D *= A


class Tanh(Activation):
    """a = tanh z, with a' = 1 - a^2."""

    name = "tanh"

    def apply(self, Z: Array) -> None:
        np.tanh(Z, out=Z)

    def pull_back(self, A: Array, D: Array) -> None:
        np.square(A, out=A)
        np.subtract(1, A, out=A)
        D *= A


class ReLU(Activation):
    """a = max(z, 0), with a' = 1 where a > 0, else 0."""

    name = "relu"
    gain = 2.0

    def apply(self, Z: Array) -> None:
        np.maximum(Z, 0, out=Z)

    def pull_back(self, A: Array, D: Array) -> None:
        np.greater(A, 0, out=A)
        D *= A


class LeakyReLU(Activation):
    """a = z where z > 0, else 0.01 z; a has the sign of z, so a' = 1 where a > 0, else 0.01."""

    name = "leaky_relu"
    slope = 0.01
    gain = 2.0 / (1 + slope**2)

    def apply(self, Z: Array) -> None:
        np.maximum(Z, self.slope * Z, out=Z)

    def pull_back(self, A: Array, D: Array) -> None:
        np.multiply(D, self.slope, out=D, where=A <= 0)


class Softmax(Activation):
    """a_k = e^(z_k) / sum_j e^(z_j) in each row, with da_k/dz_j = a_k (1[k = j] - a_j)."""

    name = "softmax"

    def apply(self, Z: Array) -> None:
        Z -= np.maximum.reduce(Z, axis=1, keepdims=True)  # changes nothing but that e^z cannot overflow
        np.exp(Z, out=Z)
        Z /= np.add.reduce(Z, axis=1, keepdims=True)

    def pull_back(self, A: Array, D: Array) -> None:
        D -= np.add.reduce(D * A, axis=1, keepdims=True)
        D *= A


ACTIVATIONS: dict[str, Activation] = {
    f.name: f for f in (Activation(), Sigmoid(), Tanh(), ReLU(), LeakyReLU(), Softmax())
}


def activation(name: str) -> Activation:
    """Return the activation function of a name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"expected an activation ({', '.join(ACTIVATIONS)}), got {name!r}")
    return ACTIVATIONS[name]
