"""Entries of very different units in one parameter: a large derivative hides no small one."""

from typing import Any

import numpy as np
import pytest

import load_benchmarks  # noqa: F401 - the next import needs it
from benchmarks.units import FACTORS, FEATURES, Regression, count, verdict
from gradcheck import Verdict, check_grad

SETUPS = [
    ("float64", 1e8, "fitting"),
    ("float64", 1e8, "zero"),
    ("float64", 1e8, "alike"),
    ("float64", 1e12, "fitting"),
    ("float64", 1e12, "zero"),
    ("float32", 1e3, "fitting"),
    ("float32", 1e3, "zero"),
]


@pytest.mark.parametrize(("dtype", "largest", "weights"), SETUPS)
def test_a_right_gradient_of_raw_features_matches(dtype: str, largest: float, weights: str) -> None:
    assert count(range(5), largest, weights, dtype, None) == {"match": 5}


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("dtype", "largest", "weights"), SETUPS)
def test_one_wrong_derivative_of_raw_features_is_found(dtype: str, largest: float, weights: str, factor: float) -> None:
    assert count(range(5), largest, weights, dtype, factor) == {"mismatch": 5}


@pytest.mark.parametrize("seed", [55, 84, 115, 126, 154, 194])
def test_what_bends_close_to_zero_is_no_kink(seed: int) -> None:
    """A logistic loss looks like a kink from where its scores are large: here from a step of 1e-11 on."""
    problem, largest = Regression.drawn(seed, 1e12, "zero"), seed % FEATURES
    assert verdict(problem, largest, 0.0) == "mismatch"
    assert verdict(problem, None, 1.0) == "match"


def test_a_regression_has_the_gradient_of_its_loss() -> None:
    problem, h = Regression.drawn(0, 10.0, "fitting"), 1e-6
    steps = h * np.eye(5)
    expected = [(problem.loss(problem.w + e) - problem.loss(problem.w - e)) / (2 * h) for e in steps]
    np.testing.assert_allclose(problem.gradient(problem.w), expected, rtol=1e-6)


def two_units(p: Any) -> Any:
    return (1e-3 * p[0] - 1) ** 2 + (1e6 * p[1] - 1) ** 2


@pytest.mark.parametrize("factor", [0.0, -1.0, 10.0])
def test_a_parameter_of_five_hundred_beside_one_of_a_millionth(factor: float) -> None:
    def gradient(p: Any) -> Any:
        return np.array([2e-3 * (1e-3 * p[0] - 1), 2e6 * (1e6 * p[1] - 1)])

    point = np.array([500, 5e-7])
    assert check_grad(two_units, gradient, point).passed
    result = check_grad(two_units, lambda p: gradient(p) * [factor, 1], point)
    assert result.parameters[0].verdicts == (Verdict.MISMATCH, Verdict.MATCH)


def test_round_off_of_large_terms_in_a_small_derivative_is_no_mistake() -> None:
    """Entries of one unit: what is left of terms that cancel is as inexact as the terms."""
    X = np.random.default_rng(0).normal(size=(30, 4))
    target = X @ np.array([1.0, -2.0, 0.5, 3.0])

    def gradient(w: Any) -> Any:
        return (2 * X.T @ (X @ w - target)).astype(np.float32)

    # all residuals but along one direction are nearly zero
    w = np.array([1.0, -2.0, 0.5, 3.0]) + np.linalg.solve(X.T @ X, [1.0, 1e-9, -1e-8, 0.5])
    assert check_grad(lambda w: np.sum((X @ w - target) ** 2), gradient, w).passed
