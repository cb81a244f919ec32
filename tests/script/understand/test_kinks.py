"""Networks whose kinks lie closer together than the steps of differences, or just where the training begins."""

from __future__ import annotations

from script_runs import check_only, verdicts

# one sample is at the origin, where all units of a layer without biases have their kink; two losses are in sight
WIDE = """
import numpy as np
rng = np.random.default_rng(3)

class Dense:
    def __init__(self, n, m):
        self.K, self.c = rng.normal(size=(n, m)) * np.sqrt(2 / n), np.zeros((1, m))
    def run(self, a):
        self.a = a
        return a @ self.K + self.c
    def learn(self, g, rate):
        dK, dc = self.a.T @ g, g.sum(axis=0, keepdims=True)
        before = g @ self.K.T FACTOR
        self.K, self.c = step(self.K, self.c, dK, dc, rate)
        return before

class Leaky:
    def run(self, z):
        self.z = z
        return np.where(z > 0, z, 0.01 * z)
    def learn(self, g, rate):
        return g * np.where(self.z > 0, 1, 0.01)

def step(K, c, dK, dc, rate):
    return K - rate * dK, c - rate * dc

def through(net, x):
    for layer in net:
        x = layer.run(x)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def entropy(p, t):
    return -np.mean(np.sum(t * np.log(p + 1e-15), axis=1))

X = rng.normal(size=(105, 2))
X[:3] = 0
T = np.eye(3)[rng.integers(0, 3, 105)]
net = [Dense(2, 40), Leaky(), Dense(40, 40), Leaky(), Dense(40, 3)]
best_loss = np.inf
rate = 0.2
for epoch in range(10):
    p = through(net, X[75:])
    held_out_loss = entropy(p, T[75:])
    if held_out_loss < best_loss:
        best_loss = held_out_loss
    a = through(net, X[:75])
    train_loss = entropy(a, T[:75])
    g = (a - T[:75]) / 75
    for layer in reversed(net):
        g = layer.learn(g, rate)
print(train_loss, best_loss)
"""
NAMES = [f"net[{n}].{part}" for n in (0, 2, 4) for part in "Kc"]


def test_a_wide_network_of_several_layers_is_checked_as_a_whole(tmp_path):
    result = check_only(tmp_path, WIDE.replace(" FACTOR", ""))
    assert result.error is None, result.error.message
    assert result.entry_points.loss.startswith(("train_loss", "entropy(a"))
    assert verdicts(result) == dict.fromkeys(NAMES, "match")


def test_a_mistake_in_one_is_found_in_the_layers_that_inherit_it(tmp_path):
    result = check_only(tmp_path, WIDE.replace("FACTOR", "* 0.9"))
    wrong = dict.fromkeys(NAMES[:4], "mismatch")
    assert verdicts(result) == wrong | dict.fromkeys(NAMES[4:], "match")
