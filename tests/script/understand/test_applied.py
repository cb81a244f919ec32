"""The step that is applied is what counts: right gradients do not help where parameters are moved along others."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=20)
"""

ROUND = (
    DATA
    + """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def gradients(w, b):
    r = 2 * (X @ w + b - Y) / len(Y)
    return X.T @ r, r.sum()
w, b = rng.normal(size=3), 0.5
v, m = np.zeros(3), 0.0
for i in range(8):
    dw, db = gradients(w, b)
    STEPS
print(loss(w, b))
"""
)

PLAIN = "w = w - 0.1 * dw; b = b - 0.1 * db"


@pytest.mark.parametrize(
    "steps",
    [
        PLAIN,
        "w = w - 0.1 * dw; b = b - 0.02 * db",
        "w = w - 0.1 * (dw + 0.01 * w); b = b - 0.1 * db",
        "w = w - 0.1 * (dw + 0.01 * np.sign(w)); b = b - 0.1 * db",
        "v = 0.9 * v + dw; w = w - 0.1 * v; b = b - 0.1 * db",
        "n = np.linalg.norm(dw); w = w - 0.1 * dw / max(n, 1); b = b - 0.1 * db",
        "m = 0.9 * m + db; w = w - 0.1 * dw; b = b - 0.1 * m",
    ],
    ids=["plain", "own-rate", "decay", "signs", "momentum", "norm", "momentum-of-one"],
)
def test_what_an_optimizer_makes_of_right_gradients_is_right(tmp_path, steps):
    assert verdicts(check_only(tmp_path, ROUND.replace("STEPS", steps))) == {"w": "match", "b": "match"}


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ("w = w - 0.1 * dw; b = b - 0.1 * dw.mean()", "b"),
        ("w = w - 0.1 * dw[::-1]; b = b - 0.1 * db", "w"),
        ("w = w - 0.1 * (dw + db); b = b - 0.1 * db", "w"),
    ],
)
def test_a_step_along_something_else_is_wrong(tmp_path, steps, wrong):
    result = check_only(tmp_path, ROUND.replace("STEPS", steps))
    assert verdicts(result) == {name: "mismatch" if name == wrong else "match" for name in "wb"}
    assert any("computes the right gradients" in note and f"`{wrong}` is moved along" in note for note in result.notes)


TOTALS = (
    DATA
    + """
class Net:
    def __init__(self):
        self.w, self.b = rng.normal(size=3), 0.5
    def backward(self, x, y):
        r = x @ self.w + self.b - y
        self.grad_w, self.grad_b = r * x, r
        return 0.5 * r ** 2
    def fit(self):
        for epoch in range(10):
            sum_w, sum_b, total = np.zeros(3), 0.0, 0.0
            for x, y in zip(X, Y):
                total += self.backward(x, y)
                sum_w ADDS self.grad_w
                sum_b += self.grad_b
            self.w = self.w - 0.1 * sum_w / len(X)
            self.b = self.b - 0.1 * sum_b / len(X)
            print(total / len(X))
Net().fit()
"""
)


@pytest.mark.parametrize(("adds", "verdict"), [("+=", "match"), ("=", "mismatch")])
def test_gradients_of_samples_have_to_be_added_up(tmp_path, adds, verdict):
    found = verdicts(check_only(tmp_path, TOTALS.replace("ADDS", adds)))
    assert found == {"self.w": verdict, "self.b": "match"}


TWO_RATES = (
    DATA
    + """
class Line:
    def __init__(self):
        self.w, self.b = np.array([0.1, 0.2, 0.3]), np.zeros(1)
    def train(self, x, y, lr):
        off = x @ self.w + self.b - y
        loss = np.mean(off**2)
        self.w -= lr * 2 * x.T @ off / len(y)
        self.b -= lr * 2 * MEAN
        return loss
first = Line()
print([first.train(X, Y, lr=0.1) for _ in range(2)])
second = Line()
print(second.train(X, Y, lr=0.01))
"""
)


