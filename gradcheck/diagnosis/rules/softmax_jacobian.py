"""GC206: only the diagonal of a softmax's Jacobian."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC206",
    name="softmax-jacobian",
    summary="The way back through a softmax uses only the diagonal of its Jacobian.",
    explanation="""
Each output of a softmax depends on every one of its inputs, because all of them stand in the sum below the line. The
way back is therefore `p * (g - sum(g * p))`, with a sum for each row. The formula `p * (1 - p) * g` is that of a
sigmoid: it takes the diagonal and forgets how one class takes from the others.

With the cross-entropy the whole Jacobian comes down to `p - y`, and the question does not arise. It does with the
squared error, and in the weights of attention. A sign of the mistake is that the gradient of the logits does not add
up to zero over the classes, as it must.
""",
    evidence="""
The product of `p`, `1 - p` and what comes back, replaced by the product with the whole Jacobian, makes every gradient
that the line has an influence on agree with finite differences, at points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(4)
X = rng.normal(size=(12, 3))
Y = np.eye(4)[rng.integers(0, 4, size=12)]
W, b = 0.5 * rng.normal(size=(3, 4)), np.zeros(4)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


for epoch in range(40):
    p = softmax(X @ W + b)
    loss = 0.5 * np.sum((p - Y) ** 2)
    g = p - Y
    dz = g * p * (1 - p)  # <- wrong
    W -= 0.1 * (X.T @ dz)
    b -= 0.1 * dz.sum(axis=0)
""",
    right="dz = p * (g - np.sum(g * p, axis=-1, keepdims=True))",
    miss="""
import numpy as np

rng = np.random.default_rng(4)
X = rng.normal(size=(12, 3))
Y = rng.integers(0, 2, size=(12, 4)).astype(float)
W, b = 0.5 * rng.normal(size=(3, 4)), np.zeros(4)

for epoch in range(40):
    p = 1 / (1 + np.exp(-(X @ W + b)))
    loss = 0.5 * np.sum((p - Y) ** 2)
    g = p - Y
    dz = g * p * (1 - p)
    W -= 0.1 * (X.T @ dz)
    b -= 0.1 * dz.sum(axis=0)
""",
    why_right="`p` comes from a sigmoid for each class: its Jacobian has nothing beside the diagonal.",
)
