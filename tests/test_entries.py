"""The entries under test: all up to a budget, beyond it a seeded sample."""

from typing import Any

import numpy as np
import pytest

from gradcheck import check_grad
from gradcheck.options import ENTRY_BUDGET
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


@pytest.mark.parametrize(("entries", "expected"), [("auto", ENTRY_BUDGET), ("all", ENTRY_BUDGET + 5)])
def test_auto_and_all_entries(entries: Any, expected: int) -> None:
    x = np.ones(ENTRY_BUDGET + 5)
    assert check_grad(cubic, cubic_grad, x, entries=entries).parameters[0].checked == expected
