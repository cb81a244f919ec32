"""Differences of a function at given steps, for the tests of their analysis."""

from collections.abc import Callable

import numpy as np

from gradcheck.numerics.levels import Levels

Function = Callable[[np.ndarray], np.ndarray]


def levels_of(f: Function, x: float, steps: list[float]) -> Levels:
    h = np.array(steps)[:, None]
    plus, minus, at = f(x + h), f(x - h), f(np.array(x))
    return Levels(h, (plus - minus) / (2 * h), (plus - 2 * at + minus) / (2 * h), np.zeros_like(h))