@pytest.mark.parametrize(("mean", "verdict"), [("off.mean()", "match"), ("off[:5].mean()", "mismatch")])
def test_the_step_size_of_another_call_is_another_one(tmp_path, mean, verdict):
    assert verdicts(check_only(tmp_path, TWO_RATES.replace("MEAN", mean))) == {"self.w": "match", "self.b": verdict}


CURVE = """
import numpy as np
hours = np.linspace(0.0, 4.0, 25)
level = 3.0 * np.exp(-0.7 * hours) + 0.4
p = np.array([2.0, 0.4, 0.2])
def loss(p):
    return 0.5 * np.sum((p[0] * np.exp(-p[1] * hours) + p[2] - level) ** 2)
def jacobian(p):
    fall = np.exp(-p[1] * hours)
    return np.column_stack([fall, SIGN * p[0] * hours * fall, np.ones_like(hours)])
def inverse(J):
    both = np.linalg.pinv(J.T @ J)
    return both
def left_inverse(J):
    return inverse(J) @ J.T
for turn in range(12):
    cost = loss(p)
    J = jacobian(p)
    slope = J.T @ (p[0] * np.exp(-p[1] * hours) + p[2] - level)
    move = STEP
    p = p + 0.01 * move
    print(turn, cost)
"""


@pytest.mark.parametrize(
    "step",
    [
        "-np.linalg.pinv(J.T @ J) @ slope",
        "np.linalg.solve(J.T @ J, -slope)",
        "-left_inverse(J) @ J @ inverse(J) @ slope",
    ],
)
def test_what_is_solved_for_is_no_gradient(tmp_path, step):
    assert check_only(tmp_path, CURVE.replace("SIGN", "-1").replace("STEP", step)).verdict != "mismatch"


@pytest.mark.parametrize(("sign", "verdict"), [("-1", "match"), ("1", "mismatch")])
def test_the_same_along_the_gradient_is_judged(tmp_path, sign, verdict):
    text = CURVE.replace("SIGN", sign).replace("STEP", "-slope")
    assert verdicts(check_only(tmp_path, text)) == {"p": verdict}


SEARCH = """
import numpy as np
def narrowed(f, low, high):
    width = high - low
    for k in range(30):
        width = 0.618034 * width
        if f(high - width) < f(low + width):
            high = low + width
        else:
            low = high - width
    return low
for centre in (7.0, 7.5, 8.0):
    print(narrowed(lambda x: (x - centre) ** 2, 0.0, 1.0))
"""


def test_a_number_that_moves_by_a_constant_follows_no_gradient(tmp_path):
    """A loss that is not written down would explain it by any factor."""
    assert check_only(tmp_path, SEARCH).verdict == "error"


LATE = (
    DATA
    + """
T = (Y > 0) * 1.0
W, w = rng.normal(size=(3, 4)), rng.normal(size=4)
def step(X, T):
    global W, w
    h = np.tanh(X @ W)
    p = 1 / (1 + np.exp(-(h @ w)))
    d = DELTA
    dh = np.outer(d, w) * (1 - h ** 2)
    W -= 0.1 * X.T @ dh
    w -= 0.1 * h.T @ d
    loss = -np.sum(T * LOG(p) + (1 - T) * LOG(1 - p)) / COUNT
    return loss
for i in range(12):
    print(step(X, T))
"""
)


def late(delta="p - T", log="np.log", count="1"):
    return LATE.replace("DELTA", delta).replace("LOG", log).replace("COUNT", count)


@pytest.mark.parametrize(("delta", "verdict"), [("p - T", "match"), ("(p - T) * p * (1 - p)", "mismatch")])
def test_a_loss_that_is_computed_after_the_step_is_the_one(delta, verdict, tmp_path):
    """The squared error would explain the wrong ones, but the code returns the cross-entropy of the same data."""
    assert verdicts(check_only(tmp_path, late(delta))) == {"W": verdict, "w": verdict}


