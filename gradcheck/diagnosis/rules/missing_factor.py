"""GC207: a factor of the chain rule that has been forgotten."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC207",
    name="missing-factor",
    summary="A product of the chain rule lacks one of its factors.",
    explanation="""
The chain rule multiplies what comes from above by the derivative of each step on the way: the scale that scores are
divided by, the gate that a value passes through, the inner derivative of a function of a function. The local derivative
is often written down with care, and then one of the others is left out.

A factor that is a plain number stretches the gradient of all that lies in front of it by the same amount, which looks
like a learning rate that is too large or too small for one layer. A factor that is an array also turns the gradient.
""",
    evidence="""
A variable that is in scope at the line, put there as a factor or below the line of a fraction, makes every gradient
that the line has an influence on agree with finite differences, at points that the search has not seen. Derivatives of
activations, plain numbers, lengths, masks and learning rates have codes of their own.
""",
    hit="""
import numpy as np


class GatedUnit:
    def __init__(self, rng, size):
        self.U = rng.normal(size=(size, size)) * 0.5
        self.V = rng.normal(size=(size, size)) * 0.5

    def forward(self, x):
        self.x = x
        self.gate = 1 / (1 + np.exp(-(x @ self.U)))
        self.cand = np.tanh(x @ self.V)
        return self.gate * self.cand

    def backward(self, d_out):
        d_gate = d_out * self.cand
        self.dU = self.x.T @ (d_gate * self.gate * (1 - self.gate))
        self.dV = self.x.T @ (d_out * (1 - self.cand ** 2))  # <- wrong


rng = np.random.default_rng(5)
X, Y = rng.normal(size=(10, 3)), rng.uniform(-1, 1, size=(10, 3))
unit = GatedUnit(rng, 3)
for epoch in range(30):
    out = unit.forward(X)
    loss = 0.5 * np.sum((out - Y) ** 2)
    unit.backward(out - Y)
    unit.U -= 0.05 * unit.dU
    unit.V -= 0.05 * unit.dV
""",
    right="self.dV = self.x.T @ (d_out * (1 - self.cand ** 2) * self.gate)",
    miss="""
import numpy as np


class SkipUnit:
    def __init__(self, rng, size):
        self.U = rng.normal(size=(size, size)) * 0.5
        self.V = rng.normal(size=(size, size)) * 0.5

    def forward(self, x):
        self.x = x
        self.gate = 1 / (1 + np.exp(-(x @ self.U)))
        self.cand = np.tanh(x @ self.V)
        return self.gate + self.cand

    def backward(self, d_out):
        self.dU = self.x.T @ (d_out * self.gate * (1 - self.gate))
        self.dV = self.x.T @ (d_out * (1 - self.cand ** 2))


rng = np.random.default_rng(5)
X, Y = rng.normal(size=(10, 3)), rng.uniform(-1, 1, size=(10, 3))
unit = SkipUnit(rng, 3)
for epoch in range(30):
    out = unit.forward(X)
    loss = 0.5 * np.sum((out - Y) ** 2)
    unit.backward(out - Y)
    unit.U -= 0.05 * unit.dU
    unit.V -= 0.05 * unit.dV
""",
    why_right="The gate is added to the candidate and not multiplied with it, so that each gets all of `d_out`.",
)
