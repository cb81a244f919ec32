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


SUMMED = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
STEP
WRITTEN
def shares(x, y, net):
    h = np.tanh(net["one"]["m"] @ x)
    r = net["two"]["m"] @ h + net["two"]["c"] - y
    return [np.outer((net["two"]["m"].T @ r) * (1 - h ** 2), x), np.outer(r, h), r]
net = {"one": {"m": rng.normal(size=(4, 3))}, "two": {"m": rng.normal(size=(2, 4)), "c": np.zeros(2)}}
rule = Rule()
for epoch in range(20):
    all_one, all_two, all_three = np.zeros((4, 3)), np.zeros((2, 4)), np.zeros(2)
    for x, y in zip(X, Y):
        found = shares(x, y, net)
        all_one += found[0]
        all_two += found[1]
        all_three SIGN= found[2]
    net["one"]["m"] = rule.step("a", net["one"]["m"], all_one / len(X))
    net["two"]["m"] = rule.step("b", net["two"]["m"], all_two / len(X))
    net["two"]["c"] = rule.step("c", net["two"]["c"], all_three / len(X))
SHOWN
"""
WRITTEN = """
def loss(x, y, net):
    return 0.5 * np.sum((net["two"]["m"] @ np.tanh(net["one"]["m"] @ x) + net["two"]["c"] - y) ** 2)
"""


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("is_written", [True, False])
@pytest.mark.parametrize(("sign", "verdict"), [("+", "match"), ("-", "mismatch")])
def test_sums_over_samples_that_an_optimizer_is_handed_are_checked(tmp_path, optimizer, is_written, sign, verdict):
    text = SUMMED.replace("STEP", OPTIMIZERS[optimizer]).replace("SIGN", sign)
    text = text.replace("WRITTEN", WRITTEN if is_written else "")
    shown = "if epoch % 5 == 0: print(sum(loss(x, y, net) for x, y in zip(X, Y)))" if is_written else "pass"
    found = verdicts(check_only(tmp_path, text.replace("SHOWN", f"    {shown}")))
    assert found == {"net['one']['m']": "match", "net['two']['m']": "match", "net['two']['c']": verdict}


@pytest.mark.parametrize(("sign", "verdict"), [("+", "match"), ("-", "mismatch")])
def test_sums_of_gradients_that_the_same_loop_computes_are_checked(tmp_path, sign, verdict):
    text = SUMMED.replace("STEP", OPTIMIZERS["momentum"]).replace("SIGN", sign).replace("WRITTEN", "")
    head, _, rest = text.partition("def shares")
    inner, _, rest = rest.partition("    return ")
    listed, _, rest = rest.partition("\n")
    body = "".join(f"        {line.strip()}\n" for line in inner.splitlines()[1:])
    rest = rest.replace("        found = shares(x, y, net)\n", f"{body}        found = {listed}\n")
    found = verdicts(check_only(tmp_path, (head + rest).replace("SHOWN", "")))
    assert found == {"net['one']['m']": "match", "net['two']['m']": "match", "net['two']['c']": verdict}


ALONE = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.uniform(0.5, 2, size=12)
Y = 3 * X - 1
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
STEP
def slopes(x, y):
    q = a * x + b
    r = 2 * (q - y) / len(y)
    first = FIRST
    second = np.sum(r)
    return [first, second]
a, b = START
rule = Rule()
for epoch in range(20):
    for k in range(0, 12, 4):
        both = slopes(X[k:k + 4], Y[k:k + 4])
        a = rule.step("a", a, both[0])
        b = rule.step("b", b, both[1])
    if epoch == 19:
        print("done")
"""


@pytest.mark.parametrize(("first", "verdict"), [("np.sum(r * x)", "match"), ("np.sum(x)", "mismatch")])
def test_a_gradient_that_is_no_loss_does_not_explain_another(tmp_path, first, verdict):
    """The sum of what is summed in one gradient has a slope that is a multiple of the other, which is wrong."""
    text = ALONE.replace("STEP", OPTIMIZERS["adam"]).replace("FIRST", first).replace("START", "0.8, 0.3")
    assert verdicts(check_only(tmp_path, text)) == {"a": verdict, "b": "match"}


ASCENT = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(18, 3))
Y = (X[:, 0] > 0).astype(float)
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
STEP
def make():
    w, c = np.zeros(3), -0.5
    def log_likelihood(p, y):
        return np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    def train():
        nonlocal w, c
        rule = Rule()
        for epoch in range(10):
            p = 1 / (1 + np.exp(-(X @ w + c)))
            score = log_likelihood(p, Y)
            gap = (Y SIGN p) / len(Y)
            u, v = X.T @ gap, np.sum(gap)
            w = rule.step("w", w, -u)
            c = rule.step("c", c, -v)
            print(score)
    return train
make()()
"""


@pytest.mark.parametrize(("sign", "verdict"), [("-", "match"), ("+", "mismatch")])
def test_a_gradient_of_one_sign_is_what_the_call_is_handed(tmp_path, sign, verdict):
    text = ASCENT.replace("STEP", OPTIMIZERS["adam"]).replace("SIGN", sign)
    assert verdicts(check_only(tmp_path, text)) == {"w": verdict, "c": verdict}


OUTPUT = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), np.eye(3)[rng.integers(3, size=20)]
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
STEP
def forward(x, these, those):
    h = np.tanh(x @ these[0] + those[0])
    e = np.exp(h @ these[1])
    return h, e / e.sum(axis=1, keepdims=True)
def loss(guess, y, these):
    return -np.mean(np.sum(y * np.log(guess), axis=1)) + 0.5 * 0.1 * np.sum(these[1] ** 2)
def back(x, y, h, guess, these):
    d_guess = (guess - y) / len(y)
    q1 = h.T @ d_guess
    p = d_guess @ these[1].T * (1 - h ** 2)
    q2, q3 = x.T @ p, p.sum(axis=0)
    q1 SIGN 0.1 * these[1]
    return q1, q2, q3
these, those = [rng.normal(size=(3, 4)), rng.normal(size=(4, 3))], [np.zeros(4)]
rule = Rule()
for epoch in range(20):
    h, guess = forward(X, these, those)
    now = loss(guess, Y, these)
    q1, q2, q3 = back(X, Y, h, guess, these)
    these[0] = rule.step("a", these[0], q2)
    those[0] = rule.step("b", those[0], q3)
    these[1] = rule.step("c", these[1], q1)
    print(now)
"""


@pytest.mark.parametrize(("sign", "verdict"), [("+=", "match"), ("=", "mismatch")])
def test_an_output_is_no_parameter_where_others_are_moved(tmp_path, sign, verdict):
    text = OUTPUT.replace("STEP", OPTIMIZERS["momentum"]).replace("SIGN", sign)
    found = verdicts(check_only(tmp_path, text))
    assert found == {"these[0]": "match", "those[0]": "match", "these[1]": verdict}
