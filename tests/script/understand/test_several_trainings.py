"""Scripts that train several models, each by its own code: all of them are checked, or named."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

DATA = """
import numpy as np
rng = np.random.default_rng(5)
X, Y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
"""

CLASSES = (
    DATA
    + """
class Plain:
    def __init__(self):
        self.weights, self.grads = {"W1": rng.normal(size=(3, 2))}, {"W1": np.zeros((3, 2))}
    def forward(self, x, y):
        e = x @ self.weights["W1"] - y
        loss = np.mean(e ** 2)
        self.grads["W1"] += 2 * x.T @ e / e.size
        return loss

class Deep:
    def __init__(self):
        self.weights = {"W1": rng.normal(size=(3, 4)), "W2": rng.normal(size=(4, 2))}
        self.grads = {}
    def forward(self, x, y):
        h = np.tanh(x @ self.weights["W1"])
        e = h @ self.weights["W2"] - y
        loss = np.mean(e ** 2)
        d = FACTOR * e / e.size
        self.grads["W2"] = h.T @ d
        self.grads["W1"] = x.T @ (d @ self.weights["W2"].T * (1 - h ** 2))
        return loss

print(Plain().forward(X, Y))
print(Deep().forward(X, Y))
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("(2 + h[:, :1])", "mismatch")])
def test_gradients_of_two_classes_with_the_same_names(tmp_path, factor, verdict):
    found = verdicts(check_only(tmp_path, CLASSES.replace("FACTOR", factor)))
    assert sorted(found.values()) == sorted(["match", verdict, verdict])
    assert sum("W1" in name for name in found) == 2


LOOPS = (
    DATA
    + """
rate = 0.1
W = rng.normal(size=(3, 2))
for i in range(15):
    e = X @ W - Y
    loss = np.mean(e ** 2)
    dW = 2 * X.T @ e / e.size
    W = W - rate * dW
print(loss)
W = rng.normal(size=(3, 2))
for i in range(15):
    e = np.tanh(X @ W) - Y
    loss = np.mean(e ** 2)
    dW = 2 * X.T @ (e * SLOPE) / e.size
    W = W - rate * dW
print(loss)
"""
)


@pytest.mark.parametrize("slope", ["(1 - np.tanh(X @ W) ** 2)", "(1 + np.tanh(X @ W))"])
def test_a_second_training_in_the_same_names_is_not_passed_over(tmp_path, slope):
    second = "match" if "**" in slope else "mismatch"
    assert list(verdicts(check_only(tmp_path, LOOPS.replace("SLOPE", slope))).values()) == ["match", second]


CALLED = (
    DATA
    + """
class Hinge:
    def __call__(self, x, w, t):
        m = t * (x @ w) < 1
        loss = np.mean(np.maximum(0, 1 - t * (x @ w))) + 0.1 * w @ w
        return loss, 0.2 * w - (x * (t * m)[:, None]).mean(axis=0)
class Model:
    def __init__(self):
        self.w, self.cost = rng.normal(size=3), Hinge()
    def fit(self, x, t):
        for i in range(20):
            loss, dw = self.cost(x, self.w, t)
            self.w -= 0.05 * dw
        return loss
print(Model().fit(X, np.sign(Y[:, 0])))
"""
)


def test_what_a_checked_step_calls_is_no_other_gradient(tmp_path):
    result = check_only(tmp_path, CALLED)
    assert set(verdicts(result).values()) == {"match"}
    assert not [note for note in result.notes if note.startswith("not checked")]


UNITS = (
    DATA
    + """
class Entry:
    def __init__(self, column):
        self.column = column
    def forward(self, n):
        return X[n, self.column]
class Output:
    def __init__(self, before):
        self.before, self.w = before, rng.normal(size=len(before))
    def forward(self, n):
        self.a = np.array([one.forward(n) for one in self.before])
        self.out = self.a @ self.w
        return (self.out - Y[n, 0]) ** 2
    def backward(self, n):
        self.dw = 2 * (self.out - Y[n, 0]) * self.a
top = Output([Entry(k) for k in range(3)])
for epoch in range(4):
    total = 0.0
    for n in range(12):
        total += top.forward(n)
        top.backward(n)
        top.w = top.w - 0.01 * top.dw
    print(total)
"""
)


def test_what_returns_data_returns_no_gradient(tmp_path):
    result = check_only(tmp_path, UNITS)
    assert set(verdicts(result).values()) == {"match"}
    assert not [note for note in result.notes if "Entry.forward" in note]


LONG = (
    DATA
    + """
def slopes_plain(w):
    e = X @ w - Y
    return {"dw": 2 * X.T @ e / e.size}, np.mean(e ** 2)
def slopes_decayed(w):
    e = X @ w - Y
    return {"dw": 2 * X.T @ e / e.size + 0.2 * w}, np.mean(e ** 2) + 0.1 * np.sum(w ** 2)
def train_by(slopes, rounds):
    w = np.ones((3, 2))
    for i in range(rounds):
        found, loss = slopes(w)
        w = w - 0.01 * found["dw"]
    return loss
print(train_by(slopes_plain, 10**9))
print(train_by(slopes_decayed, 10))
"""
)


def test_what_a_run_does_not_come_to_is_named(tmp_path):
    result = check_only(tmp_path, LONG, timeout=20.0)
    assert set(verdicts(result).values()) == {"match"}
    (note,) = [note for note in result.notes if note.startswith("not checked")]
    assert note.startswith(
        "not checked: `slopes_decayed`, to which the run did not come: the script was stopped in line"
    )


def test_what_a_run_comes_to_is_not_named(tmp_path):
    result = check_only(tmp_path, LONG.replace("10**9", "10"), timeout=20.0)
    assert set(verdicts(result).values()) == {"match"}
    assert not [note for note in result.notes if "did not come" in note]
