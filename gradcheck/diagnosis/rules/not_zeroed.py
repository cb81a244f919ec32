"""GC224: a gradient that goes on from an earlier one."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC224",
    name="not-zeroed",
    summary="A gradient goes on from what an earlier sample, batch or step has left there.",
    explanation="""
Gradients that live longer than one step, in an object, in a dictionary or in front of the training loop, must be set
back before they are filled again. With `+=` where `=` belongs, or without a reset, the gradient of this step comes
with those of all steps before it.

The first step is right, the hundredth is a hundred times too large or points somewhere else altogether. It looks like
a momentum that never fades, so that the loss swings instead of falling.
""",
    evidence="""
Assigning where the line now adds, or setting back what it goes on from, makes every gradient agree with finite
differences, at points that the search has not seen, although something was left over there from before.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = X @ np.array([1.0, -2.0, 0.5]) + 1.0
w, b = 0.1 * rng.normal(size=3), 0.0
dw = np.zeros(3)

for step in range(50):
    out = X @ w + b
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(X)
    dw += X.T @ d_out  # <- wrong
    db = d_out.sum()
    w -= 0.05 * dw
    b -= 0.05 * db
""",
    right="dw = X.T @ d_out",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = X @ np.array([1.0, -2.0, 0.5]) + 1.0
w, b = 0.1 * rng.normal(size=3), 0.0
dw = np.zeros(3)

for step in range(50):
    out = X @ w + b
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(X)
    dw[:] = 0
    dw += X.T @ d_out
    db = d_out.sum()
    w -= 0.05 * dw
    b -= 0.05 * db
""",
    why_right="`dw` is set back to zero in every step before anything is added to it.",
    message="`{old}` goes on from what was there before: `{new}` belongs there",
)