@pytest.mark.parametrize(
    ("log", "said"), [("np.log", ""), ("np.log2", "the gradients are 13.8629 times those of `-np.sum")]
)
def test_a_loss_that_is_written_down_and_not_descended_is_named(log, said, tmp_path):
    result = check_only(tmp_path, late(log=log, count="20"))
    assert verdicts(result) == {"W": "match", "w": "match"}
    notes = " ".join(result.notes)
    assert said in notes
    assert ("times those of `" in notes) is bool(said)


ROUNDS = (
    DATA
    + """
def hidden(W):
    return np.tanh(X @ W)
def train(W, v):
    h = hidden(W)
    print("before", np.mean((h @ v - Y) ** 2))
    for i in range(20):
        h = hidden(W)
        cost = np.mean((h @ v - Y) ** 2)
        d = 2 * (h @ v - Y) / len(Y)
        dW = X.T @ (np.outer(d, v) * (1 - h ** 2))
        W, v = W - 0.05 * dW, v - 0.05 * FACTOR * h.T @ d
    print(cost)
train(rng.normal(size=(3, 4)), rng.normal(size=4))
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("0.5", "mismatch")])
def test_what_a_round_computes_anew_is_not_left_from_before_it(factor, verdict, tmp_path):
    result = check_only(tmp_path, ROUNDS.replace("FACTOR", factor))
    assert verdicts(result) == {"W": "match", "v": verdict}
    assert not any("recorded points only" in note for note in result.notes)


SUMMED = (
    DATA
    + """
class Rule:
    def __init__(self):
        self.count, self.mean, self.spread = {}, {}, {}
    def step(self, key, value, slope):
        t = self.count[key] = self.count.get(key, 0) + 1
        self.mean[key] = 0.9 * self.mean.get(key, 0.0) + 0.1 * slope
        self.spread[key] = 0.99 * self.spread.get(key, 0.0) + 0.01 * slope ** 2
        return value - 0.05 * self.mean[key] / (1 - 0.9 ** t) / (np.sqrt(self.spread[key] / (1 - 0.99 ** t)) + 1e-8)
class Net:
    def __init__(self):
        self.W, self.c, self.v = rng.normal(size=(4, 3)), np.zeros(4), rng.normal(size=4)
    def forward(self, x):
        self.h = np.tanh(self.W @ x + self.c)
        self.out = self.v @ self.h
        return self.out
    def backward(self, x, y):
        off = self.out - y
        back = off * self.v * (1 - self.h ** 2)
        dW, dc, dv = np.outer(back, x), back, off * self.h
        return [dW, dc, dv]
    def fit(self):
        rule = Rule()
        for epoch in range(6):
            sum_W, sum_c, sum_v = np.zeros_like(self.W), np.zeros_like(self.c), np.zeros_like(self.v)
            for x, y in zip(X, Y):
                self.forward(x)
                grads = self.backward(x, y)
                sum_W += grads[0]
                ADDED
                sum_v += grads[2]
            self.W = rule.step("W", self.W, sum_W)
            self.c = rule.step("c", self.c, sum_c)
            self.v = rule.step("v", self.v, sum_v)
        print("done", epoch)
Net().fit()
"""
)


@pytest.mark.parametrize(("added", "verdict"), [("sum_c += grads[1]", "match"), ("", "mismatch")])
def test_what_an_optimizer_is_to_move_and_never_does_is_wrong(tmp_path, added, verdict):
    """There is no size of its steps to compare with, but standing still is no step along a gradient."""
    result = check_only(tmp_path, SUMMED.replace("ADDED", added))
    assert verdicts(result) == {"self.W": "match", "self.c": verdict, "self.v": "match"}
    assert any("`self.c` is not moved" in note for note in result.notes) == (verdict == "mismatch")


CLOSURE = (
    DATA
    + """
def model(x, y):
    w, b = 0.3, -0.8
    def gradients(rate):
        nonlocal w, b
        off = 2 * (w * x + b - y) / len(y)
        w -= rate * np.sum(off * x)
        STEP
    def loss():
        return np.mean((w * x + b - y) ** 2)
    def train():
        for epoch in range(12):
            now = loss()
            gradients(0.1)
        print(epoch, now)
    return train
model(X[:, 0], Y)()
"""
)


@pytest.mark.parametrize("step", ["b -= rate * np.sum(off)", ""])
def test_what_is_declared_as_assigned_and_is_not_is_no_silent_match(tmp_path, step):
    result = check_only(tmp_path, CLOSURE.replace("STEP", step))
    assert verdicts(result) == ({"w": "match", "b": "match"} if step else {"w": "match"})
    assert [row.name for row in result.unchecked] == ([] if step else ["b"])


NAMED = (
    DATA
    + """
class Rule:
    def __init__(self):
        self.mean, self.spread, self.t = {}, {}, 0
    def step(self, key, value, slope):
        self.t += 1
        self.mean[key] = 0.9 * self.mean.get(key, 0.0) + 0.1 * slope
        self.spread[key] = 0.99 * self.spread.get(key, 0.0) + 0.01 * slope ** 2
        return value - 0.05 * self.mean[key] / (np.sqrt(self.spread[key]) + 1e-8)
def loss_and_slopes(weights, shifts):
    h = np.tanh(X @ weights[0] + shifts[0])
    off = h @ weights[1] + shifts[1] - Y
    back = np.outer(off, weights[1]) * (1 - h ** 2)
    found = {"V": h.T @ off, "c": np.sum(off), "W": X.T @ back, "b": SUM}
    return 0.5 * np.sum(off ** 2), found
weights, shifts = [rng.normal(size=(3, 4)), rng.normal(size=4)], [np.zeros(4), 0.0]
rule = Rule()
for turn in range(8):
    loss, found = loss_and_slopes(weights, shifts)
    weights[0] = rule.step("W", weights[0], found["W"])
    shifts[0] = rule.step("b", shifts[0], found["b"])
    weights[1] = rule.step("V", weights[1], found["V"])
    shifts[1] = rule.step("c", shifts[1], found["c"])
    print(turn, loss)
"""
)


@pytest.mark.parametrize(
    ("total", "verdict"), [("back.sum(axis=0)", "match"), ("back.sum()", "mismatch")], ids=["right", "one-number"]
)
def test_one_number_that_moves_a_whole_bias_is_its_gradient(tmp_path, total, verdict):
    result = check_only(tmp_path, NAMED.replace("SUM", total))
    assert result.unchecked == ()
    expected = {"weights[0]": "match", "weights[1]": "match", "shifts[0]": verdict, "shifts[1]": "match"}
    assert verdicts(result) == expected


@pytest.mark.parametrize(("sign", "verdict"), [("-", "match"), ("+", "mismatch")])
def test_a_right_gradient_that_is_added_beside_others_that_are_taken_away_is_wrong(tmp_path, sign, verdict):
    """In a list, single numbers are one array, and what each of them moves is seen in the round only."""
    text = ROUND.replace("return X.T @ r, r.sum()", "dw, db = np.sum(r * X[:, 0]), r.sum()\n    return [dw, db]")
    text = text.replace("X @ w", "X[:, 0] * w").replace("rng.normal(size=3), 0.5", "0.3, 0.5")
    text = text.replace("dw, db = gradients(w, b)", "found = gradients(w, b)")
    text = text.replace("STEPS", f"w -= 0.1 * found[0]\n    b {sign}= 0.1 * found[1]")
    assert verdicts(check_only(tmp_path, text)) == {"w": "match", "b": verdict}


# what a function computes for each sample, what is summed up in lists, and what moves numbers in a dictionary
NUMBERS = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 2)).tolist()
Y = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
def slopes(x, y, net):
    o = np.tanh(net["u"] * x[0] + net["v"] * x[1] + net["c"])
    d = (o - y) * (1 - o ** 2)
    d_u = FACTOR
    d_v = d * x[1]
    d_c = d
    return [d_u, d_v, d_c]
def main():
    net = {"u": 0.4, "v": -0.3, "c": 0.2}
    for epoch in range(9):
        one, two, three = 0.0, 0.0, 0.0
        for x, y in zip(X, Y):
            found = slopes(x, y, net)
            one += found[0]
            two += found[1]
            three += found[2]
        net["u"] -= 0.2 * (one / len(X))
        net["v"] -= 0.2 * (two / len(X))
        net["c"] -= 0.2 * (three / len(X))
    print("done")
main()
"""


@pytest.mark.parametrize(("factor", "verdict"), [("d * x[0]", "match"), ("x[0]", "mismatch")])
def test_a_sum_that_is_the_same_at_all_parameters_is_not_left_out(tmp_path, factor, verdict):
    found = verdicts(check_only(tmp_path, NUMBERS.replace("FACTOR", factor)))
    assert found == {"net['u']": verdict, "net['v']": "match", "net['c']": "match"}


# the rate is known to the caller of what computes the gradients only
RATE_ELSEWHERE = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(18, 3)), np.eye(4)[rng.integers(4, size=18)]
class Model:
    def __init__(self):
        self.m, self.s = rng.normal(size=(3, 4)), np.zeros(4)
    def value_and_slopes(self, x, y):
        e = np.exp(x @ self.m + self.s)
        p = e / e.sum(axis=1, keepdims=True)
        d = (p - y) / x.shape[0]
        return -np.mean(np.sum(y * np.log(p), axis=1)), x.T @ d, d.sum(axis=0)
    def learn(self, x, y, pace=0.1):
        for turn in range(9):
            order = rng.permutation(len(x))
            for k in range(0, len(x), 8):
                rows = order[k:k + 8]
                loss, dm, ds = self.value_and_slopes(x[rows], y[rows])
                self.m = self.m - pace * MOVED
                self.s = self.s - pace * ds
            print(loss)
