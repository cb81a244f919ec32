"""Fits to many noisy differences: closer than any pair of them, and silent where they would only look good."""

from collections.abc import Callable

import numpy as np
import pytest

from gradcheck.numerics.extrapolation import polynomial_fits, richardson
from gradcheck.numerics.levels import Levels

STEPS = 0.2 * 0.85 ** np.arange(10)


def noisy_levels(f: Callable[[np.ndarray], np.ndarray], x: float, steps: np.ndarray, noise: float, runs: int) -> Levels:
    """Return the levels of the same loss under many draws of its noise, one entry each."""
    rng = np.random.default_rng(1)
    h = np.repeat(np.sort(steps)[::-1, None], runs, axis=1)

    def at(z: np.ndarray) -> np.ndarray:
        return f(z) + noise * rng.normal(size=z.shape)

    plus, minus, origin = at(x + h), at(x - h), at(np.full((1, runs), x))
    return Levels(h, (plus - minus) / (2 * h), (plus - 2 * origin + minus) / (2 * h), 4 * noise / h)


def test_the_bound_holds_and_is_tighter_than_that_of_pairs() -> None:
    levels = noisy_levels(np.sin, 0.4, STEPS, 1e-5, 500)
    fits = polynomial_fits(levels)
    assert fits is not None
    best = fits.best()
    assert np.mean(np.abs(best.value - np.cos(0.4)) <= best.error) > 0.99
    assert np.median(best.error) < 0.5 * np.median(richardson(levels).best().error)


@pytest.mark.parametrize("jump", [0.001, 0.005, 0.02, 0.05])
def test_a_kink_is_not_averaged_away(jump: float) -> None:
    """A kink of the size of the round-off moves the value by up to twice the bound, a larger one is seen."""
    levels = noisy_levels(lambda z: np.sin(z) + jump * np.abs(z - 0.43), 0.4, STEPS, 1e-5, 200)
    fits = polynomial_fits(levels)
    assert fits is not None
    best = fits.best()
    assert np.mean(np.abs(best.value - (np.cos(0.4) - jump)) <= 2 * best.error) > 0.95


def test_two_steps_that_decide_alone_are_not_trusted() -> None:
    # all the others drown in round-off, so that the curve goes through the two whatever they say
    steps = np.array([0.5, 0.2, 1e-4, 1e-5, 1e-6])
    fits = polynomial_fits(noisy_levels(lambda z: np.tanh(3 * z), 0.4, steps, 1e-7, 20))
    assert fits is not None
    assert np.all(np.isinf(fits.best().error))


def test_a_curve_that_does_not_fit_is_not_trusted() -> None:
    fits = polynomial_fits(noisy_levels(lambda z: np.sin(40 * z), 0.4, STEPS, 1e-9, 20))
    assert fits is not None
    assert np.all(np.isinf(fits.best().error))


def test_few_steps_give_nothing() -> None:
    assert polynomial_fits(noisy_levels(np.sin, 0.4, STEPS[:3], 1e-5, 2)) is None


@pytest.mark.parametrize("factor", [1e-300, 1e200])
def test_the_scale_of_the_loss_does_not_matter(factor: float) -> None:
    levels = noisy_levels(np.sin, 0.4, STEPS, 1e-5, 5)
    scaled = Levels(levels.step, *(factor * field for field in (levels.central, levels.spread, levels.noise)))
    one, other = polynomial_fits(levels), polynomial_fits(scaled)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.best().error / factor, one.best().error, rtol=1e-6)
