"""Forms of code that a gradient may be written in: each is checked, right and wrong."""

from __future__ import annotations

import pytest

from script_runs import check, check_only, verdicts

DATA = """
import numpy as np
rng = np.random.default_rng(1)
X = rng.normal(size=(30, 3))
y = X @ np.array([1.0, -2.0, 0.5]) + 0.1
"""
DECO = """
import functools, time
def timed(f):
    @functools.wraps(f)
    def inner(*a, **k):
        t = time.time()
        r = f(*a, **k)
        inner.spent += time.time() - t
        return r
    inner.spent = 0
    return inner
@timed
def loss(w, b):
    return np.mean((X @ w + b - y) ** 2)
@timed
def gradient(w, b):
    r = X @ w + b - y
    return 2 * X.T @ r / len(y), 2 * r.mean()
w, b = np.zeros(3), 0.0
for i in range(200):
    dw, db = gradient(w, b)
    w = w - 0.1 * dw
    b = b - 0.1 * db
    if i % 50 == 0: print(loss(w, b))
"""
GEN_BATCHES = """
def batches(size):
    order = rng.permutation(len(y))
    for k in range(0, len(y), size):
        yield X[order[k:k+size]], y[order[k:k+size]]
w, b = np.zeros(3), 0.0
for epoch in range(100):
    for xb, yb in batches(10):
        r = xb @ w + b - yb
        loss = np.mean(r ** 2)
        dw = 2 * xb.T @ r / len(yb)
        db = 2 * r.mean()
        w -= 0.1 * dw
        b -= 0.1 * db
print(w, b)
"""
GEN_TRAIN = """
def descend(w, b, rate):
    while True:
        r = X @ w + b - y
        loss = np.mean(r ** 2)
        dw = 2 * X.T @ r / len(y)
        db = 2 * r.mean()
        w = w - rate * dw
        b = b - rate * db
        yield loss, w, b
for i, (loss, w, b) in enumerate(descend(np.zeros(3), 0.0, 0.1)):
    if i % 50 == 0: print(loss)
    if i > 200: break
"""
PROPS = """
class Line:
    def __init__(self, X, y):
        self.X, self.y = X, y
        self.w, self.b = np.zeros(X.shape[1]), 0.0
    @property
    def residual(self):
        return self.X @ self.w + self.b - self.y
    @property
    def loss(self):
        return np.mean(self.residual ** 2)
    @property
    def gradient(self):
        r = self.residual
        return 2 * self.X.T @ r / len(r), 2 * r.mean()
    def step(self, rate):
        dw, db = self.gradient
        self.w = self.w - rate * dw
        self.b = self.b - rate * db
line = Line(X, y)
for i in range(200):
    line.step(0.1)
    if i % 50 == 0: print(line.loss)
"""
NESTED = """
def main():
    def cost(p):
        return np.mean((X @ p[:3] + p[3] - y) ** 2)
    def slope(p):
        r = X @ p[:3] + p[3] - y
        return np.append(2 * X.T @ r / len(y), 2 * r.mean())
    def fit(p, rate):
        for i in range(200):
            p = p - rate * slope(p)
            if i % 50 == 0: print(cost(p))
        return p
    print(fit(np.zeros(4), 0.1))
main()
"""
LAMBDAS = """
model = {"f": lambda w, b: np.mean((X @ w + b - y) ** 2),
         "dw": lambda w, b: 2 * X.T @ (X @ w + b - y) / len(y),
         "db": lambda w, b: 2 * np.mean(X @ w + b - y)}
w, b = np.zeros(3), 0.0
for i in range(200):
    dw, db = model["dw"](w, b), model["db"](w, b)
    w, b = w - .1 * dw, b - .1 * db
    if i % 50 == 0: print(model["f"](w, b))
"""
CACHED = """
from functools import lru_cache
class Model:
    @staticmethod
    def predict(w, b): return X @ w + b
    @classmethod
    def loss(cls, w, b): return np.mean((cls.predict(w, b) - y) ** 2)
    @classmethod
    def grads(cls, w, b):
        r = cls.predict(w, b) - y
        return dict(w=2 * X.T @ r / len(y), b=2 * r.mean())
params = dict(w=np.zeros(3), b=0.0)
for i in range(200):
    g = Model.grads(**params)
    for k in params: params[k] = params[k] - .1 * g[k]
    if i % 50 == 0: print(Model.loss(**params))
"""
FORMS = {
    "decorated": DECO,
    "batches from a generator": GEN_BATCHES,
    "training in a generator": GEN_TRAIN,
    "properties": PROPS,
    "nested": NESTED,
    "lambdas": LAMBDAS,
    "class methods": CACHED,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_right_gradient_matches(form, tmp_path):
    assert set(verdicts(check_only(tmp_path, DATA + FORMS[form])).values()) == {"match"}


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_gradient_is_found_and_mended(form, tmp_path):
    result = check(tmp_path, DATA + FORMS[form].replace("2 * r.mean()", "r.mean()").replace("2 * np.mean(", "np.mean("))
    found = verdicts(result)
    wrong = {name for name, verdict in found.items() if verdict == "mismatch"}
    assert wrong == ({"p"} if form == "nested" else {"self.b"} if form == "properties" else {"b"})
    (finding,) = result.findings
    assert finding.fix is not None


CACHED = """
import numpy as np
rng = np.random.default_rng(3)
class Net:
    def __init__(self, sizes):
        self.sizes, self.last = sizes, len(sizes) - 1
        self.x = rng.normal(size=(2, 40))
        self.t = (self.x[0] * self.x[1] > 0) * 1.0
        self.theta = {}
        for i in range(1, self.last + 2):
            # one layer more than is used
            rows = sizes[i] if i <= self.last else 1
            self.theta[f"W{i}"] = rng.normal(size=(rows, sizes[i - 1]))
            self.theta[f"b{i}"] = np.zeros((rows, 1))
    def forward(self):
        seen = {"A0": self.x}
        for i in range(1, self.last + 1):
            seen[f"W{i}"], seen[f"b{i}"] = self.theta[f"W{i}"], self.theta[f"b{i}"]
            z = seen[f"W{i}"] @ seen[f"A{i - 1}"] + seen[f"b{i}"]
            seen[f"A{i}"] = np.tanh(z) if i < self.last else 1 / (1 + np.exp(-z))
        return seen
    def cost(self, a):
        return -np.sum(self.t * np.log(a) + (1 - self.t) * np.log(1 - a)) / 40
    def backward(self, seen):
        grads = {}
        grads[f"dA{self.last}"] = (1 - self.t) / (1 - seen[f"A{self.last}"]) - self.t / seen[f"A{self.last}"]
        dz = seen[f"A{self.last}"] - self.t
        for i in range(self.last, 0, -1):
            grads[f"dW{i}"] = dz @ seen[f"A{i - 1}"].T / 40
            grads[f"db{i}"] = np.sum(dz, axis=1, keepdims=True) / 40
            if i > 1:
                grads[f"dA{i - 1}"] = seen[f"W{i}"].T @ dz
                dz = grads[f"dA{i - 1}"] * (1 - SEEN ** 2)
        return grads
    def moved(self, seen, grads, rate):
        return {name: seen[name] - rate * grads["d" + name] for name in seen if name[0] in "Wb"}
    def train(self, rounds):
        for i in range(rounds):
            self.seen = self.forward()
            cost = self.cost(self.seen[f"A{self.last}"])
            grads = self.backward(self.seen)
            self.theta = self.moved(self.seen, grads, 0.5)
        print(cost)
net = Net([2, 4, 3, 1])
net.train(60)
net.seen = net.forward()
print(np.mean((net.seen["A3"] > 0.5) == net.t))
"""


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [("seen[f'A{i - 1}']", ""), ("seen[f'A{i}'].mean(axis=0)", "W1 b1 W2 b2")],
    ids=["right", "wrong"],
)
def test_what_a_round_computes_on_its_way_is_no_parameter(seen, wrong, tmp_path):
    """The gradients of activations that are kept in the object are in the same dictionary as those of weights."""
    result = verdicts(check_only(tmp_path, CACHED.replace("SEEN", seen)))
    found = {name.split("'")[1]: verdict for name, verdict in result.items()}
    names = ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert found == {name: "mismatch" if name in wrong.split() else "match" for name in names}


