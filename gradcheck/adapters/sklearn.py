"""Checks the gradients of estimators: scikit-learn's own where it has one, and those that users have written."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.adapters.cotangent import cotangent
from gradcheck.adapters.problem import Settings
from gradcheck.adapters.sklearn_linear import linear_model
from gradcheck.adapters.sklearn_own import GRADIENTS, OwnMethods, Pair
from gradcheck.checker.functions import check_grad
from gradcheck.checker.options import EntriesOption
from gradcheck.checker.result import CheckResult
from gradcheck.errors import InputError
from gradcheck.evaluate.tracking import Progress


def check(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    points: int = 1,
    entries: EntriesOption = "auto",
    seed: int = 0,
    curves: bool = False,
    progress: bool | Callable[[Progress], object] = False,
) -> CheckResult:
    """Compare the gradient that an estimator is fitted with, with central differences of its loss.

    Parameters
    ----------
    estimator : estimator
        A fitted one. Either it has methods ``loss(X, y)`` and ``gradient(X, y)`` (or ``grad``, or ``loss_gradient``
        that returns both), which use its fitted attributes; the gradient is a dict with the names of these, or has
        their order. Or it is, or inherits from, ``MLPClassifier``, ``MLPRegressor``, ``LogisticRegression`` (with a
        solver that uses the gradient) or a generalized linear model such as ``PoissonRegressor``.
    X, y : array_like
        Data.
    rtol, atol, points, entries, seed, curves, progress
        As for `gradcheck.check_grad`.

    Returns
    -------
    CheckResult
        True in a boolean context if every checked entry matches. Parameters have the names of the fitted attributes:
        ``coef_``, ``coefs_[0]``. The estimator is as it was.

    Raises
    ------
    InputError
        If the estimator is not fitted, or has no gradient that can be reached.

    Notes
    -----
    scikit-learn's own estimators are checked near the fitted parameters, as gradients vanish at the optimum itself.
    """
    pair = _pair(estimator, X, y)
    notes = list(pair.notes)
    params = pair.params
    if pair.is_at_optimum:
        params = _moved(params, np.random.default_rng(seed))
        notes.append(
            "the gradient vanishes where the estimator was fitted, so the parameters were moved at random by a tenth "
            "of their size"
        )
    settings = Settings(rtol, atol, points, entries, seed, curves, progress)
    result = check_grad(pair.loss, pair.gradient, params, method="central", **vars(settings))
    return replace(result, notes=(*notes, *result.notes))


def _pair(estimator: Any, X: Any, y: Any) -> Pair:
    if inspect.isclass(estimator):
        raise InputError(f"`estimator` must be a fitted estimator, got the class {estimator.__name__}.")
    if OwnMethods.are_in(estimator):
        return OwnMethods(estimator, X, y).pair()
    makers: tuple[Callable[[Any, Any, Any], Pair | None], ...] = (_network, linear_model)
    for maker in makers:
        pair = maker(estimator, X, y)
        if pair is not None:
            return pair
    raise InputError(
        f"{type(estimator).__name__} has no gradient that can be reached: expected methods `loss(X, y)` and "
        f"{', '.join(f'`{name}(X, y)`' for name in GRADIENTS)}, a multilayer perceptron, a LogisticRegression or a "
        "generalized linear model. Of a pipeline or a search, pass the final estimator with what it is given."
    )


def _moved(params: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    def moved(node: Any) -> Any:
        if isinstance(node, list):
            return [moved(child) for child in node]
        size = float(np.sqrt(np.mean(np.square(node)))) or 1.0
        return node + 0.1 * size * cotangent(node.shape, rng)

    return {name: moved(node) for name, node in params.items()}


def _network(estimator: Any, X: Any, y: Any) -> Pair | None:
    """Return loss and gradient of a multilayer perceptron."""
    from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron

    if not isinstance(estimator, BaseMultilayerPerceptron):
        return None
    if not hasattr(estimator, "coefs_"):
        raise InputError(f"the {type(estimator).__name__} is not fitted: call its `fit` first.")
    X, y = estimator._validate_input(X, y, incremental=True, reset=False)
    network = _Network(copy.copy(estimator), np.asarray(_dense(X), np.float64), np.reshape(y, (len(y), -1)))
    params = {name: [np.array(a, np.float64) for a in getattr(estimator, name)] for name in ("coefs_", "intercepts_")}
    return Pair(params, network.loss, network.gradient, is_at_optimum=True)


@dataclass(frozen=True)
class _Network:
    """A twin of the user's network that computes with other parameters."""

    twin: Any
    X: Any
    y: Any

    def loss(self, params: dict[str, list[Any]], /) -> float:
        """Return the loss that is minimized."""
        return float(self._propagated(params)[0])

    def gradient(self, params: dict[str, list[Any]], /) -> dict[str, list[Any]]:
        """Return its gradient."""
        _, coefs, intercepts = self._propagated(params)
        return {"coefs_": list(coefs), "intercepts_": list(intercepts)}

    def _propagated(self, params: dict[str, list[Any]]) -> Any:
        self.twin.coefs_, self.twin.intercepts_ = params["coefs_"], params["intercepts_"]
        layers = len(params["coefs_"])
        given = {
            "X": self.X,
            "y": self.y,
            "sample_weight": None,
            "activations": [self.X, *[None] * layers],
            "deltas": [None] * layers,
            "coef_grads": [np.empty_like(coef) for coef in params["coefs_"]],
            "intercept_grads": [np.empty_like(intercept) for intercept in params["intercepts_"]],
        }
        wanted = inspect.signature(self.twin._backprop).parameters
        return self.twin._backprop(**{name: given[name] for name in wanted})


def _dense(X: Any) -> Any:
    return X.toarray() if hasattr(X, "toarray") else X
