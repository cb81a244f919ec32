"""Results as data frames."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gradcheck import CheckResult, check_grad

PARAMETER_COLUMNS = [
    "shape",
    "checked",
    "mismatched",
    "max_abs_error",
    "max_rel_error",
    "worst_index",
    "analytic",
    "numerical",
    "numerical_error",
    "verdict",
    "reason",
]
ENTRY_COLUMNS = ["analytic", "numerical", "numerical_error", "abs_error", "rel_error", "verdict", "reason"]


@pytest.fixture
def wrong() -> CheckResult:
    params = {"W": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": 0.5}

    def grad(p: dict[str, Any]) -> dict[str, Any]:
        g = 2 * p["W"]
        g[0, 1] *= 1.1
        g[1, 0] = math.nan
        return {"W": g, "b": 2 * 3 * p["b"]}

    return check_grad(lambda p: np.sum(p["W"] ** 2) + p["b"] ** 2, grad, params)


def test_one_row_per_parameter(wrong: CheckResult) -> None:
    table = wrong.table()
    assert list(table.index) == ["W", "b"]
    assert table.index.name == "parameter"
    assert list(table.columns) == PARAMETER_COLUMNS
    row = table.loc["W"]
    assert (row["shape"], row["checked"], row["mismatched"], row["worst_index"]) == ((2, 2), 4, 2, (1, 0))
    assert (row["verdict"], row["reason"]) == ("mismatch", "non-finite-gradient")
    assert table.loc["b", "worst_index"] == ()
    assert table.loc["b", "analytic"] == 3.0
    assert table.loc["b", "max_rel_error"] == pytest.approx(2 / 3)


def test_one_row_per_entry(wrong: CheckResult) -> None:
    entries = wrong.entries()
    assert list(entries.columns) == ENTRY_COLUMNS
    assert entries.index.names == ["parameter", "index"]
    assert list(entries.index) == [("W", (0, 0)), ("W", (0, 1)), ("W", (1, 0)), ("W", (1, 1)), ("b", ())]
    assert list(entries["verdict"]) == ["match", "mismatch", "mismatch", "match", "mismatch"]
    # full precision, not what is printed
    assert entries["numerical"].to_numpy()[3] == wrong.parameters[0].numerical[3]
    assert entries["analytic"].dtype == np.float64


def test_mismatches_worst_first(wrong: CheckResult) -> None:
    mismatches = wrong.mismatches()
    assert list(mismatches.index) == [("W", (1, 0)), ("b", ()), ("W", (0, 1))]
    assert set(mismatches["verdict"]) == {"mismatch"}


def test_no_mismatches() -> None:
    mismatches = check_grad(np.square, lambda x: 2 * x, 1.5).mismatches()
    assert isinstance(mismatches, pd.DataFrame)
    assert len(mismatches) == 0
    assert list(mismatches.columns) == ENTRY_COLUMNS
