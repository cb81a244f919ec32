"""Losses that take stacked parameters: the same numbers as one after the other, in fewer calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import check_grad, numerical_grad
from gradcheck.errors import InputError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 6)), RNG.normal(size=20)


def params(dtype: str = "float64") -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"W": rng.normal(size=(6, 4)).astype(dtype), "v": rng.normal(size=4).astype(dtype), "b": 0.1}


class Stacked:
    """A loss of many parameters at once that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, p: dict[str, Any]) -> np.ndarray:
        self.calls += 1
        hidden = np.tanh(np.einsum("ij,njk->nik", X, p["W"]))
        residual = np.einsum("nik,nk->ni", hidden, p["v"]) + p["b"][:, None] - Y
        return np.mean(residual**2, axis=1)


def grad(p: dict[str, Any]) -> dict[str, Any]:
    hidden = np.tanh(X @ p["W"])
    residual = 2 * (hidden @ p["v"] + p["b"] - Y) / len(Y)
    return {
        "W": X.T @ (np.outer(residual, p["v"]) * (1 - hidden**2)),
        "v": hidden.T @ residual,
        "b": residual.sum(),
    }


def alone(p: dict[str, Any]) -> float:
    return float(np.mean((np.tanh(X @ p["W"]) @ p["v"] + p["b"] - Y) ** 2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_gradient_matches_in_a_few_calls(dtype):
    loss, given = Stacked(), params(dtype)
    before = {name: np.copy(value) for name, value in given.items()}
    result = check_grad(loss, grad, given, points=2, vectorized=True)
    assert result.passed
    assert result.evaluations > 100
    assert loss.calls < 25
    assert all(np.array_equal(given[name], before[name]) for name in given)


def test_the_numbers_are_those_of_one_after_the_other():
    here, there = check_grad(alone, grad, params()), check_grad(Stacked(), grad, params(), vectorized=True)
    for one, other in zip(here.parameters, there.parameters, strict=True):
        # sums are taken in another order
        assert np.all(np.abs(one.numerical - other.numerical) <= one.numerical_error + other.numerical_error)
        assert one.verdicts == other.verdicts


def test_a_wrong_gradient_does_not_match():
    def wrong(p: dict[str, Any]) -> dict[str, Any]:
        return {**grad(p), "v": 1.001 * grad(p)["v"]}

    result = check_grad(Stacked(), wrong, params(), vectorized=True)
    assert {p.name: str(p.verdict) for p in result.parameters} == {"W": "match", "v": "mismatch", "b": "match"}


def test_many_entries_are_certified_along_directions():
    w = np.random.default_rng(3).normal(size=5000)

    def wrong(w: np.ndarray) -> np.ndarray:
        g = -np.sin(w)
        g[1234] *= 1.5
        return g

    result = check_grad(lambda w: np.cos(w).sum(axis=-1), wrong, w, vectorized=True)
    assert result.parameters[0].mismatched == 1
    assert check_grad(lambda w: np.cos(w).sum(axis=-1), lambda w: -np.sin(w), w, vectorized=True).passed


def test_lists_and_numbers_are_stacked():
    def loss(a: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return a * (rows**2).sum(axis=(1, 2))

    slopes = numerical_grad(loss, (2.0, [[1.0, 2.0], [3.0, 4.0]]), vectorized=True)
    assert slopes[0] == pytest.approx(30.0)
    assert np.allclose(slopes[1], [[4.0, 8.0], [12.0, 16.0]])


def test_workers_evaluate_stacks():
    loss = Stacked()
    result = check_grad(loss, grad, params(), vectorized=True, workers=map)
    assert result.passed


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda w: float((w**2).sum()), r"must return one number for each of 1 stacked parameters"),
        (lambda w: (w**2).sum(axis=1) + w.mean(), r"each row of the stacked parameters must have its own loss"),
        (lambda w: w**2, r"an array of shape \(1,\), got shape \(1, 3\)"),
    ],
)
def test_a_loss_that_does_not_keep_rows_apart_is_refused(loss, said):
    with pytest.raises(InputError, match=said):
        check_grad(loss, lambda w: 2 * w, np.array([1.0, 2.0, 3.0]), vectorized=True)


def test_a_loss_that_returns_both_is_refused():
    with pytest.raises(InputError, match="pass the gradient as a function"):
        check_grad(lambda w: ((w**2).sum(axis=1), 2 * w), True, np.ones(3), vectorized=True)


@pytest.mark.parametrize("passes", [True, False])
def test_single_precision_may_round_otherwise_in_a_batch(passes):
    """A sum over a stack may be taken in another order than one over a single row."""
    weights = np.random.default_rng(0).normal(size=500).astype(np.float32)

    def losses(w):
        order = slice(None) if len(w) == 1 else slice(None, None, -1)
        return np.cumsum((w**2 * weights)[:, order], axis=1, dtype=np.float32)[:, -1]

    start = np.ones(500, dtype=np.float32)
    factor = 2 if passes else 3
    result = check_grad(losses, lambda w: factor * w * weights, start, vectorized=True, rtol=0.05, entries=20)
    assert result.passed is passes
