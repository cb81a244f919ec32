"""A parameter's entries as a grid: no wrong entry gets lost, and nothing unchecked looks checked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcheck import ParameterResult, check_grad
from gradcheck.report.heat_map import ERROR_LIMITS, heat_map


def compared(
    shape: tuple[int, ...], wrong: dict[tuple[int, ...], float], entries: int | str = "all"
) -> ParameterResult:
    """Check the gradient of a sum of squares with some entries replaced."""

    def gradient(w: np.ndarray) -> np.ndarray:
        found = 2 * w
        for index, value in wrong.items():
            found[index] = value
        return found

    w = np.random.default_rng(0).normal(size=shape)
    return check_grad(lambda w: np.sum(w**2), gradient, w, entries=entries).parameters[0]


@pytest.mark.parametrize(
    ("shape", "cells", "words"),
    [
        ((), (1, 1), ()),
        ((5,), (1, 5), ()),
        ((2, 3), (2, 3), ()),
        ((4, 3, 2), (4, 6), ("4 x 3 x 2, drawn as 4 x 6",)),
        ((20,), (3, 8), ("20 entries, in rows of 8",)),
        ((30, 3), (8, 3), ("a cell is the worst of 4 x 1 entries",)),
    ],
)
def test_entries_are_laid_out_in_rows_and_columns(shape, cells, words):
    drawn = heat_map(compared(shape, {}), most=8)
    assert drawn.shape == cells
    assert drawn.words == words
    assert drawn.counts.sum() == math.prod(shape)
    assert np.array_equal(drawn.checked, drawn.counts > 0)


def test_each_entry_is_where_it_belongs():
    parameter = compared((2, 3), {(1, 0): 7.0})
    drawn = heat_map(parameter)
    assert np.array_equal(drawn.analytic, parameter.analytic.reshape(2, 3))
    assert np.array_equal(drawn.numerical, parameter.numerical.reshape(2, 3))
    assert np.array_equal(drawn.rel_error, parameter.rel_error.reshape(2, 3))
    assert drawn.limit == 7.0


@pytest.mark.parametrize("shape", [(300,), (37, 41), (5, 6, 7)])
def test_one_wrong_entry_is_seen_among_many(shape):
    index = tuple(n - 2 for n in shape)
    drawn = heat_map(compared(shape, {index: 100.0}), most=8)
    assert max(drawn.shape) <= 8
    assert np.count_nonzero(drawn.rel_error > 0.1) == 1
    assert drawn.analytic[drawn.rel_error > 0.1] == 100.0


def test_what_was_not_checked_is_told_from_what_is_nan():
    parameter = compared((4, 5), {(0, 0): math.nan, (1, 1): math.inf}, entries=9)
    drawn = heat_map(parameter)
    assert drawn.checked.sum() == parameter.checked < 20
    assert drawn.words == (f"grey: not compared by itself ({20 - parameter.checked} of 20)",)
    assert np.isnan(drawn.error_levels[~drawn.checked]).all()
    assert np.isfinite(drawn.error_levels[drawn.checked]).all()


def test_numbers_that_are_none_count_as_the_largest_error_and_leave_the_scale_alone():
    drawn = heat_map(compared((3,), {(0,): math.nan, (1,): math.inf}))
    assert drawn.error_levels[0].tolist()[:2] == [ERROR_LIMITS[1], ERROR_LIMITS[1]]
    assert math.isnan(drawn.analytic[0, 0])
    assert 0 < drawn.limit < 10


def test_a_gradient_of_zeros_has_a_scale():
    (parameter,) = check_grad(lambda w: 1.0, lambda w: np.zeros(2), np.ones(2)).parameters
    assert heat_map(parameter).limit == 1.0
