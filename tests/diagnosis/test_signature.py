"""The sentence that says how a gradient is wrong, from its numbers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checker.functions import check_grad
from gradcheck.diagnosis.sight import Number, Sight
from gradcheck.diagnosis.signature import signature

W = np.random.default_rng(0).normal(size=(3, 3))
A = np.random.default_rng(1).normal(size=(3, 3))


def sentence(change, points=2, value=W, seen=None):
    """Return the signature of a changed gradient of a loss with a full gradient."""
    checks = [
        check_grad(
            lambda W: np.sum(np.sin(A @ W) ** 2),
            lambda W: {"W": change(A.T @ np.sin(2 * A @ W["W"] if isinstance(W, dict) else 2 * A @ W))},
            {"W": value + 0.1 * k},
        )
        for k in range(points)
    ]
    return signature("W", checks, seen)


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
        (lambda g: 30 * g, "numerical = analytic x 0.0333333 in every entry, at every point"),
        (lambda g: -g / 2, "numerical = analytic x -2 in every entry, at every point"),
        (lambda g: 0 * g, "the analytic gradient is zero"),
        (lambda g: g.T, "transpose"),
        (lambda g: g[::-1], "with its rows in reversed order"),
        (lambda g: g[:, ::-1], "with its columns in reversed order"),
        (lambda g: g[::-1, ::-1], "the numerical one in reversed order"),
        (lambda g: g[[1, 2, 0]], "has the entries of the numerical one, in another order"),
        (lambda g: g * [[1], [3], [1]], "row 1 of 3 is wrong, the others are right; numerical = analytic x 0.333333"),
        (lambda g: g * [2, 1, 2], "columns 0, 2 of 3 are wrong, the others are right; numerical = analytic x 0.5"),
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


def sight(**numbers):
    """Return a sight of numbers, the first the nearest; the parameter is that of `sentence`."""
    found = []
    for rank, (name, value) in enumerate(numbers.items()):
        text = f"len({name[4:]})" if name.startswith("len_") else name
        found.append(Number(text, np.resize(np.asarray(value, dtype=float), 2), 0.1 * rank))
    return Sight(tuple(found), {"W": [(W + 0.1 * k).reshape(-1) for k in range(2)]})


EVERY = "in every entry, at every point"


@pytest.mark.parametrize(
    ("factor", "numbers", "expected"),
    [
        (30, {"len_X": 30, "hidden": 30}, f"numerical = analytic x 0.0333333 (= 1/30) {EVERY}; `len(X)` is 30"),
        (1 / 30, {"len_X": 30}, f"numerical = analytic x 30 {EVERY}; `len(X)` is 30"),
        (10, {"LEARNING_RATE": 0.1}, f"numerical = analytic x 0.1 {EVERY}; `LEARNING_RATE` is 0.1"),
        (-10, {"rate": 0.1}, f"numerical = analytic x -0.1 {EVERY}; `rate` is 0.1"),
        (15, {"len_X": 30}, f"numerical = analytic x 0.0666667 (= 2/30) {EVERY}; `len(X)` is 30"),
        (
            300,
            {"rate": 0.1, "m": 30},
            f"numerical = analytic x 0.00333333 (= 0.1/30) {EVERY}; `rate` is 0.1 and `m` is 30",
        ),
        (0.5, {"len_X": 2}, f"numerical = analytic x 2 {EVERY}"),
        # what is not quite the number is not explained by it
        (1.97, {"len_X": 2}, f"numerical = analytic x {1 / 1.97:.6g} {EVERY}"),
        (30.01, {"len_X": 30, "rate": 0.1}, f"numerical = analytic x {1 / 30.01:.6g} {EVERY}"),
        # small whole numbers make up too many others
        (1 / 15, {"len_X": 3, "len_Y": 5}, f"numerical = analytic x 15 {EVERY}"),
        (7, {}, f"numerical = analytic x 0.142857 {EVERY}"),
    ],
)
def test_a_factor_is_explained_by_numbers_in_sight(factor, numbers, expected):
    assert sentence(lambda g: factor * g, seen=sight(**numbers)) == expected


def test_two_numbers_that_explain_it_equally_are_both_named():
    seen = Sight((Number("lam", np.full(2, 0.1)), Number("rate", np.full(2, 0.1))))
    assert "`lam` and `rate` are 0.1" in sentence(lambda g: 10 * g, seen=seen)


def test_of_two_lengths_one_is_named():
    seen = Sight((Number("len(X)", np.full(2, 30.0)), Number("len(Y)", np.full(2, 30.0))))
    assert sentence(lambda g: 30 * g, seen=seen).endswith("`len(X)` is 30")


def test_a_number_has_to_explain_all_points():
    """A factor of the first point only is none."""
    assert sentence(lambda g: 30 * g, seen=sight(m=(30, 20))).endswith(EVERY)


@pytest.mark.parametrize(
    ("values", "factors", "expected"),
    [
        ((30, 10), (30, 10), "numerical = analytic x 1/`m` in every entry, at every point"),
        ((0.3, 0.9), (1 / 0.21, 1 / 0.09), "numerical = analytic x `m` x (1 - `m`) in every entry, at every point"),
        ((0.3, 0.9), (1 / 0.91, 1 / 0.19), "numerical = analytic x (1 - `m` ** 2) in every entry, at every point"),
        ((30, 10), (30, 11), "no constant factor"),
    ],
)
def test_a_factor_that_varies_as_a_number_does(values, factors, expected):
    left = iter(factors)
    assert expected in sentence(lambda g: next(left) * g, seen=sight(m=values))


@pytest.mark.parametrize(
    ("size", "said"),
    [(0.01, "analytic - numerical = 0.01 x W"), (-0.02, "numerical - analytic = 0.02 (= 2 x 0.01) x W")],
)
def test_a_multiple_of_the_parameter_is_missing_or_too_much(size, said):
    points = iter([W, W + 0.1])
    text = sentence(lambda g: g + size * next(points), seen=sight(lam=0.01))
    assert text == f"{said} {EVERY}; `lam` is 0.01"


def test_the_parameter_after_a_step_is_no_gradient():
    points = iter([W, W + 0.1])
    text = sentence(lambda g: next(points) - 0.1 * g, seen=sight(rate=0.1))
    assert text == f"analytic = W - 0.1 x numerical {EVERY}; `rate` is 0.1"


def test_a_random_difference_is_no_multiple_of_anything():
    noise = np.random.default_rng(3)
    text = sentence(lambda g: g + 0.01 * noise.normal(size=g.shape), seen=sight(lam=0.01, m=30))
    assert text.startswith("no constant factor")


def test_a_difference_that_is_only_nearly_a_multiple_of_the_parameter():
    points = iter([W, W + 0.1])
    assert sentence(lambda g: g + 0.01 * next(points) ** 1.0 + 0.001, seen=sight(lam=0.01)).startswith("no constant")


def test_the_gradient_of_another_parameter():
    check = check_grad(
        lambda a, b: np.sum(np.sin(a) + b**2 * a),
        lambda a, b: (2 * a * b, 2 * a * b),
        (np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.1, 0.4])),
    )
    first, second = (p.name for p in check.parameters)
    assert signature(first, [check]).endswith(f"the numerical one of {second}")


@pytest.mark.parametrize(("ids", "names"), [([1, 0, 1], True), ([1, 2, 0], False), ([1, 1, 1], False)])
def test_rows_that_an_array_of_indices_holds_more_than_once(ids, names):
    """The sentence says so only where the array tells these rows from others."""
    seen = Sight((), {}, {"ids": [np.array(ids)] * 2})
    text = sentence(lambda g: g * [[1], [0.5], [1]], seen=seen)
    assert text.startswith("row 1 of 3")
    assert ("those that `ids` holds more than once, is wrong" in text) is names


@pytest.mark.parametrize(
    ("reached", "expected"), [(True, "in every entry"), (False, "no entry of it has been compared")]
)
def test_of_what_was_not_measured_nothing_is_said(reached, expected):
    check = check_grad(lambda w: np.sum(np.sin(w) ** 2), lambda w: 2 * np.sin(2 * w), W)
    (parameter,) = check.parameters
    if not reached:
        parameter = replace(parameter, numerical=np.full_like(parameter.numerical, np.nan))
    said = signature(parameter.name, [replace(check, parameters=(parameter,))])
    assert expected in said
    assert "zero" not in said
