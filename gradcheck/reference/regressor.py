"""A network that predicts numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from gradcheck.reference.arrays import Array, float_type, matrix, same_rows
from gradcheck.reference.data import standardization
from gradcheck.reference.estimator import Estimator


class MLPRegressor(Estimator):
    """A network that predicts numbers; it minimises the mean squared error over samples and targets.

    The targets, too, are shifted and scaled in `fit` if ``standardize`` is true, and predictions back.

    Parameters
    ----------
    hidden_widths, **settings
        Those of `MLPClassifier`, except for ``loss``.

    Attributes
    ----------
    network_, history_, mean_, scale_
        Those of `MLPClassifier`.
    target_mean_, target_scale_ : ndarray of shape (outputs,)
        What is taken from the targets, and what they are divided by then.
    """

    target_mean_: Array
    target_scale_: Array

    def fit(self, X: ArrayLike, y: ArrayLike, *, callback: Callable[[int, float], object] | None = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array_like of shape (samples, inputs)
            One row per sample.
        y : array_like of shape (samples,) or (samples, outputs)
            The numbers to predict.
        callback : callable, optional
            Called with the number of epochs that are done and the loss of the last one.

        Returns
        -------
        MLPRegressor
            The estimator itself.

        Raises
        ------
        ValueError
            If a setting is out of its range, or arrays do not fit each other or are not finite.
        """
        dtype = float_type(self.dtype)
        X, Y = matrix(X, "X", dtype), matrix(y, "y", dtype)
        same_rows(X, Y)
        self._one_target = np.ndim(y) == 1
        self.target_mean_, self.target_scale_ = np.zeros_like(Y[0]), np.ones_like(Y[0])
        if self.standardize:
            self.target_mean_, self.target_scale_ = standardization(Y)
        return self._fit(X, (Y - self.target_mean_) / self.target_scale_, "linear", "squared_error", callback)

    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted numbers, in the shape that the targets had in `fit`.

        Raises
        ------
        ValueError
            If `fit` was not called, or ``X`` has another shape or is not finite.
        """
        A = self._outputs(X)
        Y = A * self.target_scale_ + self.target_mean_
        return Y[:, 0] if self._one_target else Y

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return R^2 = 1 - (sum of squared errors) / (sum of squared deviations from the mean), averaged over targets.

        A target that is constant counts as 1 if it is predicted exactly, else as 0.

        Raises
        ------
        ValueError
            As `predict`, and if ``y`` does not fit the predictions.
        """
        found = self.predict(X)
        A = found.reshape(len(found), -1)
        Y = matrix(y, "y", A.dtype, A.shape[1])
        same_rows(A, Y)
        error, spread = ((A - Y) ** 2).sum(axis=0), ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
        constant = spread == 0
        explained = 1 - error / np.where(constant, 1, spread)
        return float(np.where(constant, error == 0, explained).mean())
