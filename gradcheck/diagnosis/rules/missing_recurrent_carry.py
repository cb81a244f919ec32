"""GC227: a time step that does not hear of what comes after it."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC227",
    name="missing-recurrent-carry",
    summary="The gradient that comes back from the next time step is left out.",
    explanation="""
The state of a recurrent network goes two ways: into the output of its own time step, and into the next state. On the
way back both have to be added up. With only the first, every step is treated as if it were the last one.

A sequence of a single step is right, and so is the output layer. The recurrent weights still learn something, but
nothing that has to be remembered for longer than a step.
""",
    evidence="""
What the loop carries from the step after, added to the gradient of the state, makes every gradient agree with finite
differences, at points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
xs, ys = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
U, W, V = 0.5 * rng.normal(size=(4, 3)), 0.5 * rng.normal(size=(4, 4)), 0.5 * rng.normal(size=(2, 4))

for step in range(50):
    hs = [np.zeros(4)]
    for x in xs:
        hs.append(np.tanh(U @ x + W @ hs[-1]))
    outs = [V @ h for h in hs[1:]]
    loss = 0.5 * sum(np.sum((o - y) ** 2) for o, y in zip(outs, ys))
    dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
    dh_next = np.zeros(4)
    for t in reversed(range(6)):
        dV += np.outer(outs[t] - ys[t], hs[t + 1])
        dh = V.T @ (outs[t] - ys[t])  # <- wrong
        dz = dh * (1 - hs[t + 1] ** 2)
        dU += np.outer(dz, xs[t])
        dW += np.outer(dz, hs[t])
        dh_next = W.T @ dz
    U -= 0.02 * dU
    W -= 0.02 * dW
    V -= 0.02 * dV
""",
    right="dh = V.T @ (outs[t] - ys[t]) + dh_next",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
xs, y = rng.normal(size=(6, 3)), rng.normal(size=2)
U, W, V = 0.5 * rng.normal(size=(4, 3)), 0.5 * rng.normal(size=(4, 4)), 0.5 * rng.normal(size=(2, 4))

for step in range(50):
    hs = [np.zeros(4)]
    for x in xs:
        hs.append(np.tanh(U @ x + W @ hs[-1]))
    out = V @ hs[-1]
    loss = 0.5 * np.sum((out - y) ** 2)
    dU, dW = np.zeros_like(U), np.zeros_like(W)
    dV = np.outer(out - y, hs[-1])
    dh = V.T @ (out - y)
    for t in reversed(range(6)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dU += np.outer(dz, xs[t])
        dW += np.outer(dz, hs[t])
        dh = W.T @ dz
    U -= 0.02 * dU
    W -= 0.02 * dW
    V -= 0.02 * dV
""",
    why_right="Only the last state has an output, so that all others get their gradient from the next step alone.",
)