TAPE = """
import numpy as np
rng = np.random.default_rng(0)
points = np.array([[0.2, 0.1], [0.3, 1.1], [1.2, 0.4], [0.9, 1.3]])
wanted = np.array([[0.0], [1.0], [1.0], [0.0]])
class Node:
    def __init__(self, value, came_from=()):
        self.value = np.asarray(value, dtype=float)
        self.grad = np.zeros_like(self.value)
        self.came_from = came_from
    def __sub__(self, other):
        return Node(self.value - other.value, ((self, lambda s: s), (other, lambda s: -s)))
    def __add__(self, other):
        return Node(self.value + other.value, ((self, lambda s: s), (other, lambda s: s.sum(axis=0, keepdims=True))))
    def __matmul__(self, by):
        return Node(self.value @ by.value, ((self, lambda s: s @ by.value.T), (by, lambda s: self.value.T @ s)))
    def tanh(self):
        t = np.tanh(self.value)
        return Node(t, ((self, lambda s: s * SLOPE),))
    def mean_of_squares(self):
        return Node(np.mean(self.value ** 2), ((self, lambda s: s * 2 * self.value / self.value.size),))
    def back(self):
        order, seen = [], set()
        def walk(node):
            if id(node) not in seen:
                seen.add(id(node))
                for other, _ in node.came_from:
                    walk(other)
                order.append(node)
        walk(self)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for other, local in node.came_from:
                other.grad = other.grad + local(node.grad)
def train():
    x, y = Node(points), Node(wanted)
    W1, b1 = Node(rng.normal(size=(2, 4))), Node(np.zeros((1, 4)))
    W2, b2 = Node(rng.normal(size=(4, 1))), Node(np.zeros((1, 1)))
    for turn in range(40):
        for p in [W1, b1, W2, b2]:
            p.grad = np.zeros_like(p.value)
        loss = (((x @ W1 + b1).tanh() @ W2 + b2) - y).mean_of_squares()
        loss.back()
        for p in [W1, b1, W2, b2]:
            p.value = p.value - 0.1 * p.grad
    print(float(loss.value))
train()
print("done")
"""


