"""Verdicts at the edges: kinks, zeros, noise, values that are not finite."""

import math
from typing import Any

import numpy as np
import pytest

from gradcheck import Verdict, check_grad
from gradcheck.checker.verdict import Reason
from problems import cubic, cubic_grad, weights


def only_entry(result: Any) -> tuple[Verdict, Reason | None]:
    (parameter,) = result.parameters
    return parameter.verdicts[0], parameter.reasons[0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_analytic_gradient_that_is_not_finite(bad: float) -> None:
    result = check_grad(cubic, lambda _: np.array([bad, 3 * 0.49, 3 * 1.21]), weights())
    assert only_entry(result) == (Verdict.MISMATCH, Reason.NON_FINITE_GRADIENT)
    assert result.parameters[0].mismatched == 1


@pytest.mark.parametrize("analytic", [1.0, math.nan])
def test_a_loss_that_is_not_finite_nearby(analytic: float) -> None:
    result = check_grad(lambda x: x if x <= 1 else math.nan, lambda _: analytic, 1.0)
    verdict, reason = only_entry(result)
    if math.isnan(analytic):
        assert (verdict, reason) == (Verdict.MISMATCH, Reason.NON_FINITE_GRADIENT)
    else:
        assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.NON_FINITE_LOSS)
        assert math.isnan(result.parameters[0].numerical[0])


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 1.0])
def test_any_subgradient_is_accepted_at_a_kink(slope: float) -> None:
    assert only_entry(check_grad(abs, lambda _: slope, 0.0)) == (Verdict.MATCH, Reason.KINK)


@pytest.mark.parametrize("slope", [-1.01, 1.001, 3.0])
def test_what_lies_outside_the_slopes_of_a_kink_is_neither_right_nor_wrong(slope: float) -> None:
    assert only_entry(check_grad(abs, lambda _: slope, 0.0)) == (Verdict.INCONCLUSIVE, Reason.KINK)


def test_a_sum_of_subgradients_may_lie_outside_the_slopes_of_the_sum() -> None:
    """Zero weights in front of a ReLU: every sample stands on its kink, and 0 is right code's answer."""
    x, c = np.array([1.0, 2.0, -3.0]), np.array([2.0, -0.5, -1.0])
    result = check_grad(lambda w: c @ np.maximum(w * x, 0), lambda w: float(c @ (x * (w * x > 0))), 0.0)
    assert only_entry(result) == (Verdict.INCONCLUSIVE, Reason.KINK)


def tied(x: Any) -> Any:
    return np.max(x)


@pytest.mark.parametrize("gradient", [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0.3, 0.7, 0]])
def test_any_share_of_a_tie_is_right(gradient: list[float]) -> None:
    result = check_grad(tied, lambda _: np.array(gradient, dtype=float), np.array([1, 1, 0.5]))
    assert result.passed
    assert result.parameters[0].reasons[:2] == (Reason.KINK, Reason.KINK)


@pytest.mark.parametrize("gradient", [[1, 1, 0], [0, 0, 0], [0.5, 0, 0], [2, 0, 0], [-1, 0, 0]])
def test_shares_of_a_tie_that_do_not_add_up_are_wrong(gradient: list[float]) -> None:
    result = check_grad(tied, lambda _: np.array(gradient, dtype=float), np.array([1, 1, 0.5]))
    assert result.parameters[0].verdicts == (Verdict.MISMATCH, Verdict.MISMATCH, Verdict.MATCH)
    assert result.parameters[0].reasons[0] is Reason.TIE


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_a_dead_unit_beside_one_at_its_kink_is_right(slope: float) -> None:
    result = check_grad(lambda x: 5 + np.maximum(x, 0).sum(), lambda _: np.array([slope, 0.0]), np.array([0.0, -1.0]))
    assert result.passed


@pytest.mark.parametrize("slope", [0.01, 0.5, 1.0])
def test_a_dead_unit_beside_one_at_its_kink_has_no_slope(slope: float) -> None:
    result = check_grad(lambda x: 5 + np.maximum(x, 0).sum(), lambda _: np.array([0.0, slope]), np.array([0.0, -1.0]))
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_kinks_that_do_not_stay_together_are_no_tie(sign: float) -> None:
    """Each entry stands on a kink of its own, and moved together they still do."""
    x = np.array([1.0, -2.0, 3.0])
    assert check_grad(lambda w: np.sum(np.abs(w - x)), lambda _: np.full(3, sign), x.copy()).passed


@pytest.mark.parametrize("factor", [1.0, 1.01, -1.0])
@pytest.mark.parametrize("rate", [1e5, 1e7, 1e8])
@pytest.mark.parametrize("x", np.random.default_rng(0).normal(size=8).tolist())
def test_an_oscillation_faster_than_any_step(x: float, rate: float, factor: float) -> None:
    slope = rate * math.cos(rate * x)
    result = check_grad(lambda x: math.sin(rate * x), lambda _: factor * slope, x)
    assert result.verdict is (Verdict.MATCH if factor == 1 else Verdict.MISMATCH)
    (parameter,) = result.parameters
    assert abs(parameter.numerical[0] - slope) <= parameter.numerical_error[0] + 1e-16 * rate * abs(rate * x)


