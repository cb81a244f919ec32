"""Tolerance, and the one definition of relative error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.checker.tolerance import Tolerance, default_rtol, make_tolerance, relative_error
from gradcheck.errors import InputError

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_relative_error_is_symmetric_and_between_0_and_2(a: float, n: float) -> None:
    error = float(relative_error(a, n))
    assert error == float(relative_error(n, a))
    assert 0 <= error <= 2


@given(numbers)
def test_relative_error_of_equal_numbers_is_zero(a: float) -> None:
    assert float(relative_error(a, a)) == 0


@given(st.floats(1e-100, 1e100), st.floats(-1e100, 1e100), st.integers(-150, 150))
def test_relative_error_does_not_depend_on_the_scale(a: float, n: float, power: int) -> None:
    scale = 2.0**power
    assert float(relative_error(a * scale, n * scale)) == pytest.approx(float(relative_error(a, n)), rel=1e-12)


@pytest.mark.parametrize(
    ("a", "n", "expected"),
    [
        (-5.0, 0.0, 1.0),
        (0.0, -5.0, 1.0),
        (2.0, -2.0, 2.0),
        (1e-300, 2e-300, 0.5),
        (1e308, -1e308, 2.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_relative_error_values(a: float, n: float, expected: float) -> None:
    assert float(relative_error(a, n)) == pytest.approx(expected)


@pytest.mark.parametrize(("a", "n"), [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan), (math.nan, math.inf)])
def test_nan_stays_nan(a: float, n: float) -> None:
    assert math.isnan(float(relative_error(a, n)))


@pytest.mark.parametrize(("a", "n"), [(math.inf, 1.0), (1.0, -math.inf), (math.inf, math.inf)])
def test_infinite_is_never_close(a: float, n: float) -> None:
    assert float(relative_error(a, n)) == math.inf


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (["float64"], 1e-5),
        (["longdouble"], 1e-5),
        (["float64", "float32"], 2e-3),
        (["float16", "float64"], 5e-2),
    ],
)
def test_default_rtol_is_that_of_the_coarsest_type(dtypes: list[str], expected: float) -> None:
    assert default_rtol(dtypes) == expected


def test_default_atol_is_zero() -> None:
    assert make_tolerance(None, None, ["float64"]) == Tolerance(1e-5, 0.0)


def test_allowed_difference() -> None:
    allowed = Tolerance(1e-2, 0.5).allowed(np.array([1.0, -4.0]), np.array([2.0, 3.0]), 10.0)
    np.testing.assert_allclose(allowed, [0.5 + 0.02 + 1e-4, 0.5 + 0.04 + 1e-4])


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "1e-3", True])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_bad_tolerance(name: str, value: object) -> None:
    given = {"rtol": None, "atol": None, name: value}
    with pytest.raises(InputError, match=f"`{name}`.*got"):
        make_tolerance(given["rtol"], given["atol"], ["float64"])  # type: ignore[arg-type]