@pytest.mark.parametrize(("slope", "wrong"), [("(1 - t ** 2)", ""), ("(1 - t)", "W1 b1")], ids=["right", "wrong"])
def test_a_slope_in_an_object_is_that_of_the_value_beside_it(slope, wrong, tmp_path):
    """The labels keep a slope as well, with as many numbers as the bias of the first layer."""
    result = verdicts(check_only(tmp_path, TAPE.replace("SLOPE", slope)))
    names = ["W1", "b1", "W2", "b2"]
    assert result == {f"{name}.value": "mismatch" if name in wrong.split() else "match" for name in names}


SHOWN = """
import numpy as np
rng = np.random.default_rng(4)
table = rng.uniform(5, 25, size=(24, 2))
price = table @ [0.3, -0.1] + rng.normal(size=24)
mu, width = table.mean(axis=0), table.std(axis=0)
table -= mu
table /= width
table = np.insert(table, 0, 1.0, axis=1)
def cost_of(table, price, theta, strength):
    n = len(price)
    off = table @ theta - price
    total = off @ off / (2 * n)
    total += strength * theta[1:] @ theta[1:] / (2 * n)
    grad = table.T @ off / n
    grad[1:] += PENALTY
    return total, grad
theta = np.array([0.5, 1.0, -0.5])
total, grad = cost_of(table, price, theta, 2.0)
print("cost", total)
print("gradient", grad)
"""


@pytest.mark.parametrize(
    ("penalty", "verdict"), [("strength * theta[1:] / n", "match"), ("strength * theta[1:]", "mismatch")]
)
def test_a_gradient_that_is_only_shown_is_checked_beside_data_that_are_centred(penalty, verdict, tmp_path):
    assert verdicts(check_only(tmp_path, SHOWN.replace("PENALTY", penalty))) == {"theta": verdict}