@pytest.mark.parametrize("factor", [10.0, 1e3, 1e6, 1e12])
def test_a_gradient_that_is_far_too_large_is_still_found(factor: float) -> None:
    assert check_grad(cubic, lambda x: factor * cubic_grad(x), weights()).verdict is Verdict.MISMATCH


def test_a_kink_gives_way_to_a_point_that_decides() -> None:
    def gradient(w: float) -> float:
        return 3.0 if w == 0 else float(np.sign(w))

    assert only_entry(check_grad(abs, gradient, 0.0, points=3)) == (Verdict.MATCH, None)


def test_half_precision_parameters_of_a_single_precision_loss_have_no_room_for_a_second_step() -> None:
    x = np.array([0.3, -0.7, 1.1], np.float16)
    result = check_grad(lambda x: np.float32(np.sum(np.asarray(x, np.float32) ** 3)), lambda x: 3 * x**2, x)
    assert result.verdict is not Verdict.MISMATCH


CONSTANTS: dict[str, Any] = {
    "one": lambda x: 1.0,
    "three": lambda x: 3.0 + 0 * np.sum(x),
    "pi": lambda x: 3.14159,
    "zero": lambda x: 0.0,
    "negative": lambda x: -1000.0,
    "dead layer": lambda x: 0.3 + np.sum(np.maximum(-5 - x**2, 0)),
    "in single precision": lambda x: np.float32(0.1),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_loss_that_does_not_depend_on_a_parameter_has_a_gradient_of_zero(name: str) -> None:
    result = check_grad(CONSTANTS[name], np.zeros_like, np.array([1.0, -2.0, 0.0]))
    assert result.passed
    assert result.evaluations <= 50
    if name != "zero":
        assert result.parameters[0].reason is Reason.CONSTANT


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_loss_that_does_not_depend_on_a_parameter_has_no_other_gradient(name: str) -> None:
    result = check_grad(CONSTANTS[name], lambda x: np.array([0.0, 1e-3, 0.0]), np.array([1.0, -2.0, 0.0]))
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH, Verdict.MATCH)


@pytest.mark.parametrize("slope", [1e-6, 1e-9, 1e-12])
def test_a_loss_that_hardly_depends_on_a_parameter_is_no_constant(slope: float) -> None:
    result = check_grad(lambda x: 3.0 + slope * np.sum(x), np.zeros_like, np.array([1.0, -2.0]))
    assert result.verdict is Verdict.MISMATCH


def test_a_gradient_of_zero_beside_others() -> None:
    result = check_grad(lambda x: 3.0 + x[0] ** 2, lambda x: np.array([2 * x[0], 1e-17]), np.array([1.0, 1.0]))
    assert result.verdict is Verdict.MATCH


def test_a_missing_gradient_beside_others() -> None:
    result = check_grad(
        lambda x: 3.0 + x[0] ** 2 + 1e-6 * x[1], lambda x: np.array([2 * x[0], 0.0]), np.array([1.0, 1.0])
    )
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)


def test_a_random_loss_is_not_accused() -> None:
    rng = np.random.default_rng(0)
    result = check_grad(lambda x: np.sum(x**2) * (1 + 1e-3 * rng.normal()), lambda x: 2 * x, weights())
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.parameters[0].reason is Reason.RANDOM


def test_an_entry_that_is_large_does_not_hide_a_small_one() -> None:
    result = check_grad(
        lambda x: 1e3 * np.sin(x[0]) + 1e-4 * np.sin(x[1]),
        lambda x: np.array([1e3 * np.cos(x[0]), -1e-4 * np.cos(x[1])]),
        np.array([0.5, 0.5]),
    )
    assert result.parameters[0].verdicts == (Verdict.MATCH, Verdict.MISMATCH)


def test_tolerances_are_used() -> None:
    def wrong(x: Any) -> Any:
        return 1.01 * cubic_grad(x)

    assert check_grad(cubic, wrong, weights(), rtol=0.02).passed
    assert not check_grad(cubic, wrong, weights(), rtol=0.005).passed
    assert check_grad(cubic, wrong, weights(), atol=0.1).passed
    assert not check_grad(cubic, lambda x: cubic_grad(x) * (1 + 1e-7), weights(), rtol=1e-9).passed


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.MATCH), (1.01, Verdict.MISMATCH)])
def test_a_loss_with_noise_of_its_own_still_rules_out_an_error_of_a_thousandth(factor: float, verdict: Verdict) -> None:
    rng = np.random.default_rng(4)

    def loss(x: float) -> float:
        return math.sin(x) * (1 + 3e-7 * rng.uniform(-1, 1))

    assert check_grad(loss, lambda x: factor * math.cos(x), 0.7).verdict is verdict


