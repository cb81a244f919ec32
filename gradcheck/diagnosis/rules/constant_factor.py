"""GC213: a number that should be another one."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC213",
    name="constant-factor",
    summary="A number in the backward pass is not the one that the derivative has.",
    explanation="""
Powers bring their exponent down, a square brings a 2, and a half in front of the loss takes it away again. Whoever
copies the gradient from one source and the loss from another has a 2 too many or too few, and whoever raises a power
in the forward pass forgets to do so in the backward pass.

If all gradients are off by one factor, plain descent only has another step size. That is a match with a note, unless
the training diverges or hardly gets anywhere, an optimizer sees the loss, or `--strict` is given. If one of several
terms or layers is off, the sum points elsewhere, and line searches and stopping rules no longer fit the loss.
""",
    evidence="""
One literal number, changed, added or dropped, makes all gradients that the line has an influence on agree with finite
differences, at the points of the search and at others, and makes no gradient wrong that was right.
""",
    hit="""
import numpy as np

np.random.seed(3)
x = np.random.uniform(-1, 1, size=(25, 2))
target = (x[:, 0] - 0.5 * x[:, 1]) ** 3
V = np.random.randn(2, 3)
c = np.random.randn(3)
rate = 0.02

for _ in range(60):
    z = x.dot(V)
    h = z**3
    pred = h.dot(c)
    loss = 0.5 * np.mean((pred - target) ** 2)
    d_pred = (pred - target) / len(x)
    d_c = h.T.dot(d_pred)
    d_h = np.outer(d_pred, c)
    d_z = d_h * 2 * z**2  # <- wrong
    d_V = x.T.dot(d_z)
    c = c - rate * d_c
    V = V - rate * d_V
""",
    right="d_z = d_h * 3 * z**2",
    miss="""
import numpy as np

np.random.seed(3)
x = np.random.uniform(-1, 1, size=(25, 2))
target = (x[:, 0] - 0.5 * x[:, 1]) ** 2
V = np.random.randn(2, 3)
c = np.random.randn(3)
rate = 0.02

for _ in range(60):
    z = x.dot(V)
    h = 0.5 * z**2
    pred = h.dot(c)
    loss = 0.5 * np.mean((pred - target) ** 2)
    d_pred = (pred - target) / len(x)
    d_c = h.T.dot(d_pred)
    d_h = np.outer(d_pred, c)
    d_z = d_h * z
    d_V = x.T.dot(d_z)
    c = c - rate * d_c
    V = V - rate * d_V
""",
    why_right="No 2 is missing: both squares have a half in front of them, in `h` and in the loss.",
)
