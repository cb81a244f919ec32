"""GC212: divided by a count once too often, or not at all."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC212",
    name="normalisation",
    summary="A gradient is divided by a number of samples, steps or outputs once too often, or not at all.",
    explanation="""
A loss that is a mean has one division by the count, and so has each of its gradients. Where that division stands is
free: in the first delta, or in each weight gradient. Formulas from two sources put together often have it in both
places, or in none, and a `mean` stands where a `sum` belongs.

The gradient then has the right direction and the wrong length, as if that one parameter had another learning rate.
Training goes on, more slowly in one layer than in the others, and it changes with the size of the batch.
""",
    evidence="""
Adding or dropping a division by a length that is in sight, or exchanging a sum for a mean, makes every gradient that
the line has an influence on agree with finite differences, and the same edit holds at points not seen before.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(1)
X = rng.normal(size=(30, 4))
y = np.sin(X[:, :1])
W1, b1 = rng.normal(size=(4, 5)) * 0.5, np.zeros(5)
W2, b2 = rng.normal(size=(5, 1)) * 0.5, np.zeros(1)
m = len(X)

for epoch in range(40):
    a1 = np.tanh(X @ W1 + b1)
    out = a1 @ W2 + b2
    loss = np.sum((out - y) ** 2) / m
    dout = 2 * (out - y) / m
    dW2 = a1.T @ dout
    db2 = dout.sum(axis=0)
    dz1 = dout @ W2.T * (1 - a1**2)
    dW1 = X.T @ dz1 / m  # <- wrong
    db1 = dz1.sum(axis=0)
    for param, grad in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
        param -= 0.1 * grad
""",
    right="dW1 = X.T @ dz1",
    miss="""
import numpy as np

rng = np.random.default_rng(1)
X = rng.normal(size=(30, 4))
y = np.sin(X[:, :1])
W1, b1 = rng.normal(size=(4, 5)) * 0.5, np.zeros(5)
W2, b2 = rng.normal(size=(5, 1)) * 0.5, np.zeros(1)
m = len(X)

for epoch in range(40):
    a1 = np.tanh(X @ W1 + b1)
    out = a1 @ W2 + b2
    loss = np.sum((out - y) ** 2) / m
    dout = 2 * (out - y)
    dW2 = a1.T @ dout / m
    db2 = dout.mean(axis=0)
    dz1 = dout @ W2.T * (1 - a1**2)
    dW1 = X.T @ dz1 / m
    db1 = dz1.mean(axis=0)
    for param, grad in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
        param -= 0.1 * grad
""",
    why_right="The delta is not divided here, so that each gradient has its one division by `m` or its one mean.",
)
