"""Gradients of estimators: scikit-learn's own, and those of users."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.errors import InputError

base = pytest.importorskip("sklearn.base")
linear = pytest.importorskip("sklearn.linear_model")
network = pytest.importorskip("sklearn.neural_network")
adapter = pytest.importorskip("gradcheck.adapters.sklearn")
check = adapter.check
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
LABELS = np.array(list("abc"))[RNG.integers(0, 3, 20)]
BINARY = (X[:, 0] > 0).astype(int)
COUNTS = RNG.integers(0, 5, 20)


def verdicts(result):
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


class WrongNetwork(network.MLPRegressor):
    """Subclass whose first layer's gradient is off by 0.1 %."""

    def _compute_loss_grad(self, layer, sw_sum, activations, deltas, coef_grads, intercept_grads):
        super()._compute_loss_grad(layer, sw_sum, activations, deltas, coef_grads, intercept_grads)
        if layer == 0:
            coef_grads[layer] *= 1.001


NETWORKS = [
    (network.MLPRegressor, X[:, 1], "match"),
    (WrongNetwork, X[:, 1], "mismatch"),
    (network.MLPClassifier, BINARY, "match"),
    (network.MLPClassifier, LABELS, "match"),
]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(("kind", "y", "expected"), NETWORKS)
def test_networks(kind, y, expected):
    estimator = kind(hidden_layer_sizes=(2,), activation="tanh", max_iter=3, random_state=0).fit(X, y)
    before = [array.copy() for array in (*estimator.coefs_, *estimator.intercepts_)]
    names = ["coefs_[0]", "coefs_[1]", "intercepts_[0]", "intercepts_[1]"]
    assert verdicts(check(estimator, X, y)) == dict.fromkeys(names, "match") | {"coefs_[0]": expected}
    assert all(map(np.array_equal, before, (*estimator.coefs_, *estimator.intercepts_)))


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (linear.LogisticRegression(), BINARY),
        (linear.LogisticRegression(C=0.5, class_weight="balanced", fit_intercept=False), LABELS),
        (linear.PoissonRegressor(), COUNTS),
    ],
)
def test_linear_models(estimator, y):
    result = check(estimator.fit(X, y), X, y)
    assert verdicts(result) == dict.fromkeys(["coef_", "intercept_"][: 1 + estimator.fit_intercept], "match")
    assert "were moved at random by a tenth" in result.notes[0]


def test_the_loss_of_a_logistic_regression_is_the_one_that_is_minimized():
    estimator = linear.LogisticRegression(C=0.5, tol=1e-10).fit(X, BINARY)
    pair = adapter.linear_model(estimator, X, BINARY)
    gradient = pair.gradient(pair.params)
    assert max(np.max(np.abs(part)) for part in gradient.values()) < 1e-8


class Regression(base.BaseEstimator):
    """What a user writes; one entry of the gradient is off by a factor."""

    def __init__(self, factor=1.0, form="dict"):
        self.factor, self.form = factor, form

    def fit(self, X, _):
        self.coef_, self.intercept_, self.n_iter_ = np.full(X.shape[1], 0.3), 0.5, 7
        self.loss_ = 1.5
        return self

    def loss(self, X, y):
        return np.mean((X @ self.coef_ + self.intercept_ - y) ** 2)

    def gradient(self, X, y):
        residual = 2 * (X @ self.coef_ + self.intercept_ - y) / len(y)
        coef = X.T @ residual
        coef[1] *= self.factor
        if self.form == "dict":
            return {"coef_": coef, "intercept_": residual.sum()}
        return (coef, residual.sum()) if self.form == "tuple" else {"dcoef_": coef}


class Both(Regression):
    loss, gradient = None, None

    def loss_gradient(self, X, y):
        return Regression.loss(self, X, y), Regression.gradient(self, X, y)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
@pytest.mark.parametrize("form", ["dict", "tuple", "decorated"])
def test_methods_of_the_user(form, factor, expected):
    estimator = Regression(factor, form).fit(X, COUNTS)
    names = ["coef_", "intercept_"] if form != "decorated" else ["coef_"]
    assert verdicts(check(estimator, X, COUNTS)) == dict.fromkeys(names, "match") | {"coef_": expected}
    assert (estimator.coef_ == 0.3).all()
    assert estimator.intercept_ == 0.5


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_method_that_returns_both(factor):
    assert check(Both(factor).fit(X, COUNTS), X, COUNTS).passed is (factor == 1)


class Array(Regression):
    def gradient(self, *_):
        return np.zeros(4)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (network.MLPRegressor(), "MLPRegressor is not fitted"),
        (linear.LogisticRegression(), "LogisticRegression is not fitted"),
        (linear.LinearRegression(), "LinearRegression has no gradient that can be reached"),
        (network.MLPRegressor, "got the class MLPRegressor"),
        (Regression(), "has no fitted parameters"),
        (Array().fit(X, COUNTS), r"must return a dict with the names .*'coef_', 'intercept_'"),
        (
            linear.LogisticRegression(solver="liblinear").fit(X, BINARY),
            "solver='liblinear'.*not fitted with a gradient",
        ),
        (linear.LogisticRegression().fit(X, LABELS), "`y` must hold the classes"),
    ],
)
def test_what_cannot_be_checked_is_said(estimator, message):
    with pytest.raises(InputError, match=message):
        check(estimator, X, COUNTS)
