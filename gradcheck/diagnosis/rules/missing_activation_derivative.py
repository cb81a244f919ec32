"""GC202: the error goes back through an activation without its derivative."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC202",
    name="missing-activation-derivative",
    summary="The error goes back through an activation, but is not multiplied by the activation's derivative.",
    explanation="""
Behind a sigmoid, a tanh or a relu, what comes back has to be multiplied by the slope of that function before it meets
the weights in front of it. The factor is most often forgotten at the output, where the error itself is taken for the
delta, and next most often on the way to the first layer.

The slope is never negative, so the gradient keeps its sign for each sample and training still goes down. It only gives
too much weight to units that are saturated. Where a sigmoid meets the cross-entropy the slope cancels, and there it is
right that none is seen; with the squared error it does not cancel.
""",
    evidence="""
The derivative of an activation, as a formula such as `(1 - h ** 2)` or as a call of the script's own function, put
into the line as a factor, makes every gradient that the line has an influence on agree with finite differences, at
points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(1)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[0.0], [1.0], [1.0], [0.0]])
W1, b1 = rng.normal(size=(2, 4)), np.zeros(4)
W2, b2 = rng.normal(size=(4, 1)), np.zeros(1)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


for epoch in range(100):
    hidden = np.tanh(X @ W1 + b1)
    out = sigmoid(hidden @ W2 + b2)
    loss = 0.5 * np.sum((out - y) ** 2)
    delta2 = out - y  # <- wrong
    delta1 = delta2 @ W2.T * (1 - hidden ** 2)
    W2 -= 0.1 * (hidden.T @ delta2)
    b2 -= 0.1 * delta2.sum(axis=0)
    W1 -= 0.1 * (X.T @ delta1)
    b1 -= 0.1 * delta1.sum(axis=0)
""",
    right="delta2 = (out - y) * out * (1 - out)",
    miss="""
import numpy as np

rng = np.random.default_rng(1)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[0.0], [1.0], [1.0], [0.0]])
W1, b1 = rng.normal(size=(2, 4)), np.zeros(4)
W2, b2 = rng.normal(size=(4, 1)), np.zeros(1)

for epoch in range(100):
    hidden = np.tanh(X @ W1 + b1)
    out = 1 / (1 + np.exp(-(hidden @ W2 + b2)))
    loss = -np.sum(y * np.log(out) + (1 - y) * np.log(1 - out))
    delta2 = out - y
    delta1 = delta2 @ W2.T * (1 - hidden ** 2)
    W2 -= 0.1 * (hidden.T @ delta2)
    b2 -= 0.1 * delta2.sum(axis=0)
    W1 -= 0.1 * (X.T @ delta1)
    b1 -= 0.1 * delta1.sum(axis=0)
""",
    why_right="The loss is the cross-entropy, whose derivative has the sigmoid's slope below the line: the two cancel.",
)
