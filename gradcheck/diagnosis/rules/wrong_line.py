"""GC290: a line that is suspected, and for which no edit was found."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC290",
    name="wrong-line",
    summary="A line flows into the wrong gradients, but no edit that mends them was found.",
    explanation="""
Each value of the backward pass is nudged, to see which gradients answer to it. A line that the wrong gradients have
in common is where the mistake may have come in. What belongs there instead can be a formula that is too far away from
the present one to be found by small edits: a missing Jacobian, or a derivative that was never worked out.

The suspicion may also fall on a line that only passes the mistake on, which is why it is worth reading the lines
around it too.
""",
    evidence="""
Some gradients differ from finite differences, the value of the line has an influence on them, and no edit that was
tried there makes all of them agree. Such a finding is possible and not verified.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
W, V = 0.5 * rng.normal(size=(3, 4)), 0.5 * rng.normal(size=(4, 2))

for step in range(50):
    z = X @ W
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / length
    out = unit @ V
    loss = 0.5 * np.sum((out - y) ** 2)
    dV = unit.T @ (out - y)
    dW = X.T @ ((out - y) @ V.T / length)  # <- wrong
    W -= 0.01 * dW
    V -= 0.01 * dV
""",
    right="",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
W, V = 0.5 * rng.normal(size=(3, 4)), 0.5 * rng.normal(size=(4, 2))

for step in range(50):
    z = X @ W
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / length
    out = unit @ V
    loss = 0.5 * np.sum((out - y) ** 2)
    d_out = out - y
    dV = unit.T @ d_out
    d_unit = d_out @ V.T
    dz = (d_unit - unit * np.sum(d_unit * unit, axis=1, keepdims=True)) / length
    dW = X.T @ dz
    W -= 0.01 * dW
    V -= 0.01 * dV
""",
    why_right="The whole Jacobian of the division by the length is there: its projection, and the length as a divisor.",
)
