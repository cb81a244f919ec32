"""The best derivative that several steps give."""

from __future__ import annotations

import numpy as np

from gradcheck.numerics.extrapolation import Extrapolation
from gradcheck.numerics.least_squares import polynomial_fits
from gradcheck.numerics.levels import Levels
from gradcheck.numerics.richardson import richardson


def best_estimate(levels: Levels) -> Extrapolation:
    """Return of each entry the extrapolated derivative with the smallest bound of its error.

    Parameters
    ----------
    levels : Levels
        At least two rows; entries with fewer than two finite levels get an infinite error.
    """
    with np.errstate(all="ignore"):
        fits = polynomial_fits(levels)
        ways = richardson(levels)
        if fits is not None:
            ways = Extrapolation.joined([ways, fits])
        # a spread that grows as the step shrinks is no curvature and no kink: the loss has yet to be seen close enough
        longest = levels.longest_without_jump()
        return ways._replace(error=np.where(ways.step > longest, np.inf, ways.error)).best()
