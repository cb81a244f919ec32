"""Gradients that a script clips, right and wrong, in many ways to write it."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

NETWORK = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
W1, b1, W2, b2 = rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(4, 2)), np.zeros(2)
for epoch in range(40):
    h = np.tanh(X @ W1 + b1)
    p = h @ W2 + b2
    loss = np.sum((p - Y) ** 2) / 2
    d = p - Y
    dW2, db2 = h.T @ d, d.sum(axis=0)
    e = d @ W2.T * FACTOR
    dW1, db1 = X.T @ e, e.sum(axis=0)
    CLIPS
    W1 -= 0.05 * dW1
    b1 -= 0.05 * db1
    W2 -= 0.05 * dW2
    b2 -= 0.05 * db2
    if epoch % 10 == 0:
        print(loss)
"""
NORM = "size = np.sqrt(sum(np.sum(g ** 2) for g in (dW1, db1, dW2, db2)))\n    "
ALL = "(dW1, db1, dW2, db2)"
CLIPS = {
    "each by its own length": "\n    ".join(
        f"if np.linalg.norm({name}) > 1.0: {name} = {name} / np.linalg.norm({name})"
        for name in ("dW1", "db1", "dW2", "db2")
    ),
    "all by one length": f"{NORM}if size > 1.0: dW1, db1, dW2, db2 = dW1 / size, db1 / size, dW2 / size, db2 / size",
    "in place, in a loop": f"{NORM}if size > 1.0:\n        for g in {ALL}:\n            g *= 1.0 / size",
    "by a factor that is one or less": f"{NORM}part = min(1.0, 1.0 / size)\n    for g in {ALL}: g *= part",
    "by a choice": f"{NORM}dW1, db1, dW2, db2 = [g * 2 / size if size > 2 else g for g in {ALL}]",
    "entry by entry": f"for g in {ALL}: np.clip(g, -0.5, 0.5, out=g)",
    "into other variables": "dW1, dW2 = np.clip(dW1, -1, 1), np.clip(dW2, -1, 1)\n    db1 = db1.clip(-0.1, 0.1)",
}


@pytest.mark.parametrize("way", CLIPS)
@pytest.mark.parametrize(("factor", "verdict"), [("(1 - h ** 2)", "match"), ("(1 - h)", "mismatch")])
def test_clipped_gradients_are_compared_as_they_are_before(tmp_path, way, factor, verdict):
    found = check_only(tmp_path, NETWORK.replace("CLIPS", CLIPS[way]).replace("FACTOR", factor))
    assert verdicts(found) == {"W1": verdict, "b1": verdict, "W2": "match", "b2": "match"}


@pytest.mark.parametrize("scaling", ["if epoch >= 0: dW1 /= 2", "dW1 *= min(0.5, 1.0)", "dW1 = dW1 / max(2, 1)"])
def test_a_factor_that_is_always_the_same_is_no_clipping(tmp_path, scaling):
    found = check_only(tmp_path, NETWORK.replace("CLIPS", scaling).replace("FACTOR", "(1 - h ** 2)"))
    assert verdicts(found) == {"W1": "mismatch", "b1": "match", "W2": "match", "b2": "match"}


@pytest.mark.parametrize(("slope", "verdict"), [("(h > 0)", "match"), ("(h > 0.1)", "mismatch")])
def test_bounds_that_belong_to_the_loss_stay(tmp_path, slope, verdict):
    text = NETWORK.replace("np.tanh(X @ W1 + b1)", "np.clip(X @ W1 + b1, 0, None)")
    found = check_only(tmp_path, text.replace("CLIPS", "pass").replace("FACTOR", slope))
    assert verdicts(found) == {"W1": verdict, "b1": verdict, "W2": "match", "b2": "match"}


RECURRENT = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
class Cell:
    def __init__(self):
        self.U, self.V, self.Z = rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    def run(self, x):
        self.h = [np.zeros(4)]
        for one in x:
            self.h.append(np.tanh(self.U @ self.h[-1] + self.V @ one))
        return np.array([self.Z @ h for h in self.h[1:]])
    def learn(self, guess, y, x, rate, most):
        dU, dV, dZ = np.zeros_like(self.U), np.zeros_like(self.V), np.zeros_like(self.Z)
        later = np.zeros(4)
        for t in reversed(range(len(y))):
            d = guess[t] - y[t]
            dZ += np.outer(d, self.h[t + 1])
            back = (self.Z.T @ d + later) * SLOPE
            dU += np.outer(back, self.h[t])
            dV += np.outer(back, x[t])
            later = self.U.T @ back
        for name, g in (("U", dU), ("V", dV), ("Z", dZ)):
            length = np.linalg.norm(g)
            if length > most:
                g = g * most / length
            setattr(self, name, getattr(self, name) - rate * g)
cell = Cell()
best = 1e9
for epoch in range(30):
    guess = cell.run(X)
    total = 0.5 * np.sum((guess - Y) ** 2)
    if total < best:
        best = total
    cell.learn(guess, Y, X, 0.1, 0.5)
print(best)
"""


@pytest.mark.parametrize(
    ("slope", "verdict"), [("(1 - self.h[t + 1] ** 2)", "match"), ("(1 - self.h[t] ** 2)", "mismatch")]
)
def test_a_recurrent_network_that_clips_each_gradient_is_checked(tmp_path, slope, verdict):
    found = verdicts(check_only(tmp_path, RECURRENT.replace("SLOPE", slope)))
    assert sorted(found.values()) == sorted([verdict, verdict, "match"])
