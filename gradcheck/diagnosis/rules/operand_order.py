"""GC229: two operands, or two indices, in each other's places."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC229",
    name="operand-order",
    summary="Two operands of a product, or two indices, stand in each other's places.",
    explanation="""
`A @ B` and `B @ A` are two things, and so are `np.outer(a, b)` and `np.outer(b, a)`: the second is the first one
transposed. Where all sides are equally long, both orders fit. Correlations and convolutions have the same trap, and
so has `*` between matrices where `@` was meant.

Often the whole gradient is there, at the wrong places: the loss falls for a while and then stays where it is.
""",
    evidence="""
The same operands in the other order, or the other of the two products, make every gradient agree with finite
differences, at points that the search has not seen; nothing is added and nothing is left out.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
W = 0.5 * rng.normal(size=(4, 4))
v = rng.normal(size=4)


def grads(x, target):
    h = np.tanh(W @ x)
    error = v @ h - target
    dv = error * h
    delta = error * v * (1 - h ** 2)
    dW = np.outer(x, delta)  # <- wrong
    return 0.5 * error ** 2, dW, dv


for step in range(50):
    x = rng.normal(size=4)
    loss, dW, dv = grads(x, np.sin(x.sum()))
    W -= 0.05 * dW
    v -= 0.05 * dv
""",
    right="dW = np.outer(delta, x)",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
W = 0.5 * rng.normal(size=(4, 4))
v = rng.normal(size=4)


def grads(x, target):
    h = np.tanh(x @ W)
    error = v @ h - target
    dv = error * h
    delta = error * v * (1 - h ** 2)
    dW = np.outer(x, delta)
    return 0.5 * error ** 2, dW, dv


for step in range(50):
    x = rng.normal(size=4)
    loss, dW, dv = grads(x, np.sin(x.sum()))
    W -= 0.05 * dW
    v -= 0.05 * dv
""",
    why_right="Here `x` stands in front of `W`, so that the rows of `dW` belong to `x` and its columns to `delta`.",
)
