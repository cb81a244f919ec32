"""GC201: another variable of the same shape."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC201",
    name="wrong-variable",
    summary="A line of the backward pass uses a variable where another one belongs.",
    explanation="""
The gradient of a weight is what arrives at its output times what went *into* it. A weight in place of the
activation, the error in place of the delta, the delta of another gate or layer: as long as the shapes fit, nothing
complains. With one sample and one unit everything is a number, and every variable fits.

Training often still goes down a little, because other parameters are right and make up for some of it.
""",
    evidence="""
Another variable that is in scope at the line, put in its place, makes every gradient that the line has an influence
on agree with finite differences, at points that the search has not seen, and makes none wrong.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = X @ np.array([[1.0], [-2.0], [0.5]])
W1, W2 = rng.normal(size=(3, 3)), rng.normal(size=(3, 1))

for step in range(50):
    H = np.tanh(X @ W1)
    out = H @ W2
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(X)
    dW2 = H.T @ d_out
    d_hidden = d_out @ W2.T * (1 - H ** 2)
    dW1 = H.T @ d_hidden  # <- wrong
    W1 -= 0.05 * dW1
    W2 -= 0.05 * dW2
""",
    right="dW1 = X.T @ d_hidden",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
W = 0.3 * rng.normal(size=(3, 3))

for step in range(50):
    H = X @ W
    X_again = H @ W.T
    loss = np.mean((X_again - X) ** 2)
    d_again = 2 * (X_again - X) / X.size
    dW = X.T @ (d_again @ W) + d_again.T @ H
    W -= 0.05 * dW
""",
    why_right="`W` is used twice, so that `d_again` rightly meets `X` in one term and `H` in the other.",
)
