"""GC218: a sum or mean along the wrong axis."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC218",
    name="wrong-axis",
    summary="A sum, mean or maximum in the backward pass runs along the wrong axis.",
    explanation="""
A reduction that went along the columns on the way forward must be undone along the columns on the way back. The number
of an axis is easily written down from memory, and it changes its meaning as soon as samples stand in columns instead
of rows, or an axis for the batch is put in front. With `keepdims=True`, or with as many rows as columns, each axis
gives a shape that fits.

Everything below the line is wrong then, without any ratio that would give it away.
""",
    evidence="""
Another axis, given to a reduction that stands in the line, makes every gradient that the line has an influence on
agree with finite differences, and makes none wrong that was right before.
""",
    hit="""
import numpy as np


def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


rng = np.random.default_rng(8)
tokens = rng.normal(size=(6, 4))
goal = rng.normal(size=(6, 4))
Q = rng.normal(size=(4, 4)) * 0.3

for it in range(20):
    att = softmax(tokens @ Q @ tokens.T)
    loss = 0.5 * np.sum((att @ tokens - goal) ** 2)
    datt = (att @ tokens - goal) @ tokens.T
    dscores = att * (datt - np.sum(datt * att, axis=0, keepdims=True))  # <- wrong
    dQ = tokens.T @ dscores @ tokens
    Q -= 0.01 * dQ
""",
    right="dscores = att * (datt - np.sum(datt * att, axis=1, keepdims=True))",
    miss="""
import numpy as np


def softmax(s):
    e = np.exp(s - s.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


rng = np.random.default_rng(8)
tokens = rng.normal(size=(4, 6))
goal = rng.normal(size=(4, 6))
Q = rng.normal(size=(4, 4)) * 0.3

for it in range(20):
    att = softmax(tokens.T @ Q @ tokens)
    loss = 0.5 * np.sum((tokens @ att - goal) ** 2)
    datt = tokens.T @ (tokens @ att - goal)
    dscores = att * (datt - np.sum(datt * att, axis=0, keepdims=True))
    dQ = tokens @ dscores @ tokens.T
    Q -= 0.01 * dQ
""",
    why_right="The tokens stand in columns, and the softmax goes along axis 0 too.",
)
