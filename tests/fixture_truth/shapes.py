"""Losses of the scripts whose parameters, steps or losses have an uncommon shape."""

from __future__ import annotations

import numpy as np

from .registry import stretch


@stretch("g0 = g1 = gs = 0", "slope shift", stop="if epoch % 50", rate="lr")
def pendulum_integers(v, slope, shift):
    e = slope[0] * np.log(v.lengths) + slope[1] * np.array(v.swings) + shift - np.log(v.periods)
    return np.mean(e**2) / 2


@stretch("def slopes(", "M offset", "result[0] result[1]")
def cocoa_nested_integers(v, M, offset):
    cups, marks = (np.array(column) for column in zip(*v.cups, strict=True))
    return np.sum((cups @ M.T + offset - marks) ** 2) / len(v.cups)
