"""GC225: an index that occurs several times and counts once."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC225",
    name="duplicate-index",
    summary="An index that occurs several times in an indexed `+=` is added only once.",
    explanation="""
`dE[words] += d` with an array of indices does not loop over them. NumPy takes the rows out, adds, and writes them
back, so that of several contributions to one row only the last survives. A word that stands twice in a sentence, a
node with two edges or a user with several ratings then gets too small a gradient.

Rows that occur once are right, and so is every test whose indices are all different.
""",
    evidence="""
`np.add.at` (or `np.subtract.at`) with the same index and the same value makes every gradient agree with finite
differences, at points that the search has not seen; the data has an index that repeats.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
words = np.array([0, 2, 1, 2, 3, 2, 0, 4])
y = rng.normal(size=8)
E = 0.5 * rng.normal(size=(5, 3))
w = rng.normal(size=3)

for step in range(50):
    rows = E[words]
    out = np.tanh(rows) @ w
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(y)
    dw = np.tanh(rows).T @ d_out
    d_rows = np.outer(d_out, w) * (1 - np.tanh(rows) ** 2)
    dE = np.zeros_like(E)
    dE[words] += d_rows  # <- wrong
    E -= 0.1 * dE
    w -= 0.1 * dw
""",
    right="np.add.at(dE, words, d_rows)",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
words = np.array([3, 0, 4, 1])
y = rng.normal(size=4)
E = 0.5 * rng.normal(size=(5, 3))
w = rng.normal(size=3)

for step in range(50):
    rows = E[words]
    out = np.tanh(rows) @ w
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(y)
    dw = np.tanh(rows).T @ d_out
    d_rows = np.outer(d_out, w) * (1 - np.tanh(rows) ** 2)
    dE = np.zeros_like(E)
    dE[words] += d_rows
    E -= 0.1 * dE
    w -= 0.1 * dw
""",
    why_right="All entries of `words` are different, so that no row is asked to take two contributions.",
    message="`{old}` counts an index that occurs several times only once; `{new}` adds up",
)
