"""Loss functions, each with the gradient from which backpropagation starts.

``Z`` are the pre-activations of the last layer (the logits), ``A = f(Z)`` its outputs, ``Y`` the targets; all three
have shape (N, K) for N samples and K outputs.
"""

from __future__ import annotations

import numpy as np

from gradcheck.reference.arrays import Array


class Loss:
    """A loss function.

    Attributes
    ----------
    name : str
        What it is called in settings and files.
    output : str or None
        The output activation that it is fused with: its gradient is then one with respect to ``Z``. None: any output
        activation will do, and its gradient is one with respect to ``A``.
    """

    name = ""
    output: str | None = None

    def value_and_delta(self, Z: Array, A: Array, Y: Array, D: Array) -> float:
        """Return the loss, and write its gradient into ``D``.

        Parameters
        ----------
        Z, A, Y : ndarray of shape (N, K)
            Logits, outputs and targets.
        D : ndarray of shape (N, K)
            Overwritten with dL/dZ where the loss is fused with its output activation, with dL/dA otherwise.

        Returns
        -------
        float
            The loss, a mean over the samples.
        """
        raise NotImplementedError

    def value(self, Z: Array, A: Array, Y: Array) -> float:
        """Return the loss alone; the parameters are those of `value_and_delta`."""
        return self.value_and_delta(Z, A, Y, np.empty_like(A))


class SquaredError(Loss):
    """Mean squared error over samples *and* outputs: L = 1/(NK) sum (a - y)^2, so dL/da = 2/(NK) (a - y).

    There is no factor 1/2, and K outputs do not make it K times as large.
    """

    name = "squared_error"

    def value_and_delta(self, Z: Array, A: Array, Y: Array, D: Array) -> float:
        np.subtract(A, Y, out=D)
        value = float(np.vdot(D, D)) / D.size
        D *= 2 / D.size
        return value


class BinaryCrossEntropy(Loss):
    """Mean over samples and outputs of -y log a - (1 - y) log(1 - a), with a = sigmoid(z) and y in [0, 1].

    With the sigmoid put in, the logarithms become log(1 + e^z) - y z, and the derivative becomes 1/(NK) (a - y). Large
    z neither overflow nor cancel in ``log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)``.
    """

    name = "binary_cross_entropy"
    output = "sigmoid"

    def value_and_delta(self, Z: Array, A: Array, Y: Array, D: Array) -> float:
        np.absolute(Z, out=D)
        np.negative(D, out=D)
        np.exp(D, out=D)
        np.log1p(D, out=D)
        D += np.maximum(Z, 0) - Y * Z
        value = float(np.add.reduce(D, axis=None)) / D.size
        np.subtract(A, Y, out=D)
        D *= 1 / D.size
        return value


class SoftmaxCrossEntropy(Loss):
    """Mean over samples of -sum_k y_k log a_k, with a = softmax(z); each row of y adds up to 1.

    With the softmax put in, log a_k = z_k - m - log(sum_j e^(z_j - m)) with m = max_j z_j, and the derivative becomes
    1/N (a - y). The largest a of a row is e^0 / sum_j e^(z_j - m), so the logarithm of that sum is -log(max_j a_j).
    """

    name = "softmax_cross_entropy"
    output = "softmax"

    def value_and_delta(self, Z: Array, A: Array, Y: Array, D: Array) -> float:
        largest = np.maximum.reduce(Z, axis=1, keepdims=True)
        np.subtract(largest, Z, out=D)
        fit = float(np.vdot(D, Y))
        value = (fit - float(np.add.reduce(np.log(np.maximum.reduce(A, axis=1))))) / len(D)
        np.subtract(A, Y, out=D)
        D *= 1 / len(D)
        return value


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquaredError(), BinaryCrossEntropy(), SoftmaxCrossEntropy())}


def loss_function(name: str) -> Loss:
    """Return the loss function of a name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in LOSSES:
        raise ValueError(f"expected a loss ({', '.join(LOSSES)}), got {name!r}")
    return LOSSES[name]
