"""The step is a pure function of type, scheme and scale; its table is pinned here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.numerics.step_size import absolute_step, parameter_scale, relative_step, typical_scale

TABLE = [
    ("float64", "forward", 1.3411e-08),
    ("float64", "central", 5.4500e-06),
    ("float64", "ladder", 1.0986e-04),
    ("float32", "forward", 3.1074e-04),
    ("float32", "central", 4.4294e-03),
    ("float32", "ladder", 1.6723e-02),
    ("float16", "forward", 2.8125e-02),
    ("float16", "central", 8.9294e-02),
    ("float16", "ladder", 1.5910e-01),
    # derivatives are formed in float64, so a wider parameter does not allow a smaller step
    ("longdouble", "ladder", 1.0986e-04),
]


@pytest.mark.parametrize(("dtype", "scheme", "expected"), TABLE)
def test_table(dtype: str, scheme: str, expected: float) -> None:
    assert relative_step(dtype, scheme) == pytest.approx(expected, rel=1e-4)


def test_steps_are_not_powers_of_two() -> None:
    # else x + h has few bits and a loss looks as if it were computed in float32
    assert np.frexp(relative_step("float64"))[0] != 0.5


def test_zero_takes_the_scale_of_its_neighbours() -> None:
    np.testing.assert_array_equal(parameter_scale(np.array([0.0, -2.0, 4.0, 0.0])), [3.0, 2.0, 4.0, 3.0])


def test_all_zero_takes_scale_one() -> None:
    assert typical_scale(np.zeros(3)) == 1.0
    np.testing.assert_array_equal(parameter_scale(np.zeros(2)), [1.0, 1.0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(x=st.floats(-1e3, 1e3))
def test_step_is_positive_and_exactly_representable(dtype: str, x: float) -> None:
    stored = np.array([x], dtype=dtype)
    h = absolute_step(stored.astype(np.float64), dtype)
    size = np.abs(stored)
    assert h[0] > 0
    assert float((size + h.astype(dtype))[0]) - float(size[0]) == h[0]


def test_step_does_not_vanish_next_to_a_large_entry() -> None:
    x = np.array([6e4], dtype=np.float16)
    assert absolute_step(x.astype(np.float64), np.float16, relative=1e-8)[0] >= np.spacing(x[0])
