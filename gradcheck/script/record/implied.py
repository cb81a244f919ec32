"""Losses that scripts leave unwritten: those whose derivative is the difference of output and target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def half_square(one: Any, other: Any) -> float:
    """Return half the sum of squares of a difference."""
    difference = np.asarray(one) - np.asarray(other)
    return float(0.5 * np.sum(difference * difference))


def cross_entropy(probability: Any, target: Any) -> float:
    """Return the binary cross-entropy, summed; NaN where one side is no probability."""
    p, t = _probabilities(probability, target)
    if np.any(p >= 1):
        return float("nan")
    return float(-np.sum(t * np.log(p) + (1 - t) * np.log1p(-p)))


def categorical(probability: Any, target: Any) -> float:
    """Return the cross-entropy of classes, summed; NaN where one side is no distribution."""
    p, t = _probabilities(probability, target)
    return float(-np.sum(t * np.log(p)))


def picked(values: Any, places: Any) -> float:
    """Return the cross-entropy of the classes at some places, summed, also where one was subtracted there already.

    NaN where the values are no distributions.
    """
    p = np.array(values, dtype=float)
    if np.all(p[places] <= 0):
        p[places] += 1
    sums = [np.sum(p, axis=axis) for axis in range(p.ndim)]
    if np.any(p <= 0) or not any(np.allclose(each, 1) for each in sums):
        return float("nan")
    return float(-np.sum(np.log(p[places])))


def per_sample(loss: Callable[[Any, Any], float], one: Any, other: Any) -> float:
    """Return one of these losses divided by the length of what it is made of; NaN where that is a single number."""
    return loss(one, other) / np.shape(one)[0] if np.ndim(one) else float("nan")


def _probabilities(probability: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    p, t = np.asarray(probability, dtype=float), np.asarray(target, dtype=float)
    # a difference that is broadcast is another one than is meant
    if p.shape != t.shape or np.any(p <= 0) or np.any(p > 1) or np.any(t < 0) or np.any(t > 1):
        return np.full(1, np.nan), np.zeros(1)
    return p, t
