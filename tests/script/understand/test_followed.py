"""What the steps of an optimizer follow is the gradient, whatever it is called."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

OPTIMIZERS = {
    "momentum": """
    def step(self, key, value, by):
        self.v[key] = 0.9 * self.v.get(key, 0.0) - 0.05 * by
        return value + self.v[key]
""",
    "adam": """
    def step(self, key, value, by):
        self.t[key] = self.t.get(key, 0) + 1
        self.m[key] = 0.9 * self.m.get(key, 0.0) + 0.1 * by
        self.v[key] = 0.999 * self.v.get(key, 0.0) + 0.001 * by ** 2
        mean, size = self.m[key] / (1 - 0.9 ** self.t[key]), self.v[key] / (1 - 0.999 ** self.t[key])
        return value - 0.05 * mean / (np.sqrt(size) + 1e-8)
""",
    "signs": """
    def step(self, key, value, by):
        return value - 0.01 * np.sign(by)
""",
}
TEXT = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=20)
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
STEP
def loss(these, those):
    return np.mean((np.tanh(X @ these[0] + those[0]) @ these[1] - Y) ** 2)
def back(these, those):
    h = np.tanh(X @ these[0] + those[0])
    r = 2 * (h @ these[1] - Y) / len(Y)
    p = FACTOR * np.outer(r, these[1]) * (1 - h ** 2)
    return h.T @ r, X.T @ p, p.sum(axis=0)
these, those = [rng.normal(size=(3, 4)), rng.normal(size=4)], [np.zeros(4)]
rule = Rule()
for epoch in range(20):
    ONE, TWO, THREE = back(these, those)
    these[0] = rule.step("a", these[0], TWO)
    those[0] = rule.step("b", those[0], THREE)
    these[1] = rule.step("c", these[1], ONE)
    print(loss(these, those))
"""


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("(1 + h)", "mismatch")])
@pytest.mark.parametrize("names", [("q1", "q2", "q3"), ("slope_c", "slope_a", "slope_b")])
def test_gradients_are_found_by_the_steps_that_follow_them(tmp_path, optimizer, factor, verdict, names):
    text = TEXT.replace("STEP", OPTIMIZERS[optimizer]).replace("FACTOR", factor)
    for word, name in zip(("ONE", "TWO", "THREE"), names, strict=True):
        text = text.replace(word, name)
    found = verdicts(check_only(tmp_path, text))
    assert found == {"these[0]": verdict, "those[0]": verdict, "these[1]": "match"}


def test_a_state_that_is_carried_on_is_no_gradient(tmp_path):
    """The velocity has the signs of the first step, too."""
    text = TEXT.replace("STEP", OPTIMIZERS["momentum"]).replace("FACTOR", "1")
    text = text.replace('rule.step("a", these[0], TWO)', "these[0] + velocity").replace(
        "    these[0] =", "    velocity = 0.9 * velocity - 0.05 * TWO\n    these[0] ="
    )
    text = text.replace("rule = Rule()", "rule, velocity = Rule(), np.zeros((3, 4))")
    for word, name in zip(("ONE", "TWO", "THREE"), ("q1", "q2", "q3"), strict=True):
        text = text.replace(word, name)
    found = verdicts(check_only(tmp_path, text))
    assert set(found.values()) == {"match"}
    assert {"these[0]", "those[0]", "these[1]"} >= set(found)


TAPE = """
import numpy as np
rng = np.random.default_rng(0)


class Cell:
    def __init__(self, content, parents=()):
        self.data = np.asarray(content, dtype=float)
        self.grad = np.zeros_like(self.data)
        self.parents, self.pull = parents, lambda: None

    def __matmul__(self, other):
        out = Cell(self.data @ other.data, (self, other))
        def pull():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad
        out.pull = pull
        return out

    def shift(self, other):
        out = Cell(self.data + other.data, (self, other))
        def pull():
            self.grad += out.grad
            other.grad += FACTOR * out.grad.sum(axis=0)
        out.pull = pull
        return out

    def tanh(self):
        out = Cell(np.tanh(self.data), (self,))
        def pull():
            self.grad += out.grad * (1 - out.data**2)
        out.pull = pull
        return out

    def distance(self, aim):
        out = Cell(np.mean((self.data - aim) ** 2), (self,))
        def pull():
            self.grad += out.grad * 2 * (self.data - aim) / aim.size
        out.pull = pull
        return out

    def backward(self):
        order = []
        def visit(cell):
            if all(cell is not other for other in order):
                for parent in cell.parents:
                    visit(parent)
                order.append(cell)
        visit(self)
        self.grad = np.ones_like(self.data)
        for cell in reversed(order):
            cell.pull()


class Affine:
    def __init__(self, rows, columns):
        self.weight, self.bias = Cell(rng.normal(size=(rows, columns))), Cell(np.zeros(columns))

    def __call__(self, x):
        return (x @ self.weight).shift(self.bias)


class Net:
    def __init__(self):
        self.stages = [Affine(2, 4), Affine(4, 1)]

    def __call__(self, x):
        return self.stages[1](self.stages[0](x).tanh())

    def parameters(self):
        return [cell for stage in self.stages for cell in (stage.weight, stage.bias)]


class Adam:
    def __init__(self, cells, rate):
        self.cells, self.rate, self.count = cells, rate, 0
        self.first = [np.zeros_like(cell.data) for cell in cells]
        self.second = [np.zeros_like(cell.data) for cell in cells]

    def clear(self):
        for cell in self.cells:
            cell.grad.fill(0.0)

    def step(self):
        self.count += 1
        for cell, one, two in zip(self.cells, self.first, self.second):
            one *= 0.9
            one += 0.1 * cell.grad
            two *= 0.999
            two += 0.001 * cell.grad**2
            size = np.sqrt(two / (1 - 0.999**self.count)) + 1e-8
            cell.data -= self.rate * one / (1 - 0.9**self.count) / size


X, Y, shown = Cell(rng.normal(size=(12, 2))), rng.normal(size=(12, 1)), []
net = Net()
rule = Adam(net.parameters(), 0.05)
for epoch in range(30):
    loss = net(X).distance(Y)
    rule.clear()
    loss.backward()
    rule.step()
    SNAPSHOT
    print(loss.data.item())
"""


@pytest.mark.parametrize("snapshot", ["pass", "shown = [cell.data.copy() for cell in rule.cells]"])
@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("(1 - self.data[0, 0])", "mismatch")])
def test_a_bias_that_begins_with_zeros_does_not_follow_itself(tmp_path, snapshot, factor, verdict):
    """Its first step is its new value, under each name that it has, and in each copy."""
    found = verdicts(check_only(tmp_path, TAPE.replace("SNAPSHOT", snapshot).replace("FACTOR", factor)))
    assert sorted(found.values()) == sorted(["match", "match", verdict, verdict])
