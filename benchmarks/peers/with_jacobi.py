"""jacobi: its function of the same name, with its error estimate."""

from __future__ import annotations

from collections.abc import Callable

import jacobi
import numpy as np

from benchmarks.peers.estimates import RULE, Estimate, EstimatePeer


class Jacobi(EstimatePeer):
    """Differences with larger and smaller steps, extrapolated by a fit."""

    name = "jacobi"
    version = jacobi.__version__
    rule = f"jacobi(loss, x): {RULE}"

    def estimate(self, loss: Callable[[np.ndarray], float], x: np.ndarray) -> Estimate:
        """Return the numerical gradient and its error estimate."""
        value, error = jacobi.jacobi(loss, x)
        return np.ravel(value), np.ravel(error)
