"""GC209: the derivative of another activation."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC209",
    name="wrong-activation-derivative",
    summary="The derivative of one activation is used on the way back through another.",
    explanation="""
The activation of a layer is changed from sigmoid to tanh, and the way back keeps the old formula. Or a table of
functions and their derivatives has one entry wrong, far away from the layers that use it. The shapes are the same, and
nothing complains.

A relu for a leaky relu is wrong only below zero, and the network learns nearly as before. `a * (1 - a)`, the slope of a
sigmoid, is negative wherever a tanh is, and there the gradient points the wrong way. Everything behind the
activation is right; the gradient of the weights in front of it is not, and no constant factor would mend it.
""",
    evidence="""
Another function of the script called in place of the one that is called at the line, or another standard derivative in
place of the formula there, makes every gradient that the line has an influence on agree with finite differences, at
points that the search has not seen.
""",
    hit="""
import numpy as np


def d_sigmoid(a):
    return a * (1 - a)


def d_tanh(a):
    return 1 - a ** 2


rng = np.random.default_rng(7)
X, T = rng.normal(size=(15, 2)), rng.uniform(0.1, 0.9, size=(15, 1))
weights = [rng.normal(size=(2, 3)), rng.normal(size=(3, 1))]

for epoch in range(50):
    hidden = np.tanh(X @ weights[0])
    out = 1 / (1 + np.exp(-(hidden @ weights[1])))
    error = 0.5 * np.sum((out - T) ** 2)
    delta_out = (out - T) * d_sigmoid(out)
    delta_hidden = (delta_out @ weights[1].T) * d_sigmoid(hidden)  # <- wrong
    weights[1] -= 0.1 * (hidden.T @ delta_out)
    weights[0] -= 0.1 * (X.T @ delta_hidden)
""",
    right="delta_hidden = (delta_out @ weights[1].T) * d_tanh(hidden)",
    miss="""
import numpy as np


def d_sigmoid(a):
    return a * (1 - a)


rng = np.random.default_rng(7)
X, T = rng.normal(size=(15, 2)), rng.uniform(-0.9, 0.9, size=(15, 1))
weights = [rng.normal(size=(2, 3)), rng.normal(size=(3, 1))]

for epoch in range(50):
    half = 1 / (1 + np.exp(-2 * (X @ weights[0])))
    hidden = 2 * half - 1
    out = hidden @ weights[1]
    error = 0.5 * np.sum((out - T) ** 2)
    delta_out = out - T
    delta_hidden = (delta_out @ weights[1].T) * 4 * d_sigmoid(half)
    weights[1] -= 0.1 * (hidden.T @ delta_out)
    weights[0] -= 0.1 * (X.T @ delta_hidden)
""",
    why_right="`hidden` is a tanh that is made from a sigmoid of twice the sum, and four times that slope is its own.",
)
