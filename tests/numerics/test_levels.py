"""What the spread of differences tells of kinks."""

import numpy as np
import pytest

from gradcheck.numerics.step_search import RATIO
from ladders import levels_of


def test_spread_tells_a_kink_from_curvature() -> None:
    steps = [1e-3, 1e-3 / RATIO]
    assert levels_of(np.abs, 0.0, steps).kink()[0] == pytest.approx(1.0)
    assert levels_of(np.square, 1.0, steps).kink()[0] == 0
