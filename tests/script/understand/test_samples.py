"""A round that adds up the gradients of its samples, which a function or an inner loop makes one after the other."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

# a network in a list, with the functions that it is made of
LISTED = """
import numpy as np
rng = np.random.default_rng(3)
def chances(v):
    e = np.exp(v - v.max())
    return e / e.sum()
def entropy(y, t):
    return -np.sum(t * np.log(chances(y)))
def entropy_slope(y, t):
    return SLOPE
def squares(y, t):
    return np.sum((y - t) ** 2)
def leaky(v):
    return np.where(v < 0, 0.1 * v, v)
def leaky_slope(v):
    return np.where(v < 0, 0.1, 1.0)
def predict(x, net):
    z = net[0] @ x + net[1]
    h = net[3](z)
    return z, h, net[2] @ h
def slopes(x, t, net):
    z, h, y = predict(x, net)
    down = net[6](y, t)
    below = net[2].T @ down * BENT
    return np.outer(below, x), below, np.outer(down, h)
def move(by, rate, net):
    for i in range(3):
        net[i] -= rate * by[i]
def train(X, T, act, act_slope, loss, loss_slope, rate):
    net = [rng.normal(size=(4, 2)), np.zeros(4), rng.normal(size=(2, 4)), act, act_slope, loss, loss_slope]
    for epoch in range(60):
        order = rng.permutation(len(X))
        for begin in range(0, len(X), 8):
            every = [slopes(X[k], T[k], net) for k in order[begin : begin + 8]]
            mean = [sum(one[i] for one in every) / len(every) for i in range(3)]
            move(mean, rate, net)
        if epoch % 30 == 29:
            print(np.mean([loss(predict(x, net)[-1], t) for x, t in zip(X, T)]))
X = rng.normal(size=(30, 2))
T = np.eye(2)[(X[:, 0] * X[:, 1] > 0).astype(int)]
train(X, T, leaky, leaky_slope, entropy, entropy_slope, 0.1)
"""


def listed(slope="chances(y) - t", bent="net[4](z)"):
    return LISTED.replace("SLOPE", slope).replace("BENT", bent)


@pytest.mark.parametrize(("bent", "verdict"), [("net[4](z)", "match"), ("net[4](h - 1)", "mismatch")])
def test_the_loss_of_a_round_is_the_sum_over_its_samples(tmp_path, bent, verdict):
    result = check_only(tmp_path, listed(bent=bent))
    assert verdicts(result) == {"net[0]": verdict, "net[1]": verdict, "net[2]": "match"}
    assert "over all calls" in result.entry_points.loss


@pytest.mark.parametrize(("loss", "verdict"), [("entropy", "match"), ("squares", "mismatch")])
def test_a_loss_that_is_named_is_summed_as_well(tmp_path, loss, verdict):
    found = verdicts(check_only(tmp_path, listed(), loss=loss))
    assert found == dict.fromkeys(["net[0]", "net[1]", "net[2]"], verdict)


def test_a_loss_that_never_runs_does_not_excuse_gradients_that_are_not_those_of_the_one_that_does(tmp_path):
    error = check_only(tmp_path, listed(slope="y - t")).error
    assert error.slug == "ambiguous"
    assert "`the mean of squares(y, t) over all calls`, which the script never computes" in error.message
    assert "--loss squares or --loss entropy" in error.message
    without = listed(slope="y - t").replace("def squares(y, t):\n    return np.sum((y - t) ** 2)\n", "")
    assert set(verdicts(check_only(tmp_path, without)).values()) == {"mismatch"}


def test_where_the_parameters_are_moved_in_between_nothing_is_summed(tmp_path):
    every = "every = [slopes(X[k], T[k], net) for k in order[begin : begin + 8]]"
    each = "for k in order[begin : begin + 8]:\n                move(slopes(X[k], T[k], net), rate, net)"
    text = listed().replace(every, each)
    text = "\n".join(line for line in text.split("\n") if "mean" not in line or "np.mean" in line)
    result = check_only(tmp_path, text)
    assert set(verdicts(result).values()) == {"match"}
    assert "over all calls" not in result.entry_points.loss


def test_what_is_called_for_other_data_as_well_is_not_summed(tmp_path):
    other = "            slopes(X[0] + 1, T[1], net)\n            move(mean, rate, net)"
    result = check_only(tmp_path, listed().replace("            move(mean, rate, net)", other))
    assert result.error.slug == "no-loss"


# in plain statements, with no loss but a mean of absolute errors that is shown
PLAIN = """
import numpy as np
def squash(v):
    return 1 / (1 + np.exp(-v))
def bent(s):
    return s * (1 - s)
inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
wanted = np.array([0, 1, 1, 0])
inner = np.array([[-0.42, 0.36], [-0.74, -0.58], [-0.96, -0.47]])
outer = np.array([-0.02, -0.89, 0.15])
rate, keep = 0.3, KEEP
for epoch in range(40):
    misses = []
    sum_outer = np.zeros_like(outer)
    sum_inner = np.zeros_like(inner)
    for i in range(len(inputs)):
        x = inputs[i]
        hidden = squash(np.dot(inner, x))
        answer = squash(np.dot(outer, hidden))
        miss = MISS
        misses.append(abs(miss))
        delta = miss * bent(answer)
        below = BELOW
        sum_outer += hidden * delta
        sum_inner += np.outer(below, x)
    outer = (outer * keep) + (sum_outer * rate)
    inner = (inner * keep) + (sum_inner * rate)
    if epoch % 10 == 0:
        print(epoch, np.mean(misses))
"""


def plain(below="bent(hidden) * outer * delta", miss="wanted[i] - answer", keep="1.0"):
    return PLAIN.replace("BELOW", below).replace("MISS", miss).replace("KEEP", keep)


@pytest.mark.parametrize("keep", ["1.0", "0.99"])
@pytest.mark.parametrize(
    ("below", "wrong"),
    [
        ("bent(hidden) * outer * delta", ""),
        ("outer * delta", "inner"),
        ("bent(hidden) * outer * miss", "inner"),
        ("hidden * outer * delta", "inner"),
    ],
)
def test_a_difference_in_an_inner_loop_stands_for_the_sum_over_its_rounds(tmp_path, below, wrong, keep):
    result = check_only(tmp_path, plain(below, keep=keep))
    assert verdicts(result) == {name: "mismatch" if name == wrong else "match" for name in ("inner", "outer")}
    assert "`wanted[i] - answer` over all rounds" in result.entry_points.loss


def test_what_was_not_understood_is_the_step_and_not_what_is_added_up_in_it(tmp_path):
    error = check_only(tmp_path, plain(miss="np.tanh(wanted[i] - answer) ** 3")).error
    assert error.slug == "no-loss"
    assert "` applies gradients of inner, outer, but no loss" in error.message


AFTER_BATCHES = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
Y = (X @ [1.0, -1.0, 0.5] > 0).astype(float).reshape(-1, 1)
class Net:
    def __init__(self):
        self.weights = [rng.normal(size=(3, 4)), rng.normal(size=(4, 1))]
    def forward(self, x, weights):
        seen = [x]
        for w in weights:
            seen.append(1 / (1 + np.exp(-(seen[-1] @ w))))
        return seen
    def entropy(self, h, y, weights, strength=0.0):
        first = -np.sum(y * np.log(h) + (1 - y) * np.log(1 - h)) / len(y)
        return first + strength / (2 * len(y)) * sum(np.sum(w ** 2) for w in weights)
    def back(self, y, seen, weights, strength=0.0):
        delta, found = seen[-1] - y, [None, None]
        for k in (1, 0):
            found[k] = seen[k].T @ delta / len(y) + strength / len(y) * weights[k]
            delta = delta @ weights[k].T SLOPE
        return found
    def moved(self, weights, gradients):
        for n in range(len(weights)):
            weights[n] -= 0.1 * gradients[n]
        return weights
    def fit(self, x, y, strength):
        costs = []
        for epoch in range(10):
            mixed = rng.permutation(len(x))
            x, y = x[mixed], y[mixed]
            for k in range(0, len(x), 10):
                seen = self.forward(x[k : k + 10], self.weights)
                gradients = self.back(y[k : k + 10], seen, self.weights, strength)
                self.weights = self.moved(self.weights, gradients)
            whole = self.forward(x, self.weights)
            cost = self.entropy(whole[-1], y, self.weights, strength)
            costs.append(cost)
            print(epoch, cost)
Net().fit(X, Y, 0.1)
"""


@pytest.mark.parametrize("slope", ["* seen[k] * (1 - seen[k])", ""], ids=["right", "wrong"])
def test_a_loss_of_what_an_earlier_epoch_has_left_says_nothing(tmp_path, slope):
    """Of the loss at an epoch's end, a batch sees the penalty alone; its gradient is not compared with that."""
    result = check_only(tmp_path, AFTER_BATCHES.replace("SLOPE", slope))
    assert result.verdict != ("mismatch" if slope else "match")


# the loss is shown of all data, and the steps are those of batches
SHOWN_OF_ALL = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(16, 2))
Y = (X[:, :1] > 0).astype(float)
V, c = rng.normal(size=(2, 1)), np.zeros(1)
for epoch in range(12):
    order = rng.permutation(len(X))
    for k in range(0, 16, 8):
        rows = order[k:k + 8]
        x, y = X[rows], Y[rows]
        p = 1 / (1 + np.exp(-(x @ V + c)))
        e = ERROR / len(x)
        V -= 0.1 * (x.T @ e + DECAY)
        c -= 0.1 * e.sum(axis=0)
    if epoch % 3 == 0:
        p = 1 / (1 + np.exp(-(X @ V + c)))
        print("loss", LOSS)
