"""Gradients that are kept or only applied, and losses that are not written down: what is taken, and what is not."""

from __future__ import annotations

import pytest

from script_runs import check_only as check
from script_runs import verdicts

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
Y = rng.normal(size=20)
"""
MODEL = (
    DATA
    + """
class Model:
    def __init__(self):
        self.w, self.b, self.seen = rng.normal(size=3), 0.0, 0.0
    def loss(self):
        return np.mean((X @ self.w + self.b - Y) ** 2)
    def step(self, rate):
        error = {error}
        self.seen += float(np.sum(error ** 2))
        {update}
model = Model()
for epoch in range(30):
    model.step(0.1)
"""
)
PLAIN = "self.w -= rate * 2 * X.T @ error / len(Y); self.b -= rate * {factor} * error.mean()"
ERROR = "X @ self.w + self.b - Y"


def applied(factor="2", error=ERROR, update=PLAIN):
    return MODEL.replace("{update}", update.replace("{factor}", factor)).replace("{error}", error)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("1", "mismatch")])
def test_a_change_is_a_gradient_up_to_the_step(tmp_path, factor, verdict):
    result = check(tmp_path, applied(factor))
    assert verdicts(result) == {"self.w": "match", "self.b": verdict}
    assert any("rate = 0.1 down the gradient" in note for note in result.notes)


def test_gradients_that_are_all_wrong_are_judged_by_the_step_that_is_written(tmp_path):
    text = applied("3", error="np.abs(X @ self.w + self.b - Y)")
    assert set(verdicts(check(tmp_path, text)).values()) == {"mismatch"}


@pytest.mark.parametrize(("decay", "verdict"), [("0.5 * self.w", "match"), ("0.5 * self.w ** 2", "mismatch")])
def test_decay_in_the_update_is_a_convention(tmp_path, decay, verdict):
    update = f"self.w -= rate * (2 * X.T @ error / len(Y) + {decay}); self.b -= rate * 2 * error.mean()"
    assert verdicts(check(tmp_path, applied(update=update))) == {"self.w": verdict, "self.b": "match"}


MOMENTUM = (
    DATA
    + """
class Model:
    def __init__(self):
        self.w, self.v = rng.normal(size=3), np.zeros(3)
    def loss(self):
        return np.mean((X @ self.w - Y) ** 2)
    def step(self):
        self.v = 0.9 * self.v + 0.1 * np.sign(2 * X.T @ (X @ self.w - Y) / len(Y))
        self.w -= self.v
model = Model()
for epoch in range(30):
    model.step()
"""
)


def test_steps_of_an_optimizer_are_no_gradients(tmp_path):
    """What cannot be told from a wrong gradient is not called wrong."""
    assert check(tmp_path, MOMENTUM).verdict == "error"


KEPT = (
    DATA
    + """
w, b = rng.normal(size=3), 0.0
for epoch in range(30):
    error = X @ w + b - Y
    {loss}
    dw = 2 * X.T @ error / len(Y)
    db = {factor} * error.mean()
    w = w - 0.1 * dw
    b = b - 0.1 * db
    if epoch % 10 == 0:
        print(epoch, "{label}", np.mean(error ** 2))
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("-2", "mismatch")])
@pytest.mark.parametrize(
    ("loss", "label"),
    [("loss = np.mean(error ** 2)", "x"), ("pass", "loss"), ("pass", "x")],
    ids=["computed", "printed", "inferred"],
)
def test_a_script_without_functions(tmp_path, factor, verdict, loss, label):
    text = KEPT.replace("{factor}", factor).replace("{loss}", loss).replace("{label}", label)
    result = check(tmp_path, text)
    assert verdicts(result) == {"w": "match", "b": verdict}
    assert any("inferred" in note for note in result.notes) is (label == "x" and loss == "pass")


def test_a_loss_with_a_telling_name_is_never_replaced_by_an_inferred_one(tmp_path):
    """The gradients are those of another loss than the one that is computed: that is a mistake, no convention."""
    text = KEPT.replace("{factor}", "2").replace("{loss}", "loss = np.mean(np.abs(error) ** 3)").replace("{label}", "x")
    assert verdicts(check(tmp_path, text)) == {"w": "mismatch", "b": "mismatch"}


