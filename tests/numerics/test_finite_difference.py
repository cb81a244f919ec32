"""Central differences: the value lies within its bound, at two evaluations where that is enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.numerics.finite_difference import MAX_EVALUATIONS, Derivative, differentiate
from gradcheck.numerics.levels import Samples
from gradcheck.numerics.noise import Noise
from ladders import Function


def derivative(f: Function, x: float | np.ndarray, rtol: float = 1e-8, step: float | None = None) -> Derivative:
    """Differentiate an elementwise function at each of `x`, to `rtol`, from at least two steps."""
    x = np.atleast_1d(np.asarray(x, dtype=float))
    scale = np.where(x == 0, 1.0, np.abs(x))
    h = (1.1e-4 if step is None else step) * scale

    def sample(entries: np.ndarray, steps: np.ndarray) -> Samples:
        at = x[entries]
        shift = f(at) - origin  # each entry has a loss of its own, that of the first entry at x
        return Samples(f(at + steps) - shift, f(at - steps) - shift, ((at + steps) - (at - steps)) / 2)

    def goal(d: Derivative) -> tuple[np.ndarray, np.ndarray]:
        target = rtol * np.abs(d.value)
        return (d.error <= target) & (d.evaluations > 2), target

    origin = float(f(x[:1])[0])
    return differentiate(
        sample,
        origin,
        h,
        size=np.abs(x),
        smallest=1e-14 * np.abs(x),
        typical=h,
        largest=scale,
        noise=Noise(1.1e-16),
        goal=goal,
    )


FUNCTIONS = [
    (np.exp, np.exp),
    (np.sin, np.cos),
    (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    (lambda x: x**5 - x, lambda x: 5 * x**4 - 1),
    (lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    (lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
    (lambda x: 1e-12 * np.cos(3 * x), lambda x: -3e-12 * np.sin(3 * x)),
    (lambda x: np.abs(x - 0.3), lambda x: np.sign(x - 0.3)),
]


@pytest.mark.parametrize(("f", "exact"), FUNCTIONS)
@pytest.mark.parametrize("x", [-1.7, -0.4, 0.30001, 0.9, 2.3])
def test_error_is_within_the_bound(f: Function, exact: Function, x: float) -> None:
    d = derivative(f, x)
    truth = float(exact(np.array([x]))[0])
    assert abs(d.value[0] - truth) <= d.error[0]
    assert d.error[0] <= 1e-6 * abs(truth)
    assert d.evaluations[0] <= MAX_EVALUATIONS


@given(st.floats(-3, 3), st.floats(0.1, 3), st.floats(-3, 3))
def test_bound_holds_for_sums_of_sines(x: float, frequency: float, phase: float) -> None:
    d = derivative(lambda z: np.sin(frequency * z + phase) + np.exp(0.3 * z), x)
    truth = frequency * np.cos(frequency * x + phase) + 0.3 * np.exp(0.3 * x)
    assert abs(d.value[0] - truth) <= d.error[0]


def test_entries_are_independent() -> None:
    x = np.array([0.5, 1.0, 2.0])
    together = derivative(np.sin, x)
    np.testing.assert_allclose(together.value, np.cos(x), rtol=1e-9)


def test_kink_at_the_point() -> None:
    d = derivative(lambda x: 2 * np.abs(x) + x, 0.0)
    assert d.value[0] == pytest.approx(1.0)
    assert d.kink[0] == pytest.approx(2.0)
    assert d.error[0] >= 2.0


@pytest.mark.parametrize("distance", [1e-5, -1e-6, 1e-7])
def test_kink_beside_the_point_is_left_behind(distance: float) -> None:
    x = 0.7
    d = derivative(lambda z: np.abs(z - (x + distance)) + 3 * z, x)
    assert d.kink[0] == 0
    assert d.value[0] == pytest.approx(3 - np.sign(distance), rel=1e-6)


def test_two_evaluations_suffice_if_the_goal_says_so() -> None:
    x = np.linspace(0.5, 2, 7)
    calls = []

    def sample(entries: np.ndarray, steps: np.ndarray) -> Samples:
        calls.append(entries.size)
        return Samples(np.sin(x[entries] + steps), np.sin(x[entries] - steps), steps)

    def goal(d: Derivative) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(x.size, dtype=bool), d.error

    h = np.full(7, 1e-4)
    d = differentiate(sample, 0.0, h, size=x, smallest=0 * x, typical=h, largest=x, noise=Noise(1e-16), goal=goal)
    assert calls == [7]
    np.testing.assert_array_equal(d.evaluations, 2)
    np.testing.assert_allclose(d.value, np.cos(x), rtol=1e-7)


def test_budget_is_kept_and_nothing_is_claimed_for_a_rough_function() -> None:
    d = derivative(lambda x: np.sin(1e14 * x), 0.7)
    assert d.evaluations[0] <= MAX_EVALUATIONS
    assert not d.error[0] < 0.1 * abs(d.value[0])


def test_non_finite_values() -> None:
    d = derivative(lambda x: np.where(x > 0.5, np.nan, x), 0.5)
    assert np.isnan(d.value[0])
    assert d.error[0] == np.inf


def test_domain_edge_nearby_is_avoided_by_smaller_steps() -> None:
    edge = 0.5 + 1e-6
    d = derivative(lambda x: np.where(x > edge, np.nan, x * x), 0.5)
    assert abs(d.value[0] - 1.0) <= d.error[0] < 1e-3


def test_a_float32_loss_gets_a_float32_bound() -> None:
    d = derivative(lambda x: np.sin(x.astype(np.float32)).astype(float), 0.7)
    assert abs(d.value[0] - np.cos(0.7)) <= d.error[0]
    assert d.error[0] > 1e-8


def test_a_constant_that_is_too_coarse_to_change_is_not_resolved() -> None:
    offset = 2.0**52
    d = derivative(lambda x: offset + 1e-3 * x, 1.0, step=1e-4)
    assert abs(d.value[0] - 1e-3) <= d.error[0]
