"""A network that predicts labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradcheck.reference.arrays import Array, float_type, matrix, same_rows
from gradcheck.reference.data import one_hot
from gradcheck.reference.estimator import Estimator

CROSS_ENTROPY, SQUARED_ERROR = "cross_entropy", "squared_error"


class MLPClassifier(Estimator):
    """A network that predicts labels.

    Two labels make one output with a sigmoid, more make one output each with a softmax (a sigmoid with
    ``loss="squared_error"``).

    Parameters
    ----------
    hidden_widths : sequence of int
        Units of each hidden layer; an empty one for none.
    activation : str
        Of the hidden layers: ``sigmoid``, ``tanh``, ``relu``, ``leaky_relu``, ``softmax`` or ``linear``.
    loss : {"cross_entropy", "squared_error"}
        What is minimised.
    optimizer : {"sgd", "momentum", "adam"}
        How the parameters move.
    learning_rate : float, optional
        Size of a step; what is usual for the optimizer by default.
    epochs : int
        How often every sample is used.
    batch_size : int, optional
        Samples per step; None for all of them.
    l2 : float
        Strength of the penalty l2/2 * (sum of all squared weights).
    standardize : bool
        Whether each input is shifted and scaled to the mean 0 and the deviation 1 that it has in `fit`. What is asked
        later is shifted and scaled by the same numbers.
    validation_fraction : float
        Part of the samples that is watched, and not trained on.
    patience : int, optional
        Stop early after so many epochs without progress, and keep the best parameters.
    min_progress : float
        By how much a loss has to be below the best one before, to count as progress.
    seed : int
        Decides the initial weights, the order of the samples, and which are watched. The same seed, data, settings and
        installation give the same bits.
    dtype : {"float64", "float32"}
        What is computed with.

    Attributes
    ----------
    network_ : Network
        The trained network; it sees scaled inputs.
    history_ : History
        Losses of the epochs.
    classes_ : ndarray of shape (classes,)
        The labels, sorted.
    mean_, scale_ : ndarray of shape (inputs,)
        What is taken from the inputs, and what they are divided by then.

    Examples
    --------
    >>> from gradcheck.reference import MLPClassifier, parity
    >>> task = parity()
    >>> model = MLPClassifier((8,), learning_rate=0.03, epochs=2000, batch_size=None).fit(task.X, task.y)
    >>> model.score(task.X, task.y)
    1.0
    """

    classes_: NDArray[Any]

    def __init__(self, hidden_widths: Sequence[int] = (16,), *, loss: str = CROSS_ENTROPY, **settings: Any) -> None:
        super().__init__(hidden_widths, **settings)
        self.loss = loss

    def fit(self, X: ArrayLike, y: ArrayLike, *, callback: Callable[[int, float], object] | None = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array_like of shape (samples, inputs)
            One row per sample.
        y : array_like of shape (samples,)
            A label for each: numbers or texts.
        callback : callable, optional
            Called with the number of epochs that are done and the loss of the last one.

        Returns
        -------
        MLPClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            If a setting is out of its range, arrays do not fit each other or are not finite, or all labels are
            the same.
        """
        X = matrix(X, "X", float_type(self.dtype))
        labels = _labels(y)
        same_rows(X, labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise ValueError(f"y: expected at least two labels, got {self.classes_.tolist()[0]!r} for all samples")
        if self.loss not in (CROSS_ENTROPY, SQUARED_ERROR):
            raise ValueError(f"loss: expected {CROSS_ENTROPY} or {SQUARED_ERROR}, got {self.loss!r}")
        Y = numbers[:, np.newaxis].astype(X.dtype) if count == 2 else one_hot(numbers, count, X.dtype)
        if self.loss == SQUARED_ERROR:
            return self._fit(X, Y, "sigmoid", SQUARED_ERROR, callback)
        output, loss = ("sigmoid", "binary_cross_entropy") if count == 2 else ("softmax", "softmax_cross_entropy")
        return self._fit(X, Y, output, loss, callback)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each label; where several sigmoids stand for it, divided by their sum.

        Parameters
        ----------
        X : array_like of shape (samples, inputs)
            One row per sample, as in `fit`.

        Returns
        -------
        ndarray of shape (samples, classes)
            In the order of ``classes_``.

        Raises
        ------
        ValueError
            If `fit` was not called, or ``X`` has another shape or is not finite.
        """
        A = self._outputs(X)
        if A.shape[1] == 1:
            return np.hstack([1 - A, A])
        proba: Array = A / A.sum(axis=1, keepdims=True)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable labels, shape (samples,); parameters and errors are those of `predict_proba`."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the accuracy: the part of the labels that is predicted right.

        Raises
        ------
        ValueError
            As `predict_proba`, and if the numbers of samples and labels differ.
        """
        found, labels = self.predict(X), _labels(y)
        same_rows(found, labels)
        return float(np.mean(found == labels))


def _labels(y: ArrayLike) -> NDArray[Any]:
    """Return labels as an array of shape (samples,) that can be sorted and saved."""
    found = np.asarray(y)
    if found.dtype == object:
        if not all(isinstance(label, str) for label in found.ravel()):
            raise ValueError("y: expected labels of one kind, numbers or texts")
        found = found.astype(str)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or not found.size:
        raise ValueError(f"y: expected an array of shape (samples,), not empty, got shape {found.shape}")
    if found.dtype.kind not in "biufU":
        raise ValueError(f"y: expected labels that are numbers or texts, got an array of type {found.dtype}")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError(f"y: expected finite numbers, got {found[~np.isfinite(found)][0]}")
    return found
