"""GC404: steps that are too small or too large."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC404",
    name="step-size",
    summary="The steps are too small or too large: with others, the same training goes well.",
    explanation="""
With steps that are too small, the loss goes down so slowly that the training ends long before it has arrived. With
steps that are too large, the parameters jump over the valley, and the loss swings or grows. In both cases all formulas
are right, and a change of one number is enough.
""",
    evidence="""
The script's network was trained again from the script's own starting values, on the same data and with as many steps,
by plain gradient descent with steps 10 or 100 times as large or as small: then it has come as far as the reference.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(40, 1))
Y = np.sin(3 * X)
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
    W1, b1, W2, b2 = W1 - 0.0001 * dW1, b1 - 0.0001 * db1, W2 - 0.0001 * dW2, b2 - 0.0001 * db2  # <- wrong
""",
    right="W1, b1, W2, b2 = W1 - 0.1 * dW1, b1 - 0.1 * db1, W2 - 0.1 * dW2, b2 - 0.1 * db2",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(40, 1))
Y = np.sin(3 * X)
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
    why_right="The step is right: the script comes as far as the reference.",
)
