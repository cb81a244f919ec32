"""The sentence that says how a gradient is wrong, from its numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.check import check_grad
from gradcheck.diagnosis.signature import signature

W = np.random.default_rng(0).normal(size=(3, 3))
A = np.random.default_rng(1).normal(size=(3, 3))


def sentence(change, points=2, value=W):
    """Return the signature of a changed gradient of a loss with a full gradient."""
    checks = [
        check_grad(
            lambda W: np.sum(np.sin(A @ W) ** 2),
            lambda W: {"W": change(A.T @ np.sin(2 * A @ W["W"] if isinstance(W, dict) else 2 * A @ W))},
            {"W": value + 0.1 * k},
        )
        for k in range(points)
    ]
    return signature("W", checks)


def masked(gradient):
    gradient[0, 1] *= 1.5
    return gradient


def some_nan(gradient):
    gradient[0, 1] = np.nan
    return gradient


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda g: g, ""),
        (lambda g: -g, "sign is reversed"),
        (lambda g: g / 30, "analytic = 0.0333333 x numerical in every entry, at every point"),
        (lambda g: -2 * g, "analytic = -2 x numerical"),
        (lambda g: 0 * g, "the analytic gradient is zero"),
        (lambda g: g.T, "transpose"),
        (masked, "1 of 9 checked entries are wrong, the others are right"),
        (lambda g: g**2, "no constant factor"),
        (some_nan, "not finite"),
    ],
)
def test_what_is_said(change, expected):
    said = sentence(change)
    assert said == "" if expected == "" else expected in said


def test_a_factor_that_differs_from_point_to_point_is_no_constant():
    factors = iter([2.0, 3.0])
    assert "no constant factor" in sentence(lambda g: next(factors) * g)


def test_a_gradient_of_what_the_loss_does_not_depend_on():
    check = check_grad(lambda p: p["a"] ** 2, lambda p: {"a": 2 * p["a"], "W": 3.0}, {"a": 1.0, "W": 2.0})
    assert "the numerical gradient is zero" in signature("W", [check])


def test_entries_that_are_not_finite_are_counted_once():
    assert "has 1 entries" in sentence(some_nan, points=3) or "has 1 entry" in sentence(some_nan, points=3)


def test_a_mistake_in_a_small_entry_is_not_a_factor_of_one():
    """``analytic = 1 x numerical in every entry`` is no explanation of a mismatch."""
    scale = np.array([1e-4, 1.0, 100.0])
    wrong = np.array([2.0, 1.0, 1.0])
    check = check_grad(lambda W: np.sum(scale * W**2), lambda W: 2 * scale * W * wrong, np.ones(3))
    assert check.parameters[0].mismatched == 1
    assert "1 of 3 checked entries" in signature("W", [check]) or "1 of 3" in signature("params", [check])
