"""The scatter of a loss along a line: measured where there is some, not confused with curves, kinks or oscillations."""

from collections.abc import Callable

import numpy as np
import pytest

from gradcheck.numerics.noise import scatter

EPS = 2.0**-52


def scanned(loss: Callable[[float], float], origin: float, expected: float) -> float:
    """Scan a loss that takes one position after the other."""
    return scatter(lambda positions: np.array([loss(t) for t in positions]), origin, expected)


def noisy(level: float) -> Callable[[float], float]:
    """Return a smooth loss with noise of this standard deviation."""
    rng = np.random.default_rng(0)
    return lambda t: float(np.exp(0.3 * t) + level * rng.normal())


@pytest.mark.parametrize("level", [1e-12, 1e-9, 1e-6, 1e-3])
def test_noise_is_measured(level: float) -> None:
    assert scanned(noisy(level), 1.0, 1e-16) == pytest.approx(level, rel=0.9)


SMOOTH: dict[str, Callable[[float], float]] = {
    "curve": lambda t: float(np.exp(t)),
    "large curvature": lambda t: float(np.cos(300 * t)),
    "oscillation": lambda t: float(np.sin(1e7 * t)),
    "kink on one side": lambda t: float(abs(t - 3e-5) + np.cos(t)),
    "kink at the point": lambda t: float(abs(t) + np.cos(t)),
    "kinks on both sides": lambda t: float(abs(t - 2e-6) + abs(t + 3e-6) + np.cos(t)),
    "not finite on one side": lambda t: float("nan") if t > 0 else float(np.cos(t)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_no_noise_is_not_taken_for_it(name: str) -> None:
    assert scanned(SMOOTH[name], SMOOTH[name](0.0), 2 * EPS) <= 100 * EPS


def test_float32_inside() -> None:
    def loss(t: float) -> float:
        return float(np.float32(1.5) + np.sin(np.float32(0.7 + t)))

    assert 1e-8 < scanned(loss, loss(0.0), 1e-7) < 1e-6


def test_cancellation_shows_although_the_loss_is_small() -> None:
    def loss(t: float) -> float:
        return float(1e6 + np.sin(0.3 + t) - 1e6)

    assert 1e-11 < scanned(loss, loss(0.0), EPS) < 1e-9


def test_a_constant_has_none() -> None:
    assert scanned(lambda _: 2.0, 2.0, EPS) == 0.0


def test_a_loss_that_is_nowhere_finite_tells_nothing() -> None:
    assert scanned(lambda _: float("nan"), 1.0, EPS) == 0.0