Model().learn(X, Y)
"""


@pytest.mark.parametrize(("moved", "verdict"), [("dm", "match"), ("ds", "mismatch")])
def test_steps_are_compared_by_the_multiples_of_right_gradients_that_were_seen(tmp_path, moved, verdict):
    found = verdicts(check_only(tmp_path, RATE_ELSEWHERE.replace("MOVED", moved)))
    assert found == {"self.m": verdict, "self.s": "match"}


# numbers that are added up over the samples of an inner loop, and no loss
ADDED_UP = """
import numpy as np
X = [[-0.6, 2.5], [1.0, 1.3], [-1.7, -2.5], [0.1, 0.2], [0.9, 1.1], [-0.4, 1.1]]
Y = [0, 0, 1, 1, 0, 1]
net = {"u": -0.4, "v": 0.3, "c": 0.5}
for epoch in range(20):
    all_u = all_v = all_c = 0.0
    for x, y in zip(X, Y):
        o = 1 / (1 + np.exp(-(net["u"] * x[0] + net["v"] * x[1] + net["c"])))
        d = (o - y) * o * (1 - o)
        du = d * x[0]
        dv = d * x[1]
        dc = d
        all_u += du
        all_v += dv
        all_c += ADDED
    net["u"] -= 0.5 * (all_u / len(X))
    net["v"] -= 0.5 * (all_v / len(X))
    net["c"] -= 0.5 * (all_c / len(X))
    if epoch == 19:
        print("done")
"""


@pytest.mark.parametrize(("added", "verdict"), [("dc", "match"), ("dv", "mismatch")])
def test_what_is_added_up_has_to_be_the_right_gradients(tmp_path, added, verdict):
    found = verdicts(check_only(tmp_path, ADDED_UP.replace("ADDED", added)))
    assert found == {"net['u']": "match", "net['v']": "match", "net['c']": verdict}
