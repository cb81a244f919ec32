"""The entries under test: all up to a budget, beyond it a seeded sample."""

from typing import Any

import numpy as np
import pytest

from gradcheck import check_grad
from gradcheck.checker.options import ENTRY_BUDGET
from problems import cubic, cubic_grad


def test_entries_are_sampled_beyond_the_budget() -> None:
    x = np.linspace(1, 2, 100)
    result = check_grad(cubic, cubic_grad, x, entries=10, seed=1)
    (parameter,) = result.parameters
    assert (parameter.checked, parameter.size) == (10, 100)
    assert "10 of 100" in str(result)
    again, other = (check_grad(cubic, cubic_grad, x, entries=10, seed=seed).parameters[0] for seed in (1, 2))
    np.testing.assert_array_equal(parameter.indices, again.indices)
    assert not np.array_equal(parameter.indices, other.indices)


@pytest.mark.parametrize(("entries", "expected"), [("auto", 1), ("all", ENTRY_BUDGET + 5)])
def test_auto_and_all_entries(entries: Any, expected: int) -> None:
    x = np.linspace(1, 2, ENTRY_BUDGET + 5)
    (parameter,) = check_grad(cubic, cubic_grad, x, entries=entries).parameters
    assert parameter.checked == expected
    assert (parameter.certificate is None) == (entries == "all")


@pytest.mark.parametrize("entries", ["auto", 10])
def test_entries_that_are_not_finite_are_never_overlooked(entries: Any) -> None:
    x = np.linspace(1, 2, ENTRY_BUDGET + 5)

    def holed(x: np.ndarray) -> np.ndarray:
        return np.where(np.arange(x.size) == 1234, np.nan, cubic_grad(x))

    (parameter,) = check_grad(cubic, holed, x, entries=entries).parameters
    assert parameter.mismatched == 1
    assert parameter.worst_index == (1234,)
