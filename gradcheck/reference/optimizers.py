"""Optimizers: rules that move the parameters against their gradient.

All of them work in place on one vector that holds every parameter of a network.
"""

from __future__ import annotations

import math

import numpy as np

from gradcheck.reference.arrays import Array


class Optimizer:
    """A rule for the next parameters.

    Parameters
    ----------
    learning_rate : float
        Size of a step.

    Raises
    ------
    ValueError
        If it is not a positive finite number.
    """

    name = ""
    default_learning_rate = 0.1

    def __init__(self, learning_rate: float | None = None) -> None:
        self.learning_rate = self.default_learning_rate if learning_rate is None else learning_rate
        _expect("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "a positive number")

    def update(self, params: Array, grads: Array) -> None:
        """Make one step.

        Parameters
        ----------
        params : ndarray of shape (parameters,)
            Changed in place.
        grads : ndarray of shape (parameters,)
            Their gradient.
        """
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent, w <- w - learning_rate * g; "stochastic" if g comes from a part of the samples."""

    name = "sgd"

    def update(self, params: Array, grads: Array) -> None:
        params -= self.learning_rate * grads


class Momentum(Optimizer):
    """Gradient descent with momentum: v <- momentum * v + g, w <- w - learning_rate * v (Polyak, 1964).

    Parameters
    ----------
    learning_rate : float
        Size of a step.
    momentum : float
        How much of the last velocity is kept, at least 0 and less than 1.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    name = "momentum"
    default_learning_rate = 0.05

    def __init__(self, learning_rate: float | None = None, momentum: float = 0.9) -> None:
        super().__init__(learning_rate)
        _expect("momentum", momentum, 0 <= momentum < 1, "a number of at least 0 and less than 1")
        self.momentum = momentum
        self._velocity: Array = np.zeros(0)

    def update(self, params: Array, grads: Array) -> None:
        if self._velocity.shape != params.shape:
            self._velocity = np.zeros_like(params)
        self._velocity *= self.momentum
        self._velocity += grads
        params -= self.learning_rate * self._velocity


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): a step for each parameter by the running means of g and of g^2.

    With t counted from 1, m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, the step is::

        w <- w - learning_rate * m_hat / (sqrt(v_hat) + epsilon),  m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)

    Parameters
    ----------
    learning_rate : float
        Size of a step.
    beta1, beta2 : float
        How much of the running means is kept, at least 0 and less than 1.
    epsilon : float
        Keeps the division from failing where the gradient is 0; positive.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    The factors that are the same for all parameters are taken out of the vectors: with m = (1 - beta1) M and
    v = (1 - beta2) V there remain M <- beta1 M + g, V <- beta2 V + g^2 and, for r = sqrt((1 - beta2) / (1 - beta2^t)),
    the step learning_rate (1 - beta1) / (1 - beta1^t) / r * M / (sqrt(V) + epsilon / r).
    """

    name = "adam"
    default_learning_rate = 0.01

    def __init__(
        self,
        learning_rate: float | None = None,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate)
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            _expect(name, beta, 0 <= beta < 1, "a number of at least 0 and less than 1")
        _expect("epsilon", epsilon, 0 < epsilon < math.inf, "a positive number")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._t = 0
        self._M: Array = np.zeros(0)
        self._V: Array = np.zeros(0)
        self._scratch: Array = np.zeros(0)

    def update(self, params: Array, grads: Array) -> None:
        if self._M.shape != params.shape:
            self._t = 0
            self._M, self._V, self._scratch = (np.zeros_like(params) for _ in range(3))
        self._t += 1
        M, V, step = self._M, self._V, self._scratch
        M *= self.beta1
        M += grads
        V *= self.beta2
        V += np.square(grads, out=step)
        r = math.sqrt((1 - self.beta2) / (1 - self.beta2**self._t))
        np.sqrt(V, out=step)
        step += self.epsilon / r
        np.divide(M, step, out=step)
        step *= self.learning_rate * (1 - self.beta1) / (1 - self.beta1**self._t) / r
        params -= step


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (SGD, Momentum, Adam)}


def optimizer(name: str, learning_rate: float | None = None) -> Optimizer:
    """Return a new optimizer of a name; without a learning rate, with the one that is usual for it.

    Raises
    ------
    ValueError
        If there is none of that name, or the learning rate is not a positive finite number.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"expected an optimizer ({', '.join(OPTIMIZERS)}), got {name!r}")
    return OPTIMIZERS[name](learning_rate)


def _expect(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
