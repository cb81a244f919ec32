"""GC226: an index, a slice or the range of a loop that is off by one."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC226",
    name="off-by-one-index",
    summary="An index, a slice or the range of a loop of the backward pass is off by one, or runs the wrong way.",
    explanation="""
Lists of activations start with the input, lists of weights do not, so that what goes into layer `k` is `acts[k]` and
what comes out of it `acts[k + 1]`. Time steps have the same trap: the recurrent weight meets the state of the step
before. With one index too many or too few the last layer is mostly right and all others are wrong.

As long as all layers are equally wide, every shape fits and nothing complains.
""",
    evidence="""
The index, the end of a slice or the range moved by one, or the other direction, makes every gradient agree with finite
differences, at points that the search has not seen, and makes none wrong.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4))
y = rng.normal(size=(10, 4))
weights = [0.5 * rng.normal(size=(4, 4)) for _ in range(3)]

for step in range(50):
    acts = [X]
    for W in weights:
        acts.append(np.tanh(acts[-1] @ W))
    loss = 0.5 * np.sum((acts[-1] - y) ** 2)
    grads = [None] * 3
    delta = acts[-1] - y
    for k in reversed(range(3)):
        delta = delta * (1 - acts[k + 1] ** 2)
        grads[k] = acts[k + 1].T @ delta  # <- wrong
        delta = delta @ weights[k].T
    for W, g in zip(weights, grads):
        W -= 0.02 * g
""",
    right="grads[k] = acts[k].T @ delta",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4))
y = rng.normal(size=(10, 4))
weights = [0.5 * rng.normal(size=(4, 4)) for _ in range(3)]

for step in range(50):
    acts = [X]
    for W in weights:
        acts.append(np.tanh(acts[-1] @ W))
    loss = 0.5 * np.sum((acts[-1] - y) ** 2)
    grads = [None] * 3
    delta = (acts[-1] - y) * (1 - acts[-1] ** 2)
    for k in range(1, 4):
        grads[-k] = acts[-k - 1].T @ delta
        delta = delta @ weights[-k].T * (1 - acts[-k - 1] ** 2)
    for W, g in zip(weights, grads):
        W -= 0.02 * g
""",
    why_right="Counted from the end, layer `-k` gets `acts[-k - 1]`, for that list has the input in front.",
)