STALE = (
    DATA
    + """
class Layer:
    def __init__(self):
        self.w = rng.normal(size=3)
    def backward(self, error):
        self.dw = 2 * X.T @ error / len(Y)
        self.calls = 1
layer, other = Layer(), Layer()
other.backward(X @ other.w - Y)
for epoch in range(20):
    error = X @ layer.w - Y
    loss = np.mean(error ** 2)
    layer.backward(error)
    layer.w -= 0.1 * layer.dw
"""
)


def test_a_gradient_that_is_left_over_is_not_taken(tmp_path):
    assert verdicts(check(tmp_path, STALE)) == {"self.w": "match"}


VECTOR = (
    DATA
    + """
from scipy.optimize import minimize
t = np.linspace(0, 3, 20)
def misfit(p):
    {unpack}
    return np.sum((size * np.exp(-rate * t) - Y) ** 2)
def slope(p):
    {unpack}
    e = np.exp(-rate * t)
    r = size * e - Y
    return np.array([2 * np.sum(r * e), {sign}2 * np.sum(r * size * e * t)])
minimize(misfit, [1.0, 0.5], jac=slope)
"""
)


@pytest.mark.parametrize(("sign", "wrong"), [("-", "match"), ("", "mismatch")])
def test_entries_have_the_names_under_which_a_vector_is_taken_apart(tmp_path, sign, wrong):
    text = VECTOR.replace("{unpack}", "size, rate = p").replace("{sign}", sign)
    assert verdicts(check(tmp_path, text)) == {"size": "match", "rate": wrong}
    text = VECTOR.replace("{unpack}", "size = p[0]; rate = p[1]").replace("{sign}", sign)
    assert verdicts(check(tmp_path, text)) == {"p": wrong}


CLIPPED = (
    DATA
    + """
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    dw = {factor} * X.T @ (X @ w - Y) / len(Y)
    return np.clip(dw, -{bound}, {bound})
w = 5 * rng.normal(size=3)
for i in range(50):
    w -= 0.05 * gradient(w)
"""
)


@pytest.mark.parametrize("bound", ["100", "1e-3"])
@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("-2", "mismatch"), ("3", "mismatch")])
def test_a_clipped_gradient_is_compared_as_it_is_before(tmp_path, factor, bound, verdict):
    result = check(tmp_path, CLIPPED.replace("{factor}", factor).replace("{bound}", bound))
    assert verdicts(result) == {"w": verdict}
    assert any("before they are clipped, by `return np.clip(" in note for note in result.notes)


PLAYERS = (
    DATA
    + """
Z = rng.normal(size=(20, 3))
class Player:
    def __init__(self, n):
        self.w, self.b = rng.normal(size=n), np.array([0.5])
left, right = Player(3), Player(3)
def left_step(rate):
    error = X @ left.w + left.b - Z @ right.w
    loss = np.mean(error ** 2)
    dw = 2 * X.T @ error / len(Y)
    db = np.array([2 * error.mean()])
    left.w -= rate * dw
    left.b -= rate * db
    return loss
def right_step(rate):
    error = Z @ right.w + right.b - X @ left.w - Y
    loss = np.mean(error ** 2)
    dw = {factor} * Z.T @ error / len(Y)
    db = np.array([2 * error.mean()])
    right.w -= rate * dw
    right.b -= rate * db
    return loss
for epoch in range(20):
    left_step(0.05)
    right_step(0.05)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
def test_two_models_that_take_turns_are_both_checked(tmp_path, factor, verdict):
    """What one of them computes follows the other's parameters through its step; that is no gradient of it."""
    found = verdicts(check(tmp_path, PLAYERS.replace("{factor}", factor)))
    assert found == {"left.w": "match", "left.b": "match", "right.w": verdict, "right.b": "match"}


TURNS = (
    DATA
    + """
M = rng.normal(size=(6, 5))
U, V = rng.normal(size=(6, 2)), rng.normal(size=(5, 2))
def loss(U, V):
    return np.sum((U @ V.T - M) ** 2)
def grad_U(U, V):
    return 2 * (U @ V.T - M) @ V
def grad_V(U, V):
    return {factor} * (U @ V.T - M).T @ U
for epoch in range(20):
    U -= 0.01 * grad_U(U, V)
    V -= 0.01 * grad_V(U, V)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("1", "mismatch")])
def test_gradients_that_are_taken_in_turn(tmp_path, factor, verdict):
    assert verdicts(check(tmp_path, TURNS.replace("{factor}", factor))) == {"U": "match", "V": verdict}


BRANCH = (
    DATA
    + """
w, b = rng.normal(size=3), 0.0
def loss(x, y, w, b):
    r = x @ w + b - y
    return r * r if r > 0 else 3 * r * r
def grads(x, y, w, b):
    r = x @ w + b - y
    if r > 0:
        return 2 * r * x, 2 * r
    dw = 6 * r * x
    db = {factor} * r
    return dw, db
order = np.argsort(-(X @ w - Y))
for epoch in range(2):
    for i in order:
        dw, db = grads(X[i], Y[i], w, b)
        w = w - 0.0001 * dw
        b = b - 0.0001 * db
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("6", "match"), ("5", "mismatch")])
def test_a_branch_that_only_later_samples_take_is_looked_at(tmp_path, factor, verdict):
    """The samples come in the order of their residuals, so that the first ones all take the same branch."""
    assert verdicts(check(tmp_path, BRANCH.replace("{factor}", factor))) == {"w": "match", "b": verdict}


