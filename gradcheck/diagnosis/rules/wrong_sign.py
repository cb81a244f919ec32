"""GC214: a plus for a minus."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC214",
    name="wrong-sign",
    summary="A gradient, or one term of it, has the wrong sign.",
    explanation="""
The derivative of a difference is negative on one side, and that of a logarithm of `1 - p` brings a minus of its own.
Error conventions add to the confusion: `target - output` with `+=` is the same descent as `output - target` with
`-=`, and half of each is ascent.

A parameter whose whole gradient is turned round climbs, and the loss grows or settles high. If only one term is turned
round, training goes somewhere else and looks quiet.
""",
    evidence="""
A sign turned round at one place makes the gradients that the line has an influence on agree with finite differences.
Before that, the direction of the update is read from the script: ascent on a score is not a wrong sign.
""",
    hit="""
import numpy as np


def energy(points, centre, width):
    gap = points - centre
    return np.mean(gap**2 * width**2) - np.log(width)


def gradients(points, centre, width):
    gap = points - centre
    d_centre = 2 * np.mean(gap) * width**2  # <- wrong
    d_width = 2 * np.mean(gap**2) * width - 1 / width
    return d_centre, d_width


points = np.random.default_rng(5).normal(1.5, 0.7, size=40)
centre, width = 0.2, 0.8
for step in range(100):
    loss = energy(points, centre, width)
    d_centre, d_width = gradients(points, centre, width)
    centre -= 0.05 * d_centre
    width -= 0.05 * d_width
""",
    right="d_centre = -2 * np.mean(gap) * width**2",
    miss="""
import numpy as np


def energy(points, centre, width):
    gap = centre - points
    return np.mean(gap**2 * width**2) - np.log(width)


def downhill(points, centre, width):
    gap = points - centre
    down_centre = 2 * np.mean(gap) * width**2
    down_width = 1 / width - 2 * np.mean(gap**2) * width
    return down_centre, down_width


points = np.random.default_rng(5).normal(1.5, 0.7, size=40)
centre, width = 0.2, 0.8
for step in range(100):
    loss = energy(points, centre, width)
    down_centre, down_width = downhill(points, centre, width)
    centre += 0.05 * down_centre
    width += 0.05 * down_width
""",
    why_right="Both results of `downhill` are negative gradients, and the update adds them.",
)
