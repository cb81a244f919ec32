"""A step size is told from a factor of the gradients by where it goes, not by what it is called."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

STORED = """
import numpy as np
rng = np.random.default_rng(60)
rows = rng.normal(size=(14, 2)) @ rng.normal(size=(2, 4))
p = {"in": rng.normal(size=(4, 2)) * 0.5, "out": rng.normal(size=(2, 4)) * 0.5}

def fit(rows, NAME=0.1):
    for turn in range(30):
        code = np.tanh(rows @ p["in"])
        again = code @ p["out"]
        back = {}
        diff = NAME * ((again - rows) / len(rows))
        back["out"] = code.T @ diff
        back["in"] = rows.T @ (diff @ p["out"].T * SLOPE)
        for key in p:
            p[key] -= back[key]

fit(rows)
"""


@pytest.mark.parametrize("name", ["lr", "tasa", "kola"])
@pytest.mark.parametrize(("slope", "wrong"), [("(1 - code**2)", []), ("(1 - code)", ["p['in']"])])
def test_a_rate_may_be_multiplied_in_early(tmp_path, name, slope, wrong):
    """The steps are just what is stored, so a factor of all that is stored is a step size."""
    found = verdicts(check_only(tmp_path, STORED.replace("NAME", name).replace("SLOPE", slope)))
    assert [parameter for parameter, verdict in found.items() if verdict == "mismatch"] == wrong
    assert len(found) == 2


SUMMED = """
import numpy as np
rng = np.random.default_rng(2)
X, y = rng.normal(size=(9, 3)), rng.normal(size=9)
w, mean = rng.normal(size=3), 0.0
def gradient(w):
    return 2 * X.T @ (X @ w - y)
def loss(w):
    return np.mean((X @ w - y) ** 2)
for i in range(15):
    dw = gradient(w)
    w = w - UPDATE
    mean = mean + (loss(w) - mean) / (i + 1)
print(loss(w), mean)
"""


@pytest.mark.parametrize(
    ("update", "said"),
    [("0.05 * dw / len(X)", "which the update divides"), ("0.005 * dw", "times those of the loss as it is written")],
)
def test_only_an_update_that_divides_is_said_to_divide(tmp_path, update, said):
    result = check_only(tmp_path, SUMMED.replace("UPDATE", update))
    assert set(verdicts(result).values()) == {"match"}
    (note,) = [note for note in result.notes if "9" in note]
    assert said in note


ONCE_AN_EPOCH = """
import numpy as np
rng = np.random.default_rng(2)
X = rng.normal(size=(16, 3))
class Net:
    def __init__(self):
        self.w, self.v = rng.normal(size=(3, 4)), rng.normal(size=(4, 1))
    def backward(self, x, t):
        h = np.tanh(x @ self.w)
        d = h @ self.v - t
        dw, dv = x.T @ (d @ self.v.T * (1 - h ** 2)), h.T @ d
        return dw, dv
    def compute_loss(self, truth):
        return float(np.mean((np.tanh(X @ self.w) @ self.v - truth) ** 2))
def once_through(net, x, t):
    for k in range(0, 16, 4):
        dw, dv = net.backward(x[k:k + 4], t[k:k + 4])
        net.w, net.v = net.w - 0.01 * dw, net.v - 0.01 * dv
def main():
    net, goal = Net(), rng.normal(size=(16, 1))
    for epoch in range(4):
        once_through(net, X, goal)
        SHOWN
main()
"""


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("print(net.compute_loss(goal))", "and `Net.compute_loss` in line 12 is called elsewhere"),
        ("print(epoch)", "as the script does not write it down"),
    ],
)
def test_a_loss_that_is_computed_elsewhere_is_named(tmp_path, shown, why):
    result = check_only(tmp_path, ONCE_AN_EPOCH.replace("SHOWN", shown))
    assert set(verdicts(result).values()) == {"match"}
    (note,) = [note for note in result.notes if "inferred from the output error" in note]
    assert why in note


HABIT = """
import numpy as np
def mse(out, y):
    return np.mean((y - out) ** 2)
rng = np.random.default_rng(2)
X = np.array([[0.0, 0.1], [0.2, 1.0], [1.0, 0.3], [1.1, 0.9]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
class Net:
    def __init__(self):
        self.first, self.second = rng.random((2, 4)), rng.random((4, 1))
    def forward(self, x):
        self.hidden = 1 / (1 + np.exp(-x @ self.first))
        self.out = 1 / (1 + np.exp(-self.hidden @ self.second))
        return self.out
    def slope(self, a):
        return a * (1 - a)
    def backward(self, x, y):
        push_second = np.dot(self.hiddenSIDE, 2 * (y - self.out) * self.slope(self.out))
        back = np.dot(2 * (y - self.out) * self.slope(self.out), self.second.T)
        push_first = np.dot(x.T, back * self.slope(self.hidden))
        self.first += push_first
        self.second += push_second
net = Net()
for turn in range(40):
    net.forward(X)
    net.backward(X, Y)
    print(mse(net.forward(X), Y))
"""


@pytest.mark.parametrize(("side", "verdict"), [(".T", "match"), ("", "mismatch")])
def test_a_sum_in_place_of_a_mean_is_a_habit_beside_a_mistake_as_well(tmp_path, side, verdict):
    result = check_only(tmp_path, HABIT.replace("SIDE", side))
    assert verdicts(result) == {"self.first": "match", "self.second": verdict}
    assert any("is 4) times those of the loss" in note or "steps of 4 down" in note for note in result.notes)


CERTAIN = """
import numpy as np
rng = np.random.default_rng(3)
theta = rng.normal(size=(4, 3))
gains = rng.normal(size=(4, 3))
def chances(state):
    e = np.exp(theta[state] - theta[state].max())
    return e / e.sum()
def total(state):
    return chances(state).sum()
def slope():
    found = np.zeros_like(theta)
    for state in range(4):
        p = chances(state)
        found[state] = p * (gains[state] - p @ gains[state])
    return found
for turn in range(30):
    sure = sum(total(state) for state in range(4))
    theta += 0.5 * slope()
    print(turn, sure)
"""


def test_what_is_always_the_same_but_for_round_off_is_no_loss(tmp_path):
    result = check_only(tmp_path, CERTAIN)
    assert result.error is not None or "mismatch" not in verdicts(result).values()


# a rate that no name gives away, multiplied into what an object keeps as its gradients
KEPT = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), (rng.normal(size=20) > 0).astype(float)
class Net:
    def __init__(self):
        self.K, self.v, self.d = rng.normal(size=(3, 4)), rng.normal(size=4), 0.4
    def turn(self, x, y, tempo):
        h = np.tanh(x @ self.K)
        p = 1 / (1 + np.exp(-(h @ self.v + self.d)))
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        g = tempo * ((p - y) / len(y))
        self.grad_v = h.T @ g
        self.grad_d = g.sum()
        self.grad_K = x.T @ (np.outer(g, self.v) * SLOPE)
        self.K -= self.grad_K
        self.v -= self.grad_v
        self.d -= self.grad_d
        return loss
net = Net()
for epoch in range(20):
    print(net.turn(X, Y, 0.1))
"""


@pytest.mark.parametrize(("slope", "verdict"), [("(1 - h ** 2)", "match"), ("(1 - h) ** 2", "mismatch")])
def test_a_rate_in_what_an_object_keeps_is_seen_under_the_names_of_its_methods(tmp_path, slope, verdict):
    found = verdicts(check_only(tmp_path, KEPT.replace("SLOPE", slope)))
    assert found == {"self.K": verdict, "self.v": "match", "self.d": "match"}
