"""GC401: a prediction for inputs that are nowhere near those of the training."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC401",
    name="outside-the-training-range",
    summary="The network is asked about inputs that lie far outside the range that it was trained on.",
    explanation="""
Inputs are often scaled before a training: divided by their maximum, or shifted to mean 0. What is asked afterwards has
to be scaled in the same way, with the same numbers. A network that has seen 0.1 to 1 and is asked about 7 answers for a
point that is many times further out than any of its samples. Sigmoids are flat there, so that the answers are nearly
the same for all such questions, however well the network has learned.
""",
    evidence="""
A function that predicts was called with an input that lies beyond the training range by more than the whole range is
wide. The same function was handed inputs of the training at another call.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
ages = np.arange(20.0, 60.0).reshape(-1, 1)
X = (ages - 40) / 12
Y = np.tanh(X)
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

print(predict(np.array([[35.0]]))[1])  # <- wrong
""",
    right="print(predict((np.array([[35.0]]) - 40) / 12)[1])",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
ages = np.arange(20.0, 60.0).reshape(-1, 1)
X = (ages - 40) / 12
Y = np.tanh(X)
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

print(predict((np.array([[65.0]]) - 40) / 12)[1])
""",
    why_right="What is asked is scaled as the training data were, and lies only a little outside of their range.",
)
