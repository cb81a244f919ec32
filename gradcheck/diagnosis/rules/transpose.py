"""GC217: a matrix the wrong way round."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC217",
    name="transpose",
    summary="A matrix is transposed where it should not be, or is not where it should be.",
    explanation="""
What goes forward through `W` comes back through `W.T`. If the layers have different sizes, a forgotten transpose is an
error of shapes; between layers of one size it is no error at all, and the deltas are mixed with the wrong weights.
The gradient of a square matrix can itself come out transposed, with the two factors of an outer product exchanged.

Layers above the line are right, those below are not, and a symmetric matrix hides it.
""",
    evidence="""
A transpose added or taken away at one place makes every gradient that the line has an influence on agree with finite
differences, for matrices that are not symmetric, at all points looked at.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(2)
inputs = rng.normal(size=(3, 16))
wanted = rng.normal(size=(4, 16))
params = {"A": rng.normal(size=(4, 3)) * 0.5, "B": rng.normal(size=(4, 4)) * 0.5}


def step(params, lr):
    A, B = params["A"], params["B"]
    hidden = np.tanh(A @ inputs)
    output = B @ hidden
    loss = 0.5 * np.sum((output - wanted) ** 2)
    d_output = output - wanted
    d_hidden = B @ d_output  # <- wrong
    grads = {"B": d_output @ hidden.T, "A": (d_hidden * (1 - hidden**2)) @ inputs.T}
    for name in params:
        params[name] = params[name] - lr * grads[name]
    return loss


for i in range(25):
    print(i, step(params, 0.01))
""",
    right="d_hidden = B.T @ d_output",
    miss="""
import numpy as np

rng = np.random.default_rng(2)
inputs = rng.normal(size=(16, 3))
wanted = rng.normal(size=(16, 4))
A, B = rng.normal(size=(3, 4)) * 0.5, rng.normal(size=(4, 4)) * 0.5

for i in range(25):
    hidden = np.tanh(inputs @ A)
    output = hidden @ B.T
    loss = 0.5 * np.sum((output - wanted) ** 2)
    d_output = output - wanted
    d_hidden = d_output @ B
    dB = d_output.T @ hidden
    dA = inputs.T @ (d_hidden * (1 - hidden**2))
    A -= 0.01 * dA
    B -= 0.01 * dB
""",
    why_right="The forward pass already multiplies by `B.T`, so that the way back is through `B` itself.",
)
