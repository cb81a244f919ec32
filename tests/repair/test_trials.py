"""What tells the values apart that edits give to an expression."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcheck.repair.trials import signature


@pytest.mark.parametrize("number", [0, -0.0, 1, -1, True, 3.7, -3.7, 1e-320, 1e308, 2**70, np.float64(2.5), math.pi])
def test_a_number_is_the_same_as_an_array_of_it(number):
    assert signature(number) == signature(np.asarray(number, dtype=float))


@pytest.mark.parametrize(("one", "other"), [(1.0, -1.0), (2.0, 3.0), (0.0, -0.0), (1e-9, 2e-9)])
def test_numbers_are_told_apart(one, other):
    assert signature(one) != signature(other)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_value(number):
    assert signature(number) == signature(np.asarray(number)) == ((), None)