"""
SQUARES = "0.5 * np.mean(np.sum((p - Y) ** 2, axis=1))"
ENTROPY = "-np.mean(Y * np.log(p) + (1 - Y) * np.log(1 - p)) + 0.05 * np.sum(V ** 2)"


@pytest.mark.parametrize(
    ("loss", "error", "decay", "wrong"),
    [
        (SQUARES, "(p - y) * p * (1 - p)", "0", ""),
        (SQUARES, "(p - y)", "0", "V c"),
        (ENTROPY, "(p - y)", "0.1 * V", ""),
        (ENTROPY, "(p - y)", "0", "V"),
    ],
)
def test_a_loss_that_is_shown_of_all_data_is_taken_of_a_batch(tmp_path, loss, error, decay, wrong):
    text = SHOWN_OF_ALL.replace("ERROR", error).replace("DECAY", decay).replace("LOSS", loss)
    found = verdicts(check_only(tmp_path, text))
    assert found == {name: "mismatch" if name in wrong.split() else "match" for name in ("V", "c")}


# the loss of each sample, beside gradients whose sums an optimizer is handed
BESIDE_SUMS = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
class Rule:
    def __init__(self):
        self.m, self.v, self.t = {}, {}, {}
    def step(self, key, value, g):
        self.t[key] = self.t.get(key, 0) + 1
        self.m[key] = 0.9 * self.m.get(key, 0) + 0.1 * g
        self.v[key] = 0.99 * self.v.get(key, 0) + 0.01 * g ** 2
        first, second = self.m[key] / (1 - 0.9 ** self.t[key]), self.v[key] / (1 - 0.99 ** self.t[key])
        return value - 0.05 * first / (np.sqrt(second) + 1e-8)
def cost_and_slopes(x, y, net):
    h = np.tanh(net["one"] @ x)
    r = net["two"] @ h + net["off"] - y
    cost = 0.5 * np.sum(r ** 2)
    return cost, np.outer(net["two"].T @ r * SLOPE, x), np.outer(r, h), r
net = {"one": rng.normal(size=(4, 3)), "two": rng.normal(size=(2, 4)), "off": np.zeros(2)}
rule = Rule()
for epoch in range(15):
    all_one, all_two, all_off = np.zeros((4, 3)), np.zeros((2, 4)), np.zeros(2)
    for x, y in zip(X, Y):
        cost, one, two, off = cost_and_slopes(x, y, net)
        all_one += one
        all_two += two
        all_off += off
    net["one"] = rule.step("a", net["one"], all_one / len(X))
    net["two"] = rule.step("b", net["two"], all_two / len(X))
    net["off"] = rule.step("c", net["off"], all_off / len(X))
    if epoch % 5 == 0:
        print(epoch)
"""


@pytest.mark.parametrize(("slope", "verdict"), [("(1 - h ** 2)", "match"), ("(1 - h)", "mismatch")])
def test_the_loss_of_the_last_sample_is_not_that_of_the_round(tmp_path, slope, verdict):
    found = verdicts(check_only(tmp_path, BESIDE_SUMS.replace("SLOPE", slope)))
    assert found == {"net['one']": verdict, "net['two']": "match", "net['off']": "match"}


HISTORIES = """
import math, random
random.seed(4)
class Sorter:
    def fit(self, X, y):
        self.coef = [0 for _ in X[0]]
        self.loss, self.hits = [], []
        order = list(range(len(X)))
        for turn in range(12):
            random.shuffle(order)
            for j in order:
                total = sum(map(lambda c, x: c * x, self.coef, X[j]))
                error = self.squashed(total) - y[j]
                gradient = list(map(lambda x: x * error * 0.1PLANTED, X[j]))
                self.coef = list(map(lambda c, g: c - g, self.coef, gradient))
            self.loss.append(self.mean_loss(X, y))
            self.hits.append(turn)
        return self
    def loss_and_hits(self):
        return self.loss, self.hits
    def mean_loss(self, X, y):
        loss = 0
        for j in range(len(X)):
            total = sum(map(lambda c, x: c * x, self.coef, X[j]))
            loss += y[j] * total - math.log(1 + math.exp(total))
        return -loss / len(X)
    def squashed(self, z):
        return 1 / (1 + math.exp(-z))
X = [[random.gauss(0, 1), random.gauss(1, 1), 1.0] for _ in range(20)]
y = [int(a + b > 1) for a, b, _ in X]
one = Sorter().fit(X, y)
losses, hits = one.loss_and_hits()
print(losses[-1], hits[-1])
"""


@pytest.mark.parametrize(("planted", "verdict"), [("", "match"), (" * self.squashed(total)", None)])
def test_losses_of_earlier_rounds_are_no_loss_that_lacks_a_sum(tmp_path, planted, verdict):
    """They depend on no parameter; another loss may be inferred. Where none is, nothing untrue is said."""
    result = check_only(tmp_path, HISTORIES.replace("PLANTED", planted))
    if verdict is None:
        assert result.verdict != "match"
        assert result.error is None or result.error.slug != "loss-not-scalar"
    else:
        assert verdicts(result) == {"self.coef": verdict}
