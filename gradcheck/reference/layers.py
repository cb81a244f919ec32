"""A fully connected layer: what it computes, and its part of backpropagation."""

from __future__ import annotations

import numpy as np

from gradcheck.reference.activations import Activation
from gradcheck.reference.arrays import Array


class Dense:
    """A fully connected layer, A = f(X W + b).

    Parameters
    ----------
    W, dW : ndarray of shape (inputs, outputs)
        Weights and their gradient.
    b, db : ndarray of shape (outputs,)
        Biases and their gradient.
    f : Activation
        The activation function.
    """

    def __init__(self, W: Array, b: Array, dW: Array, db: Array, f: Activation) -> None:
        self.W, self.b, self.dW, self.db, self.f = W, b, dW, db, f

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the weights, evenly between -limit and limit, so that signals keep their size; set the biases to 0.

        The variance is gain * 2 / (inputs + outputs) (Glorot and Bengio, 2010), where an activation cuts off one half
        2 / inputs (He and others, 2015). An even distribution of the variance v has the limit sqrt(3 v).
        """
        inputs, outputs = self.W.shape
        variance = self.f.gain / inputs if self.f.gain > 1 else 2 / (inputs + outputs)
        limit = np.sqrt(3 * variance)
        self.W[...] = rng.uniform(-limit, limit, size=self.W.shape)
        self.b[...] = 0

    def affine(self, X: Array, Z: Array) -> None:
        """Write X W + b into ``Z``.

        Parameters
        ----------
        X : ndarray of shape (samples, inputs)
            What comes in.
        Z : ndarray of shape (samples, outputs)
            Overwritten.
        """
        np.matmul(X, self.W, out=Z)
        Z += self.b

    def backward(self, X: Array, D: Array, dX: Array | None) -> None:
        """Compute dL/dW = X^T D and dL/db = sum over the samples of D; write dL/dX = D W^T into ``dX``.

        Parameters
        ----------
        X : ndarray of shape (samples, inputs)
            What came in.
        D : ndarray of shape (samples, outputs)
            dL/dZ.
        dX : ndarray of shape (samples, inputs), or None
            Overwritten; None if nobody needs it.
        """
        np.matmul(X.T, D, out=self.dW)
        np.add.reduce(D, axis=0, out=self.db)
        if dX is not None:
            np.matmul(D, self.W.T, out=dX)
