"""GC221: a parameter changed before its old value has been used for the last time."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC221",
    name="update-order",
    summary="A statement stands too early or too late: what it changes is still needed, or is not there yet.",
    explanation="""
All gradients of one step belong to one point. If the output weights are updated as soon as their gradient is known,
the delta of the hidden layer goes back through weights that the forward pass has not seen, and the hidden layer gets
the gradient of a network that exists at no time.

The error is proportional to the learning rate: a few percent at 0.02, a fifth at 1. Training goes down nearly as it
should, and the formulas, read one by one, are all right.
""",
    evidence="""
The same statements in another order make every gradient agree with finite differences, at points that the search has
not seen. No text of any statement is changed, only the place where one of them stands.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = np.sin(X @ np.array([[1.0], [-2.0], [0.5]]))
W1 = 0.5 * rng.normal(size=(3, 4))
W2 = 0.5 * rng.normal(size=(4, 1))
lr = 0.2

for step in range(50):
    hidden = np.tanh(X @ W1)
    out = hidden @ W2
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(X)
    dW2 = hidden.T @ d_out
    W2 -= lr * dW2
    d_hidden = d_out @ W2.T * (1 - hidden ** 2)  # <- wrong
    dW1 = X.T @ d_hidden
    W1 -= lr * dW1
""",
    right="d_hidden = d_out @ W2.T * (1 - hidden ** 2)",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = np.sin(X @ np.array([[1.0], [-2.0], [0.5]]))
W1 = 0.5 * rng.normal(size=(3, 4))
W2 = 0.5 * rng.normal(size=(4, 1))
lr = 0.2

for step in range(50):
    hidden = np.tanh(X @ W1)
    out = hidden @ W2
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(X)
    back = d_out @ W2.T
    W2 = W2 - lr * hidden.T @ d_out
    dW1 = X.T @ (back * (1 - hidden ** 2))
    W1 -= lr * dW1
""",
    why_right="`W2` is updated in the midst of the backward pass, but its old value has by then been used in `back`.",
    message="`{old}` stands where what it changes is still needed, or not yet there: it belongs {new}",
)