NUMBERS = """
import math
import random
random.seed(5)
class Number:
    def __init__(self, data, parts=()):
        self.data, self.grad = data, 0.0
        self.parts, self.spread = set(parts), lambda: None
    def __add__(self, other):
        out = Number(self.data + other.data, (self, other))
        def spread():
            self.grad += out.grad
            other.grad += out.grad
        out.spread = spread
        return out
    def __mul__(self, other):
        out = Number(self.data * other.data, (self, other))
        def spread():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out.spread = spread
        return out
    def tanh(self):
        t = math.tanh(self.data)
        out = Number(t, (self,))
        def spread():
            self.grad += SLOPE * out.grad
        out.spread = spread
        return out
    def backward(self):
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for part in node.parts:
                    visit(part)
                order.append(node)
        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node.spread()
class Unit:
    def __init__(self, inputs):
        self.w = [Number(random.uniform(-1, 1)) for _ in range(inputs)]
        self.b = Number(0.0)
    def __call__(self, x):
        total = self.b
        for w, value in zip(self.w, x):
            total = total + w * value
        return total.tanh()
units, last = [Unit(2) for _ in range(2)], Unit(2)
class Rule:
    def __init__(self, params):
        self.params, self.rate = params, 0.05
        self.first, self.second = {id(p): 0.0 for p in params}, {id(p): 0.0 for p in params}
    def step(self):
        for p in self.params:
            self.first[id(p)] = 0.9 * self.first[id(p)] + 0.1 * p.grad
            self.second[id(p)] = 0.99 * self.second[id(p)] + 0.01 * p.grad ** 2
            p.data -= self.rate * self.first[id(p)] / (math.sqrt(self.second[id(p)]) + 1e-8)
    def clear(self):
        for p in self.params:
            p.grad = 0.0
rule = Rule([p for unit in [*units, last] for p in (*unit.w, unit.b)])
table = [((0.0, 0.0), 0.0), ((0.0, 1.0), 1.0), ((1.0, 0.0), 1.0), ((1.0, 1.0), 0.0)]
for turn in range(30):
    total = Number(0.0)
    for x, y in table:
        off = last([unit([Number(v) for v in x]) for unit in units]) + Number(-y)
        loss = off * off
        total = total + loss
    rule.clear()
    total.backward()
    rule.step()
    if turn % 10 == 0:
        print(turn, total.data)
"""


@pytest.mark.parametrize(("slope", "verdict"), [("(1 - t ** 2)", "match"), ("(1 - t)", "mismatch")])
def test_a_tape_of_numbers_in_sets_and_a_memory_by_identity_are_read(slope, verdict, tmp_path):
    """Its sums come in another order in each replay, and differ by their rounding: that is no memory of a step."""
    result = check_only(tmp_path, NUMBERS.replace("SLOPE", slope))
    assert list(verdicts(result).values()) == 9 * [verdict]


PENALISED = """
import numpy as np
rng = np.random.default_rng(0)
class Net:
    def __init__(self):
        self.w, self.v, self.strength = rng.normal(size=(3, 5)), rng.normal(size=(5, 1)), 0.05
    def forward(self, x):
        self.h = np.tanh(x @ self.w)
        return self.h @ self.v
    def backward(self, x, off):
        self.dv = self.h.T @ off
        self.dw = x.T @ (off @ self.v.T * (1 - self.h ** 2)) PENALTY
    def fit(self, x, y):
        for turn in range(30):
            out = self.forward(x)
            data_loss = 0.5 * np.sum((out - y) ** 2)
            penalty_loss = 0.5 * self.strength * np.sum(self.w ** 2)
            loss = data_loss + penalty_loss
            self.backward(x, out - y)
            self.w -= 0.01 * self.dw
            self.v -= 0.01 * self.dv
            if turn % 10 == 0:
                print(turn, loss)
x = rng.normal(size=(20, 3))
Net().fit(x, np.sin(x[:, :1]))
"""


@pytest.mark.parametrize(("penalty", "verdict"), [("+ self.strength * self.w", "match"), ("", "mismatch")])
def test_a_part_of_the_loss_that_is_descended_is_not_the_loss(penalty, verdict, tmp_path):
    result = verdicts(check_only(tmp_path, PENALISED.replace("PENALTY", penalty)))
    assert result == {"self.w": verdict, "self.v": "match"}