def test_a_gradient_that_is_the_same_at_all_parameters_is_checked(tmp_path):
    text = (
        DATA
        + """
w, b = rng.normal(size=3), 0.0
for epoch in range(20):
    loss = np.mean((X @ w - Y) ** 2) + 0.5 * b
    dw = 2 * X.T @ (X @ w - Y) / len(Y)
    db = 0.7
    w = w - 0.1 * dw
    b = b - 0.1 * db
"""
    )
    assert verdicts(check(tmp_path, text)) == {"w": "match", "b": "mismatch"}


def test_what_is_moved_and_not_checked_is_named(tmp_path):
    text = TURNS.replace("{factor}", "2").replace("V -= 0.01 * grad_V(U, V)", "V -= 0.01 * np.sign(grad_V(U, V))")
    result = check(tmp_path, text, backward="grad_U")
    assert verdicts(result) == {"U": "match"}


SHUFFLED = """
import numpy as np
class Factors:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.P, self.Q = rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
        self.samples = [(i, j, float(i + j)) for i in range(3) for j in range(4)]
    def sweep(self):
        for i, j, r in self.samples:
            gap = self.P[i] @ self.Q[j] - r
            loss = 0.5 * gap ** 2
            dP, dQ = gap * self.Q[j], {sign}gap * self.P[i]
            self.P[i] -= 0.01 * dP
            self.Q[j] -= 0.01 * dQ
model = Factors()
for epoch in range(20):
    np.random.shuffle(model.samples)
    model.sweep()
print(model.P @ model.Q.T)
"""


@pytest.mark.parametrize(("sign", "verdict"), [("", "match"), ("-", "mismatch")], ids=["right", "wrong"])
def test_samples_in_tuples_that_are_shuffled_are_no_parameters(tmp_path, sign, verdict):
    found = verdicts(check(tmp_path, SHUFFLED.format(sign=sign)))
    assert found == {"self.P": "match", "self.Q": verdict}


