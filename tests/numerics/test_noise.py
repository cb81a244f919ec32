"""How far a value of the loss may be off."""

import numpy as np
import pytest

from gradcheck.numerics.noise import Noise


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float64(1) / np.arange(3, 9), 1.1e-16),
        (np.float32(1) / np.arange(3, 9, dtype=np.float32), 2.0**-24),
        (np.float16(1) / np.arange(3, 9, dtype=np.float16), 2.0**-11),
        (np.array([np.nan, 0.0]), 1.1e-16),
        (np.full(4, 3.0), 1.1e-16),
        (np.full(4, np.float32(0.1)), 2.0**-24),
    ],
    ids=["float64", "float32", "float16", "nothing to see", "a constant", "a constant in float32"],
)
def test_precision_shows_in_the_bits(values: np.ndarray, expected: float) -> None:
    assert Noise(1.1e-16).informed_by(values.astype(float)).unit_roundoff == expected