def test_a_bend_of_a_tiny_unit_is_no_kink() -> None:
    """At zero, the unit of a parameter does not show; from afar, a smooth bend looks like a kink."""
    unit = 3.6e-12

    def loss(x: Any) -> Any:
        return 0.6 * np.sqrt(1 + (0.3 * x[0] / unit + 1) ** 2) + 0.1 * np.exp(-((2.2 * x[0] / unit + 0.8) ** 2))

    slope = 0.6 * 0.3 / np.sqrt(2) / unit - 0.1 * 2 * 0.8 * 2.2 * np.exp(-(0.8**2)) / unit
    assert not check_grad(loss, lambda x: np.zeros(1), np.zeros(1)).passed
    assert check_grad(loss, lambda x: np.array([slope]), np.zeros(1)).verdict is not Verdict.MISMATCH


def normalised(seed: int) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return a network whose bias a batch normalisation takes away again, and whose terms nearly cancel."""
    rng = np.random.default_rng(seed)
    X, V = rng.normal(size=(7, 6)), rng.normal(size=(5, 2)) * 0.5
    G = rng.choice([-1, 1], size=(7, 2)) * rng.uniform(0.6, 1.4, size=(7, 2))
    mask = (rng.random((7, 5)) < 0.6) / 0.6

    def forward(W: Any, b: Any) -> tuple[Any, Any, Any]:
        z = X @ W + b
        centred = z - z.mean(axis=0)
        s = np.sqrt((centred**2).mean(axis=0) + 1e-5)
        return centred / s, s, np.tanh(centred / s)

    def loss(W: Any, b: Any) -> float:
        return float(np.sum(G * ((mask * forward(W, b)[2]) @ V)))

    def grad(W: Any, b: Any) -> tuple[Any, Any]:
        u, s, a = forward(W, b)
        du = mask * (G @ V.T) * (1 - a * a)
        dz = (du - du.mean(axis=0) - u * (du * u).mean(axis=0)) / s
        return X.T @ dz, dz.sum(axis=0)

    return loss, grad, (rng.normal(size=(6, 5)) * 0.4, rng.normal(size=5) * 0.3)


@pytest.mark.parametrize("wrong", [0.0, 1e-3])
@pytest.mark.parametrize("seed", [56, 63, 178, 209, 210, 0, 1])
def test_round_off_that_grows_as_steps_shrink_is_no_jump(seed: int, wrong: float) -> None:
    """The derivative is exactly zero, and all that steps of any size see is round-off."""
    loss, grad, params = normalised(seed)
    result = check_grad(loss, lambda W, b: (grad(W, b)[0], grad(W, b)[1] + wrong * np.eye(5)[0]), params)
    assert result.verdict is (Verdict.MISMATCH if wrong else Verdict.MATCH)


def wide_layer(seed: int) -> tuple[Any, Any, Any]:
    """Return a loss of the biases of a hundred ReLUs, these biases and the gradient: kinks are everywhere."""
    rng = np.random.default_rng(seed)
    data, classes = 3 * rng.standard_normal((900, 2)), rng.integers(3, size=900)
    first, second = 0.01 * rng.standard_normal((2, 100)), 0.01 * rng.standard_normal((100, 3))

    def forward(biases: Any) -> tuple[Any, Any]:
        hidden = np.maximum(0, data @ first + biases)
        shares = np.exp(hidden @ second)
        return hidden, shares / shares.sum(axis=1, keepdims=True)

    def loss(biases: Any) -> Any:
        return -np.mean(np.log(forward(biases)[1][np.arange(900), classes]))

    biases = np.zeros(100)
    hidden, back = forward(biases)
    back[np.arange(900), classes] -= 1
    return loss, biases, ((back / 900 @ second.T) * (hidden > 0)).sum(axis=0)


@pytest.mark.parametrize("seed", range(6))
def test_kinks_that_are_closer_than_the_steps_are_no_mistake(seed: int) -> None:
    loss, biases, gradient = wide_layer(seed)
    (parameter,) = check_grad(loss, gradient, biases).parameters
    assert Verdict.MISMATCH not in parameter.verdicts
    assert parameter.verdicts.count(Verdict.MATCH) >= 98


@pytest.mark.parametrize("seed", range(6))
def test_a_hundredth_too_much_is_seen_among_many_kinks(seed: int) -> None:
    loss, biases, gradient = wide_layer(seed)
    largest = np.argsort(-np.abs(gradient))[:10]
    gradient[largest] *= 1.01
    (parameter,) = check_grad(loss, gradient, biases).parameters
    found = [n for n, verdict in enumerate(parameter.verdicts) if verdict is Verdict.MISMATCH]
    assert set(found) <= set(largest.tolist())
    assert len(found) >= 8