# each number, and each gradient, is in a box of its own, so that gradients lie under the name of the numbers
BOXES = """
import numpy as np

class Box:
    def __init__(self, data):
        self.data, self.grad, self.maker = np.asarray(data, dtype=float), None, None
    def backward(self):
        self.grad = Box(np.ones_like(self.data))
        makers = [self.maker]
        while makers:
            maker = makers.pop()
            for x, gx in zip(maker.inputs, maker.backward(maker.output.grad)):
                x.grad = gx
                if x.maker is not None:
                    makers.append(x.maker)

class Maker:
    def __call__(self, *inputs):
        self.inputs, self.output = inputs, Box(self.forward(*(x.data for x in inputs)))
        self.output.maker = self
        return self.output

class Affine(Maker):
    def forward(self, x, W, b):
        return x @ W + b
    def backward(self, gy):
        x, W, b = self.inputs
        return Box(gy.data @ W.data.T), Box(x.data.T @ gy.data), Box(gy.data.sum(axis=0))

class Tanh(Maker):
    def forward(self, x):
        return np.tanh(x)
    def backward(self, gy):
        return (Box(gy.data * (1 - self.output.data ** 2)),)

class Squares(Maker):
    def forward(self, a, b):
        return np.mean((a - b) ** 2)
    def backward(self, gy):
        a, b = self.inputs
        g = 2 * (a.data - b.data) / a.data.size * gy.data
        return Box(g), Box(-g)

rng = np.random.default_rng(2)
X, Y = Box(rng.normal(size=(10, 2))), Box(rng.normal(size=(10, 1)))
W1, b1 = Box(rng.normal(size=(2, 3))), Box(np.zeros(3))
W2, b2 = Box(rng.normal(size=(3, 1))), Box(np.zeros(1))
for step in range(20):
    hidden = Tanh()(Affine()(X, W1, b1))
    loss = Squares()(Affine()(hidden, W2, b2), Y)
    loss.backward()
    W1.data -= 0.1 * W1.grad.data
    b1.data -= 0.1 * b1.grad.data
    W2.data -= 0.1 * W2.grad.data
    b2.data -= 0.1 * b2.grad.data
    print(loss.data)
"""


@pytest.mark.parametrize(("sums", "biases"), [("gy.data.sum(axis=0)", "match"), ("gy.data.mean(axis=0)", "mismatch")])
def test_a_box_of_numbers_is_not_the_box_of_their_gradient(tmp_path, sums, biases):
    found = verdicts(check(tmp_path, BOXES.replace("gy.data.sum(axis=0)", sums)))
    assert {name: found[name] for name in ("W1.data", "W2.data")} == {"W1.data": "match", "W2.data": "match"}
    assert {name: found[name] for name in ("b1.data", "b2.data")} == {"b1.data": biases, "b2.data": biases}


LINKED = """
import numpy as np
rng = np.random.default_rng(0)
class Unit:
    def __init__(self, feeders):
        self.theta, self.slope = rng.normal(size=3), np.zeros(3)
        self.feeders, self.followers = feeders, []
    def fire(self):
        self.heard = np.array([unit.fire() for unit in self.feeders])
        self.out = np.tanh(self.theta @ self.heard)
        return self.out
    def blame(self):
        self.delta = 0.0
        for unit in self.followers:
            if isinstance(unit, Unit):
                self.delta += unit.delta * SLOPE * unit.theta[unit.feeders.index(self)]
            else:
                self.delta += unit
        self.slope += self.delta * (1 - self.out ** 2) * self.heard
    def move(self, pace):
        self.theta = self.theta - pace * self.slope
        self.slope = np.zeros(3)
class Held:
    out = 1.0
    def fire(self):
        return self.out
one, left, right = Held(), Held(), Held()
first, second = Unit([one, left, right]), Unit([one, left, right])
last = Unit([one, first, second])
first.followers, second.followers = [last], [last]
def guess(x):
    left.out, right.out = x
    return last.fire()
def learn(X, y, pace):
    for x, want in zip(X, y):
        last.followers = [2 * (guess(x) - want)]
        for unit in [last, first, second]:
            unit.blame()
    for unit in [last, first, second]:
        unit.move(pace)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0.0, 1.0, 1.0, 0.0])
for turn in range(40):
    learn(X, y, 0.1)
    error = sum((guess(x) - want) ** 2 for x, want in zip(X, y))
print(error)
"""


@pytest.mark.parametrize(("slope", "verdict"), [("(1 - unit.out ** 2)", "match"), ("(1 - unit.out)", "mismatch")])
def test_a_loss_after_the_step_may_have_variables_of_its_own(tmp_path, slope, verdict):
    """Those of a comprehension are no names that have to be there before the step."""
    result = check(tmp_path, LINKED.replace("SLOPE", slope))
    assert sorted(verdicts(result).values()) == sorted(["match", verdict, verdict])
