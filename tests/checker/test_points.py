"""Further points, drawn around the user's."""

import math
from typing import Any

import numpy as np

from gradcheck import Verdict, check_grad
from problems import cubic, cubic_grad, weights


def test_further_points_find_what_a_zero_bias_hides() -> None:
    def f(b: Any) -> Any:
        return np.sum(b**2 + b)

    def g(b: Any) -> Any:
        return 3 * b + 1

    assert check_grad(f, g, np.zeros(2)).passed
    result = check_grad(f, g, np.zeros(2), points=3)
    assert result.verdict is Verdict.MISMATCH
    assert result.points == 3


def test_the_first_point_is_where_the_user_stands() -> None:
    seen = []

    def g(x: Any) -> Any:
        seen.append(x.copy())
        return cubic_grad(x)

    check_grad(cubic, g, weights(), points=3)
    np.testing.assert_array_equal(seen[0], weights())
    assert len(seen) == 3
    assert not np.array_equal(seen[1], seen[2])


def test_points_outside_the_domain_are_drawn_closer_or_left_out() -> None:
    x = np.full(3, 1e-3)
    result = check_grad(
        lambda x: np.sum(np.sqrt(np.where(np.abs(x - 1e-3) < 2e-4, x, np.nan))), lambda x: 0.5 / np.sqrt(x), x, points=4
    )
    assert result.passed
    assert 1 <= result.points <= 4
    never = check_grad(lambda x: x if abs(x - 1) < 1e-3 else math.nan, lambda _: 1.0, 1.0, points=3)
    assert (never.points, never.verdict) == (1, Verdict.MATCH)
