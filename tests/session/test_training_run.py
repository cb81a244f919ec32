"""What becomes of a loss in a training is judged on the data of several moments."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.session.training_run import Course


def course(start, end):
    return Course(np.array(start, dtype=float), np.array(end, dtype=float))


@pytest.mark.parametrize(
    ("start", "end", "rises"),
    [
        ([2.0], [1.0], False),
        ([2.0], [2.0], False),
        ([2.0], [2.1], True),
        ([2.0], [np.nan], True),
        ([2.0], [np.inf], True),
        # single samples go up and down; their mean has not risen by more than chance
        ([0.2, 0.3, 0.1, 0.4], [0.5, 0.2, 0.3, 0.1], False),
        ([0.2, 0.3, 0.1, 0.4], [0.9, 0.8, 1.0, 1.2], True),
    ],
)
def test_a_loss_rises_if_it_ends_above_where_it_began(start, end, rises):
    assert course(start, end).rises() is rises


def test_what_is_to_be_made_large_may_rise():
    assert not course([-3.0], [-1.0]).rises(-1.0)
    assert course([-1.0], [-3.0]).rises(-1.0)


@pytest.mark.parametrize(
    ("end", "other", "is_worse"),
    [
        ([0.5], [0.1], True),
        ([0.1], [0.5], False),
        ([0.1], [0.1], False),
        ([0.105], [0.1], False),
        # both have reached the bottom
        ([2e-9], [1e-9], False),
        ([0.5], [np.nan], False),
    ],
)
def test_a_training_is_worse_if_it_ends_clearly_higher(end, other, is_worse):
    assert course([1.0], end).is_worse(course([1.0], other)) is is_worse


@pytest.mark.parametrize(("end", "explodes"), [([0.5], False), ([5.0], False), ([50.0], True), ([np.nan], True)])
def test_a_loss_explodes_far_above_where_it_began(end, explodes):
    assert course([1.0], end).explodes() is explodes
