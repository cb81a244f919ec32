"""GC228: a mask that the backward pass leaves out, or that is not the one of the forward pass."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC228",
    name="mask",
    summary="The backward pass lacks a mask of the forward pass, or asks another question than the forward pass did.",
    explanation="""
Dropout, padding, a maximum and a margin all let some entries through and stop others. The gradient takes the same way:
it is stopped where the value was stopped. A mask that is forgotten on the way back, that is drawn a second time, or
whose comparison points the other way, gives a gradient to units that had no part in the loss.

Everything behind the mask is right, everything in front of it is wrong, and a keep probability near 1 hides most of it.
""",
    evidence="""
The mask of the forward pass as a factor, or another comparison or variable in the mask that is there, makes every
gradient agree with finite differences, with the random numbers held fixed.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(16, 4))
y = rng.normal(size=(16, 2))
W1 = 0.5 * rng.normal(size=(4, 6))
W2 = 0.5 * rng.normal(size=(6, 2))

for step in range(50):
    h = np.tanh(X @ W1)
    keep_mask = (rng.random(h.shape) < 0.7) / 0.7
    dropped = h * keep_mask
    out = dropped @ W2
    loss = 0.5 * np.sum((out - y) ** 2)
    d_out = out - y
    dW2 = dropped.T @ d_out
    dz = d_out @ W2.T * (1 - h ** 2)  # <- wrong
    dW1 = X.T @ dz
    W1 -= 0.01 * dW1
    W2 -= 0.01 * dW2
""",
    right="dz = d_out @ W2.T * (1 - h ** 2) * keep_mask",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(16, 4))
y = rng.normal(size=(16, 2))
W1 = 0.5 * rng.normal(size=(4, 6))
W2 = 0.5 * rng.normal(size=(6, 2))

for step in range(50):
    keep_mask = (rng.random(X.shape) < 0.7) / 0.7
    noisy = X * keep_mask
    h = np.tanh(noisy @ W1)
    out = h @ W2
    loss = 0.5 * np.sum((out - y) ** 2)
    d_out = out - y
    dW2 = h.T @ d_out
    dz = d_out @ W2.T * (1 - h ** 2)
    dW1 = noisy.T @ dz
    W1 -= 0.01 * dW1
    W2 -= 0.01 * dW2
""",
    why_right="The mask is on the input, which needs no gradient, and `dW1` has it in `noisy`.",
)
