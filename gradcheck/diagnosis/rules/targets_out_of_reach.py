"""GC402: targets that the output activation cannot give."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC402",
    name="targets-out-of-reach",
    summary="Some targets lie outside of what the output activation can give.",
    explanation="""
A sigmoid gives numbers between 0 and 1, tanh numbers between -1 and 1. Targets beyond them are never reached: the
outputs are driven to the end of their range, where the activation is flat and the gradients vanish, and the loss stays
large. Either the targets are scaled into the range, and predictions back, or the last layer has no activation.
""",
    evidence="""
The reference network computes the same predictions as the script, which tells the output activation; targets of the
training lie outside of its range.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(40, 1))
Y = 5 + 3 * X  # <- wrong
W1 = rng.normal(size=(1, 6))
b1 = np.zeros(6)
W2, b2 = rng.normal(size=(6, 1)), np.zeros(1)


def predict(x):
    hidden = np.tanh(x @ W1 + b1)
    return hidden, 1 / (1 + np.exp(-(hidden @ W2 + b2)))


for step in range(3000):
    hidden, out = predict(X)
    loss = np.mean((out - Y) ** 2)
    d_out = 2 * (out - Y) / len(X) * out * (1 - out)
    dW2, db2 = hidden.T @ d_out, d_out.sum(axis=0)
    d_hidden = d_out @ W2.T * (1 - hidden ** 2)
    dW1, db1 = X.T @ d_hidden, d_hidden.sum(axis=0)
    W1, b1, W2, b2 = W1 - 1.0 * dW1, b1 - 1.0 * db1, W2 - 1.0 * dW2, b2 - 1.0 * db2
""",
    right="Y = (5 + 3 * X) / 10",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(40, 1))
Y = 5 + 3 * X
W1 = rng.normal(size=(1, 6))
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
    why_right="Without an activation in its last layer, a network can give any number.",
)
