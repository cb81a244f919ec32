"""GC405: inputs that would have to be scaled."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC405",
    name="unscaled-inputs",
    summary="The inputs are not scaled: with scaled ones, the same training goes well.",
    explanation="""
Inputs in the hundreds make the gradients of the first weights hundreds of times larger than those of the biases. A step
that suits the one is far too large or too small for the other, and hidden units are saturated from the start. Inputs
with mean 0 and spread 1 have no such trouble.
""",
    evidence="""
The script's network was trained again from the script's own starting values, with the same step and as many of them,
but on inputs of mean 0 and spread 1: then it has come as far as the reference.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(0, 300, size=(40, 1))  # <- wrong
Y = np.sin(X / X.max() * 6)
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
    W1, b1, W2, b2 = W1 - 0.05 * dW1, b1 - 0.05 * db1, W2 - 0.05 * dW2, b2 - 0.05 * db2
""",
    right="X = rng.uniform(0, 300, size=(40, 1)) / 100",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(0, 300, size=(40, 1)) / 100
Y = np.sin(2 * X)
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
    why_right="Its inputs have about the size of 1.",
)
