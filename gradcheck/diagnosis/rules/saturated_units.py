"""GC403: units that are saturated or dead for every sample."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC403",
    name="saturated-units",
    summary="Most units of a layer are saturated or dead for every sample, from the start to the end.",
    explanation="""
The slope of a sigmoid or of tanh is nearly zero where its argument is large, and that of a ReLU is zero where it is
negative. A unit that is there for every sample passes no gradient on: the weights into it stay what they are, though
their gradient is computed correctly. This comes from starting weights that are too large, or from inputs that are not
scaled, so that the weights meet numbers in the hundreds.
""",
    evidence="""
At least half of the units of a layer have less than a hundredth of the largest possible slope, for every sample, at the
start and at the end, and the script has not come as far as the reference.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(1, 2, size=(40, 1))
Y = np.sin(3 * X)
W1 = 6 + rng.normal(size=(1, 6))  # <- wrong
b1 = np.zeros(6)
W2, b2 = rng.normal(size=(6, 1)), np.zeros(1)


def predict(x):
    hidden = np.tanh(x @ W1 + b1)
    return hidden, hidden @ W2 + b2


for step in range(3000):
    hidden, out = predict(X)
    loss = np.mean((out - Y) ** 2)
    d_out = 2 * (out - Y) / len(X)
    dW2, db2 = hidden.T @ d_out, d_out.sum(axis=0)
    d_hidden = d_out @ W2.T * (1 - hidden ** 2)
    dW1, db1 = X.T @ d_hidden, d_hidden.sum(axis=0)
    W1, b1, W2, b2 = W1 - 0.1 * dW1, b1 - 0.1 * db1, W2 - 0.1 * dW2, b2 - 0.1 * db2
""",
    right="W1 = rng.normal(size=(1, 6))",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(40, 1))
Y = np.sign(X)
W1 = 20 + rng.normal(size=(1, 6))
b1 = np.zeros(6)
W2, b2 = rng.normal(size=(6, 1)), np.zeros(1)


def predict(x):
    hidden = np.tanh(x @ W1 + b1)
    return hidden, hidden @ W2 + b2


for step in range(3000):
    hidden, out = predict(X)
    loss = np.mean((out - Y) ** 2)
    d_out = 2 * (out - Y) / len(X)
    dW2, db2 = hidden.T @ d_out, d_out.sum(axis=0)
    d_hidden = d_out @ W2.T * (1 - hidden ** 2)
    dW1, db1 = X.T @ d_hidden, d_hidden.sum(axis=0)
    W1, b1, W2, b2 = W1 - 0.1 * dW1, b1 - 0.1 * db1, W2 - 0.1 * dW2, b2 - 0.1 * db2
""",
    why_right="Its units are as steep, but between them there are samples of both sides, and it learns.",
)
