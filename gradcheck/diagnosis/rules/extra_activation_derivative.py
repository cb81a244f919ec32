"""GC204: the derivative of an activation that has already been accounted for."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC204",
    name="extra-activation-derivative",
    summary="The error is multiplied by the derivative of an activation that it has already passed, or never passes.",
    explanation="""
For a sigmoid with the binary cross-entropy, and for a softmax with the cross-entropy, `p - y` is the derivative with
respect to the logits: the slope of the activation has cancelled against the derivative of the logarithm. Who remembers
that "each layer needs its derivative" multiplies by `p * (1 - p)` once more. The same goes for a linear output, which
has no slope at all.

The extra factor lies between 0 and 1/4, so that everything in front of it learns slowly, slowest where the prediction
is sure and wrong. It looks like a learning rate that is too small.
""",
    evidence="""
The line without the factor, which is a call of a derivative or has the form of one such as `p * (1 - p)`, makes every
gradient that it has an influence on agree with finite differences, at points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(30, 2))
y = (X[:, 0] - X[:, 1] > 0.2).astype(float)
w, b = 0.1 * rng.normal(size=2), 0.0

for epoch in range(60):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    delta = (p - y) * p * (1 - p)  # <- wrong
    grad_w = X.T @ delta / len(y)
    grad_b = delta.mean()
    w -= 0.5 * grad_w
    b -= 0.5 * grad_b
""",
    right="delta = p - y",
    miss="""
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(30, 2))
y = (X[:, 0] - X[:, 1] > 0.2).astype(float)
w, b = 0.1 * rng.normal(size=2), 0.0

for epoch in range(60):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    loss = 0.5 * np.mean((p - y) ** 2)
    delta = (p - y) * p * (1 - p)
    grad_w = X.T @ delta / len(y)
    grad_b = delta.mean()
    w -= 0.5 * grad_w
    b -= 0.5 * grad_b
""",
    why_right="The loss is the squared error, against which nothing cancels: the slope of the sigmoid belongs there.",
)
