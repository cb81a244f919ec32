"""Loss and gradient that scikit-learn's linear models are fitted with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.adapters.sklearn_own import Pair
from gradcheck.errors import InputError

_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")


def linear_model(estimator: Any, X: Any, y: Any) -> Pair | None:
    """Return loss and gradient of a logistic regression or a generalized linear model; None of anything else."""
    from sklearn.linear_model import LogisticRegression

    try:
        from sklearn.linear_model._glm.glm import _GeneralizedLinearRegressor
    except ImportError:
        raise InputError("this version of scikit-learn keeps its linear losses elsewhere: please report it.") from None
    if not isinstance(estimator, (LogisticRegression, _GeneralizedLinearRegressor)):
        return None
    if not hasattr(estimator, "coef_"):
        raise InputError(f"the {type(estimator).__name__} is not fitted: call its `fit` first.")
    if isinstance(estimator, LogisticRegression):
        return _logistic(estimator, X, y)
    return _Linear(estimator, estimator._get_loss(), X, y, estimator.alpha, None).pair()


def _logistic(estimator: Any, X: Any, y: Any) -> Pair:
    from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
    from sklearn.utils.class_weight import compute_sample_weight

    if estimator.solver not in _SOLVERS or getattr(estimator, "l1_ratio", None) not in (None, 0, 0.0):
        raise InputError(
            f"a LogisticRegression with solver={estimator.solver!r} and l1_ratio={estimator.l1_ratio!r} is not fitted "
            f"with a gradient: expected one of the solvers {list(_SOLVERS)} and no l1 penalty."
        )
    labels = np.searchsorted(estimator.classes_, y)
    if not np.array_equal(np.take(estimator.classes_, labels, mode="clip"), y):
        raise InputError(f"`y` must hold the classes {list(estimator.classes_)} that the estimator was fitted with.")
    weight = None if estimator.class_weight is None else compute_sample_weight(estimator.class_weight, y)
    count = len(estimator.classes_)
    loss = HalfBinomialLoss() if len(estimator.coef_) == 1 else HalfMultinomialLoss(n_classes=count)
    total = len(labels) if weight is None else float(np.sum(weight))
    is_free = getattr(estimator, "penalty", "l2") is None or np.isinf(estimator.C)
    return _Linear(estimator, loss, X, labels, 0.0 if is_free else 1.0 / (estimator.C * total), weight).pair()


class _Linear:
    """A linear model's loss for other coefficients."""

    def __init__(self, estimator: Any, loss: Any, X: Any, y: Any, strength: float, weight: Any) -> None:
        from sklearn.linear_model._linear_loss import LinearModelLoss
        from sklearn.utils import check_array

        self._estimator, self._strength, self._weight = estimator, strength, weight
        self._X = check_array(X, dtype=np.float64, accept_sparse=["csr", "csc"])
        self._y = np.ascontiguousarray(y, dtype=np.float64)
        self._loss = LinearModelLoss(base_loss=loss, fit_intercept=estimator.fit_intercept)

    def pair(self) -> Pair:
        """Return loss and gradient as functions of the fitted attributes."""
        coef = np.array(self._estimator.coef_, dtype=np.float64)
        params: dict[str, Any] = {"coef_": coef}
        if self._estimator.fit_intercept:
            params["intercept_"] = np.array(np.atleast_1d(self._estimator.intercept_), dtype=np.float64)
        gradient: Callable[[dict[str, Any]], Any] = self._gradient
        return Pair(params, self._value, gradient, is_at_optimum=True)

    def _packed(self, params: dict[str, Any]) -> Any:
        coef = np.atleast_2d(params["coef_"])
        parts = [coef, params["intercept_"].reshape(-1, 1)] if "intercept_" in params else [coef]
        packed = np.hstack(parts)
        return np.ascontiguousarray(packed[0]) if len(packed) == 1 else np.asfortranarray(packed)

    def _arguments(self, params: dict[str, Any]) -> tuple[Any, ...]:
        return self._packed(params), self._X, self._y, self._weight, self._strength

    def _value(self, params: dict[str, Any], /) -> float:
        return float(self._loss.loss(*self._arguments(params)))

    def _gradient(self, params: dict[str, Any], /) -> dict[str, Any]:
        packed = np.atleast_2d(self._loss.loss_gradient(*self._arguments(params))[1])
        shape = np.shape(params["coef_"])
        if "intercept_" not in params:
            return {"coef_": packed.reshape(shape)}
        return {"coef_": packed[:, :-1].reshape(shape), "intercept_": packed[:, -1]}
