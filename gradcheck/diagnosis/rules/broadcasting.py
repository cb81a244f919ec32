"""GC219: shapes that NumPy stretches into a table."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC219",
    name="broadcasting",
    summary="Two arrays of different shapes are stretched to a table where single entries should meet.",
    explanation="""
A column of shape `(n, 1)` and a row of shape `(n,)` do not meet entry by entry: NumPy makes a table of `n` times `n`
out of them, with every prediction against every target. A mean over that table gives a number, so that nothing looks
odd afterwards. A sum along an axis without `keepdims=True` does the same to a square array.

What comes out is a product of means where a mean of products belongs. The intercept is often right by luck, and the
slope is not.
""",
    evidence="""
A change of shape alone, such as `ravel()`, a column index or `keepdims=True`, makes every gradient that the line has
an influence on agree with finite differences; no value and no formula is exchanged.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(4)
x = rng.uniform(-1, 1, size=(15, 1))
y = 2.0 * x[:, 0] - 0.7 + 0.1 * rng.normal(size=15)
slope, intercept = 0.3, 0.1

for k in range(80):
    pred = slope * x + intercept
    loss = np.mean((pred.ravel() - y) ** 2)
    err = pred - y  # <- wrong
    d_slope = 2 * np.mean(err * x)
    d_intercept = 2 * np.mean(err)
    slope -= 0.2 * d_slope
    intercept -= 0.2 * d_intercept
""",
    right="err = pred - y.reshape(-1, 1)",
    miss="""
import numpy as np

rng = np.random.default_rng(4)
x = rng.uniform(-1, 1, size=15)
places = np.linspace(-1, 1, 5)
height = rng.normal(size=5)
y = np.sin(2 * x)

for k in range(80):
    gap = x[:, None] - places
    bumps = np.exp(-4 * gap**2)
    err = bumps @ height - y
    loss = np.mean(err**2)
    d_height = 2 * np.mean(err[:, None] * bumps, axis=0)
    d_places = 2 * np.mean(err[:, None] * bumps * 8 * gap * height, axis=0)
    height -= 0.2 * d_height
    places -= 0.02 * d_places
""",
    why_right="Each sample is meant to meet each place: the table is what the model is made of.",
)
