"""Extrapolation to step 0: its order, and the veto of a finer step."""

import numpy as np
import pytest

from gradcheck.numerics.extrapolation import richardson
from gradcheck.numerics.levels import Levels
from gradcheck.numerics.step_search import RATIO
from ladders import levels_of


@pytest.mark.parametrize(("levels", "order"), [(2, 4), (3, 6)])
def test_convergence_order_of_the_extrapolation(levels: int, order: int) -> None:
    """Two steps cancel the h^2 term, three the h^4 term."""

    def error(h: float) -> float:
        ladder = levels_of(np.exp, 0.3, [h / RATIO**k for k in range(levels)])
        return abs(float(richardson(ladder).best().value[0]) - float(np.exp(0.3)))

    assert np.log2(error(0.4) / error(0.2)) == pytest.approx(order, abs=0.3)


def test_a_finer_step_vetoes() -> None:
    h = np.array([[1e-2], [1e-2 / RATIO], [1e-5]])
    flat = np.zeros_like(h)
    agreeing = Levels(h, np.array([[1.0], [1.0], [1.0]]), flat, flat)
    contradicted = Levels(h, np.array([[1.0], [1.0], [3.0]]), flat, flat)
    assert richardson(agreeing).best().error[0] < 1e-12
    assert richardson(contradicted).best().error[0] >= 2.0
