"""Random weights that make one number of all that a function returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.numerics.arrays import FloatArray


def cotangent(shape: Sequence[int], rng: np.random.Generator) -> FloatArray:
    """Return weights of either sign, none of them so small that it would hide an entry."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape), dtype=np.float64)
