"""Points in the space of parameters, and numerical derivatives there, without the checker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Point = dict[str, np.ndarray]
Loss = Callable[[Point], float]


@dataclass(frozen=True)
class Sample:
    """What a script says at one point.

    Parameters
    ----------
    point : dict of str to ndarray
        Parameters, under the names that a report prints.
    loss : callable
        Takes a point, returns a number; written by hand.
    gradients : dict of str to ndarray
        Gradients of the script at this point.
    """

    point: Point
    loss: Loss
    gradients: Point


def moved_by(point: Point, name: str, index: tuple[int, ...], change: float) -> Point:
    """Copy a point and move one entry of one parameter."""
    moved = {key: value.copy() for key, value in point.items()}
    moved[name][index] += change
    return moved


def central_difference(loss: Loss, point: Point, name: str, step: float = 1e-5) -> np.ndarray:
    """Differentiate the loss with respect to every entry of one parameter."""
    numerical = np.zeros_like(point[name])
    for index in np.ndindex(numerical.shape):
        high, low = (float(loss(moved_by(point, name, index, sign * step))) for sign in (1, -1))
        numerical[index] = (high - low) / (2 * step)
    return numerical


def along_directions(sample: Sample, name: str, count: int, step: float = 3e-5) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate along random directions of one parameter: as the script's gradient says, and numerically."""
    rng = np.random.default_rng(0)
    here, pairs = sample.point[name], []
    for _ in range(count):
        direction = rng.standard_normal(here.shape)
        direction /= np.linalg.norm(direction)
        high, low = (sample.loss({**sample.point, name: here + sign * step * direction}) for sign in (1, -1))
        pairs.append((np.sum(sample.gradients[name] * direction), (high - low) / (2 * step)))
    analytic, numerical = np.array(pairs).T
    return analytic, numerical


def one_sided_difference(loss: Loss, point: Point, name: str, step: float) -> np.ndarray:
    """Differentiate from one side, with second order; a negative step looks to the left."""
    numerical = np.zeros_like(point[name])
    for index in np.ndindex(numerical.shape):
        here, near, far = (float(loss(moved_by(point, name, index, n * step))) for n in (0, 1, 2))
        numerical[index] = (4 * near - 3 * here - far) / (2 * step)
    return numerical


def slope_beside_kinks(loss: Loss, sample: Sample, name: str) -> np.ndarray:
    """Give every entry the derivative from the side that agrees best with the script: at a kink both are right."""
    candidates = np.array([one_sided_difference(loss, sample.point, name, step) for step in (1e-5, -1e-5)])
    best = np.abs(candidates - sample.gradients[name]).argmin(axis=0)
    return np.asarray(np.take_along_axis(candidates, best[None], axis=0)[0])


def disagreement(analytic: np.ndarray, numerical: np.ndarray) -> float:
    """Return the largest difference relative to the largest entry of the two; NaN when one of them has a NaN."""
    if analytic.shape != numerical.shape:
        raise ValueError(f"expected shape {numerical.shape}, got {analytic.shape}")
    scale = max(np.abs(analytic).max(), np.abs(numerical).max())
    return 0.0 if scale == 0 else float(np.abs(analytic - numerical).max() / scale)


def perturbed(point: Point, seed: int, sizes: Mapping[str, float] | None = None) -> Point:
    """Move every entry of every parameter by a random amount, a fifth of its usual size (one unless said)."""
    rng = np.random.default_rng(seed)
    sizes = sizes or {}
    return {
        name: np.array(value + 0.2 * sizes.get(name, 1.0) * rng.standard_normal(value.shape))
        for name, value in point.items()
    }


def arrays(names: list[str], values: Any) -> Point:
    """Give copies of some values, as float arrays, their names."""
    return {name: np.array(value, dtype=float) for name, value in zip(names, values, strict=True)}
