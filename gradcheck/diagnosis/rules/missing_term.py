"""GC210: a way from a parameter to the loss that has been forgotten."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC210",
    name="missing-term",
    summary="A sum over the ways in which a value reaches the loss lacks one of them.",
    explanation="""
What is used in several places gets a contribution from each of them, and the contributions are added. One is forgotten
where a value goes around a layer as well as through it, where weights are tied, or where a hidden state feeds both the
output and the next step.

The term that is there is right in itself, and so the line looks right. The gradient points roughly in the right
direction as long as the forgotten way is the weaker one.
""",
    evidence="""
A variable that is in scope at the line, or a product of two of them, added there or subtracted, makes every gradient
that the line has an influence on agree with finite differences, at points that the search has not seen. Penalties on
the size of the weights and what a recurrent network carries from step to step have codes of their own.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(8)
X, Y = rng.normal(size=(10, 4)), rng.normal(size=(10, 2))
params = {"W0": rng.normal(size=(4, 3)), "W1": rng.normal(size=(3, 3)), "W2": rng.normal(size=(3, 2))}
rate = 0.01

for step in range(50):
    h0 = np.tanh(X @ params["W0"])
    block = np.tanh(h0 @ params["W1"])
    h1 = h0 + block
    diff = h1 @ params["W2"] - Y
    loss = 0.5 * np.sum(diff ** 2)
    grads = {"W2": h1.T @ diff}
    d_h1 = diff @ params["W2"].T
    d_inner = d_h1 * (1 - block ** 2)
    grads["W1"] = h0.T @ d_inner
    d_h0 = d_inner @ params["W1"].T  # <- wrong
    grads["W0"] = X.T @ (d_h0 * (1 - h0 ** 2))
    for name in params:
        params[name] -= rate * grads[name]
""",
    right='d_h0 = d_inner @ params["W1"].T + d_h1',
    miss="""
import numpy as np

rng = np.random.default_rng(8)
X, Y = rng.normal(size=(10, 4)), rng.normal(size=(10, 2))
params = {"W1": rng.normal(size=(4, 4)), "W2": rng.normal(size=(4, 2))}
rate = 0.01

for step in range(50):
    block = np.tanh(X @ params["W1"])
    h1 = X + block
    diff = h1 @ params["W2"] - Y
    loss = 0.5 * np.sum(diff ** 2)
    grads = {"W2": h1.T @ diff}
    d_h1 = diff @ params["W2"].T
    d_inner = d_h1 * (1 - block ** 2)
    grads["W1"] = X.T @ d_inner
    for name in params:
        params[name] -= rate * grads[name]
""",
    why_right="What goes around the block is the data, and nobody asks for a gradient with respect to that.",
)
