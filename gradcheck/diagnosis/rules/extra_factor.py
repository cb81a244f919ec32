"""GC208: a factor that does not belong to the chain rule."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC208",
    name="extra-factor",
    summary="A product of the chain rule has a factor too many.",
    explanation="""
A factor is counted twice when two lines each believe that the multiplication is their business: the sample weight is
already in the delta and is multiplied in again, or the gradient of the logits has been divided by the temperature and
the gradient of the weights is divided by it once more. In other cases the factor belongs to the other operand, or comes
from a formula for another model.

Where the factor is positive, the gradient still points downhill, and nothing shows but that some samples or units count
for too much. Where it can be zero, what is behind it stops learning.
""",
    evidence="""
The line without one of its factors, or without one that it is divided by, makes every gradient that it has an influence
on agree with finite differences, at points that the search has not seen. Derivatives of activations, plain numbers,
lengths and learning rates have codes of their own.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(6)
X = rng.normal(size=(25, 3))
labels = rng.integers(0, 4, size=25)
Y = np.eye(4)[labels]
W, b = 0.1 * rng.normal(size=(3, 4)), np.zeros(4)
temperature = 2.5

for it in range(100):
    logits = (X @ W + b) / temperature
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    cost = -np.log(p[np.arange(25), labels]).mean()
    d_scores = (p - Y) / 25 / temperature
    dW = X.T @ d_scores / temperature  # <- wrong
    db = d_scores.sum(axis=0)
    W -= 0.5 * dW
    b -= 0.5 * db
""",
    right="dW = X.T @ d_scores",
    miss="""
import numpy as np

rng = np.random.default_rng(6)
X = rng.normal(size=(25, 3))
labels = rng.integers(0, 4, size=25)
Y = np.eye(4)[labels]
W, b = 0.1 * rng.normal(size=(3, 4)), np.zeros(4)
temperature = 2.5

for it in range(100):
    logits = X @ W / temperature + b
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    cost = -np.log(p[np.arange(25), labels]).mean()
    d_scores = (p - Y) / 25
    dW = X.T @ d_scores / temperature
    db = d_scores.sum(axis=0)
    W -= 0.5 * dW
    b -= 0.5 * db
""",
    why_right="Only `X @ W` is divided by the temperature: `dW` needs a factor that `d_scores` does not have.",
)
