"""When agreement up to a factor says something."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck.script.understand.agreement import enough_values
from gradcheck.script.understand.probing import Probe, Slopes


def probes(slopes, lengths):
    """Return what was seen of one number, moved by so much at each point."""
    nothing = np.zeros(1)
    found = [
        Slopes(
            "w", size * np.ones(1), size * slope * np.ones(1), nothing, np.zeros((2, 1)), nothing > 0, size * np.ones(1)
        )
        for slope, size in zip(slopes, lengths, strict=True)
    ]
    return [Probe((one,), is_first=not number) for number, one in enumerate(found)]


@pytest.mark.parametrize(
    ("slopes", "lengths", "enough"),
    [
        ([0.3, 0.3, 0.3], [1.0, 0.1, 4.0], False),
        ([0.3, 0.2, 0.4], [1.0, 0.1, 4.0], True),
        ([0.3, 0.2, 0.4], [1.0, 1.0, 1.0], True),
        ([0.3], [1.0], False),
    ],
    ids=["the-same-slope", "other-slopes", "other-slopes-equal-moves", "one-point"],
)
def test_the_same_number_again_agrees_with_anything(slopes, lengths, enough):
    """How far it was moved at each point makes no other slope of it."""
    assert enough_values(SimpleNamespace(names=("w",)), probes(slopes, lengths)) == enough
