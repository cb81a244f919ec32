"""GC222: two names for one array, of which one is changed in place."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC222",
    name="aliasing",
    summary="A name is a second name of an array, or a view of it, and what is done to one is done to both.",
    explanation="""
`d_bent = d_total` copies nothing: afterwards there is one array with two names. If `d_bent` is then set to zero where
a unit is off, or multiplied in place, `d_total` has changed as well, and a second path that still needs it (a skip
connection, the gradient of a bias) gets what was meant for the first. Rows and slices of an array behave in the same
way.

The line that is to blame looks harmless and may stand far from the gradient that is wrong.
""",
    evidence="""
A copy in the place of the second name, which changes no value at the line itself, makes every gradient agree with
finite differences, at points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = rng.normal(size=(20, 2))
params = {"A": rng.normal(size=(3, 4)), "B": rng.normal(size=(3, 4)), "C": rng.normal(size=(4, 2))}


def loss_and_grads(p):
    bent = X @ p["A"]
    total = np.maximum(bent, 0) + X @ p["B"]
    out = total @ p["C"]
    d_out = (out - y) / len(X)
    d_total = d_out @ p["C"].T
    d_bent = d_total  # <- wrong
    d_bent[bent <= 0] = 0
    return 0.5 * np.sum((out - y) ** 2) / len(X), {"A": X.T @ d_bent, "B": X.T @ d_total, "C": total.T @ d_out}


for step in range(50):
    loss, grads = loss_and_grads(params)
    for key in params:
        params[key] -= 0.1 * grads[key]
""",
    right="d_bent = d_total.copy()",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = rng.normal(size=(20, 2))
params = {"A": rng.normal(size=(3, 4)), "B": rng.normal(size=(3, 4)), "C": rng.normal(size=(4, 2))}


def loss_and_grads(p):
    bent = X @ p["A"]
    total = np.maximum(bent, 0) + X @ p["B"]
    out = total @ p["C"]
    d_out = (out - y) / len(X)
    d_total = d_out @ p["C"].T
    d_B = X.T @ d_total
    d_bent = d_total
    d_bent[bent <= 0] = 0
    return 0.5 * np.sum((out - y) ** 2) / len(X), {"A": X.T @ d_bent, "B": d_B, "C": total.T @ d_out}


for step in range(50):
    loss, grads = loss_and_grads(params)
    for key in params:
        params[key] -= 0.1 * grads[key]
""",
    why_right="`d_bent` is the same array as `d_total`, but `d_B` has been computed before one of them is changed.",
    message="{where} is the same array as `{old}`, so that what is done to one of them is done to both",
)
