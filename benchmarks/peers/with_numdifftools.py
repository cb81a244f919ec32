"""numdifftools: ``Gradient`` with its error estimate."""

from __future__ import annotations

from collections.abc import Callable

import numdifftools
import numpy as np

from benchmarks.peers.estimates import RULE, Estimate, EstimatePeer


class Numdifftools(EstimatePeer):
    """Central differences over a wide range of steps, extrapolated."""

    name = "numdifftools"
    version = numdifftools.__version__
    rule = f"Gradient(loss, full_output=True)(x): {RULE}"

    def estimate(self, loss: Callable[[np.ndarray], float], x: np.ndarray) -> Estimate:
        """Return the numerical gradient and its error estimate."""
        found = numdifftools.Gradient(loss, full_output=True)(x)
        return np.ravel(found.estimate), np.ravel(found.error_estimate)
