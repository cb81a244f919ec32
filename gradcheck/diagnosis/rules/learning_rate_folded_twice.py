"""GC215: a step size that is in the gradient and in the update."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC215",
    name="learning-rate-folded-twice",
    summary="The learning rate is a factor of one gradient and of its update too.",
    explanation="""
The step size can be put into the deltas or into the updates. Where a delta already has it and the update multiplies
once more, the parameters behind that delta move with the square of the learning rate, which is next to nothing.
It comes about when two programs are put together, one of which returns steps and the other gradients.

The last layer learns, the first one hardly does, and the network looks as if its gradients vanished.
""",
    evidence="""
Taking the step size out of one line, or putting it in, makes the gradients behind that line agree with finite
differences. If all updates have one factor in common, it is taken for the learning rate, and nothing is reported.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(9)
X = rng.normal(size=(12, 2))
y = np.prod(X, axis=1, keepdims=True)
W1, W2 = rng.normal(size=(2, 6)), rng.normal(size=(6, 1))
learning_rate = 0.05

for epoch in range(50):
    hidden = np.tanh(X @ W1)
    out = hidden @ W2
    loss = 0.5 * np.sum((out - y) ** 2)
    out_delta = out - y
    grad2 = hidden.T @ out_delta
    hidden_delta = learning_rate * (out_delta @ W2.T) * (1 - hidden**2)  # <- wrong
    grad1 = X.T @ hidden_delta
    W2 -= learning_rate * grad2
    W1 -= learning_rate * grad1
""",
    right="hidden_delta = out_delta @ W2.T * (1 - hidden**2)",
    miss="""
import numpy as np

rng = np.random.default_rng(9)
X = rng.normal(size=(12, 2))
y = np.prod(X, axis=1, keepdims=True)
W1, W2 = rng.normal(size=(2, 6)), rng.normal(size=(6, 1))
learning_rate = 0.05

for epoch in range(50):
    hidden = np.tanh(X @ W1)
    out = hidden @ W2
    loss = 0.5 * np.sum((out - y) ** 2)
    out_delta = learning_rate * (out - y)
    step2 = hidden.T @ out_delta
    hidden_delta = (out_delta @ W2.T) * (1 - hidden**2)
    step1 = X.T @ hidden_delta
    W2 -= step2
    W1 -= step1
""",
    why_right="The first delta has the learning rate, all steps follow from it, and the updates do not multiply again.",
)
