"""Steps in forms that no update statement has: how large they are, what they move, and what they leave where it is."""

from __future__ import annotations

import numpy as np
import pytest

from script_runs import check_only, verdicts

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(18, 3)), rng.normal(size=18)
"""

FLAT = (
    DATA
    + """
theta = rng.normal(size=4)
rate = 0.05
for epoch in range(20):
    r = X @ theta[:3] + theta[3] - Y
    loss = np.mean(r ** 2)
    dw, db = 2 * X.T @ r / len(Y), FACTOR * r.mean()
    theta = np.concatenate([theta[:3] - rate * dw, np.ravel(theta[3] - rate * db)])
    print(epoch, loss)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("-1", "mismatch")])
def test_parameters_in_one_row_are_moved_by_what_is_joined_anew(tmp_path, factor, verdict):
    result = check_only(tmp_path, FLAT.replace("FACTOR", factor))
    assert verdicts(result) == {"theta": verdict}
    assert any("0.05 down the gradient" in note for note in result.notes)


def test_steps_that_go_on_from_earlier_ones_have_no_size(tmp_path):
    """A wrong gradient cannot be told from a velocity, and is not called wrong."""
    text = (
        FLAT.replace("FACTOR", "-1")
        .replace("epoch in", "epoch in")
        .replace("rate = 0.05", "rate, v = 0.05, np.zeros(4)")
    )
    text = text.replace(
        "    theta = np.concatenate([theta[:3] - rate * dw, np.ravel(theta[3] - rate * db)])",
        "    v = np.concatenate([0.9 * v[:3] - rate * np.sign(dw), np.ravel(0.9 * v[3] - rate * np.sign(db))])\n"
        "    theta = np.add(theta, v)",
    )
    assert check_only(tmp_path, text).error.slug == "no-loss"


REBUILT = (
    DATA
    + """
layers = [(rng.normal(size=(3, 4)), np.zeros(4)), (rng.normal(size=(4,)), np.zeros(1))]
for epoch in range(20):
    h = np.tanh(X @ layers[0][0] + layers[0][1])
    r = h @ layers[1][0] + layers[1][1] - Y
    loss = np.mean(r ** 2)
    g = 2 * r / len(Y)
    back = np.outer(g, layers[1][0]) * (1 - h ** 2)
    first = [X.T @ back, back.sum(axis=0)]
    last = [h.T @ g * FACTOR, g.sum(keepdims=True)]
    layers = [
        (layers[0][0] - 0.1 * first[0], layers[0][1] - 0.1 * first[1]),
        (layers[1][0] - 0.1 * last[0], layers[1][1] - 0.1 * last[1]),
    ]
    print(loss)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("0", "mismatch"), ("h.mean()", "mismatch")])
def test_lists_of_tuples_are_made_anew(tmp_path, factor, verdict):
    found = verdicts(check_only(tmp_path, REBUILT.replace("FACTOR", factor)))
    assert found.pop("layers[1][0]") == verdict
    assert set(found.values()) == {"match"}
    assert len(found) == 3


DECLARED = (
    DATA
    + """
w, b, offset = rng.normal(size=3), 0.0, 0.1
def loss():
    return np.mean((X @ w + b + offset - Y) ** 2)
def step(rate):
    DECLARATION
    r = X @ w + b + offset - Y
    w = w - rate * 2 * X.T @ r / len(Y)
    ALSO
for epoch in range(20):
    step(0.1)
    print(loss())
"""
)


@pytest.mark.parametrize(
    ("declaration", "also", "expected"),
    [
        ("global w, b", "b = b - rate * 2 * r.mean()", {"w": "match", "b": "match"}),
        ("global w, b", "pass", {"w": "match", "b": "mismatch"}),
        ("global w", "pass", {"w": "match"}),
        ("global w, b, X, Y, offset", "b = b - rate * 2 * r.mean()", {"w": "match", "b": "match"}),
    ],
    ids=["moved", "forgotten", "never meant", "only read"],
)
def test_what_is_declared_and_not_moved_has_a_gradient_of_zero(tmp_path, declaration, also, expected):
    text = DECLARED.replace("DECLARATION", declaration).replace("ALSO", also)
    assert verdicts(check_only(tmp_path, text)) == expected


HANDED_BACK = (
    DATA
    + """
def train(w, b, rate=0.1):
    for epoch in range(20):
        r = X @ w + b - Y
        loss = np.mean(r ** 2)
        w -= rate * 2 * X.T @ r / len(Y)
        ALSO
        print(loss)
    return RESULT
ASSIGNED = train(rng.normal(size=3), np.array([0.0]))
"""
)


@pytest.mark.parametrize(
    ("also", "result", "expected"),
    [
        ("b -= rate * 2 * r.mean()", "w, b", {"w": "match", "b": "match"}),
        ("pass", "w, b", {"w": "match", "b": "mismatch"}),
        ("pass", "w", {"w": "match"}),
    ],
    ids=["moved", "forgotten", "never meant"],
)
def test_what_a_training_hands_back_and_does_not_move_has_a_gradient_of_zero(tmp_path, also, result, expected):
    text = HANDED_BACK.replace("ALSO", also).replace("RESULT", result).replace("ASSIGNED", result)
    assert verdicts(check_only(tmp_path, text)) == expected


BATCHES = (
    DATA
    + """
w, b = rng.normal(size=3), 0.5
for epoch in range(6):
    order = rng.permutation(len(X))
    for start in range(0, len(X), 8):
        at = order[start:start + 8]
        out = X[at] @ w + b
        delta = out - Y[at]
        w -= 0.1 * X[at].T @ delta / len(at)
        b -= 0.1 * FACTOR * delta.mean()
print(w, b)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("-0.5", "mismatch")])
def test_the_last_batch_may_be_smaller(tmp_path, factor, verdict):
    """Means over 8, 8 and 2 samples are no multiples of one sum."""
    result = check_only(tmp_path, BATCHES.replace("FACTOR", factor))
    assert verdicts(result) == {"w": "match", "b": verdict}
    assert any("per sample" in note for note in result.notes)


SHRUNK = (
    DATA
    + """
w, b = rng.normal(size=3), 0.5
rate = 0.1
for epoch in range(20):
    r = X @ w + b - Y
    loss = np.mean(r ** 2)
    w *= 1 SIGN rate * 0.01
    w -= rate * 2 * X.T @ r / len(Y)
    b -= rate * 2 * r.mean()
    print(loss)
"""
)


@pytest.mark.parametrize(("sign", "verdict"), [("-", "match"), ("+", "mismatch")])
def test_decay_in_a_statement_of_its_own(tmp_path, sign, verdict):
    assert verdicts(check_only(tmp_path, SHRUNK.replace("SIGN", sign))) == {"w": verdict, "b": "match"}


CLOSURE = (
    DATA
    + """
def model(X, Y):
    w, b = rng.normal(size=3), 0.5
    def forward(X):
        return X @ w + b
    def cost(out, Y):
        return np.mean((out - Y) ** 2)
    def backward(X, Y, out, rate):
        nonlocal w, b
        r = 2 * (out - Y) / len(Y)
        w = w - rate * X.T @ r
        b = b - rate * FACTOR * r.sum()
    def train(rate=0.1):
        for epoch in range(20):
            out = forward(X)
            print(cost(out, Y))
            backward(X, Y, out, rate)
    return train
model(X, Y)()
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("-1", "mismatch")])
def test_functions_beside_each_other_share_what_they_enclose(tmp_path, factor, verdict):
    """The loop mentions none of the parameters."""
    assert verdicts(check_only(tmp_path, CLOSURE.replace("FACTOR", factor))) == {"w": "match", "b": verdict}


# the loop sees neither the arrays, which are moved in place, nor the number, which is bound anew
ENCLOSED = (
    DATA
    + """
def model(X, Y):
    v, w, b, c = rng.normal(size=3), rng.normal(size=3), 0.5, 0.2
    def gradients(X, Y, rate):
        nonlocal v, w, b, c
        r = (X ** 2 @ v + X @ w + b + c * X[:, 0] ** 3 - Y) / len(Y)
        loss = np.sum(r ** 2) * len(Y)
        v -= rate * 2 * (X ** 2).T @ r
        w -= rate * 2 * X.T @ r
        b -= rate * FACTOR * r.sum()
        c -= rate * 2 * np.sum(r * X[:, 0] ** 3)
        return loss
    def train(rate=0.01):
        for epoch in range(20):
            loss = gradients(X, Y, rate)
            print(loss)
    return train
model(X, Y)()
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("len(Y)", "mismatch")])
def test_a_number_that_an_inner_function_binds_anew_is_moved(tmp_path, factor, verdict):
    result = check_only(tmp_path, ENCLOSED.replace("FACTOR", factor))
    assert verdicts(result) == {"v": "match", "w": "match", "b": verdict, "c": "match"}
    assert all(np.all(np.asarray(one.analytic) != 0) for one in result.check.parameters)


SHOWN = (
    DATA
    + """
p = {"w": rng.normal(size=3), "b": 0.5}
def loss_and_grads(X, Y, p):
    r = X @ p["w"] + p["b"] - Y
    return np.mean(r ** 2), {"w": 2 * X.T @ r / len(Y), "b": FACTOR * r.mean()}
for epoch in range(6):
    for start in range(0, 18, 6):
        loss, grads = loss_and_grads(X[start:start + 6], Y[start:start + 6], p)
        for key in p:
            p[key] = p[key] - 0.1 * grads[key]
    print(loss_and_grads(X, Y, p)[0])
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("-1", "mismatch")])
def test_the_inner_loop_trains_where_the_outer_one_shows_the_loss(tmp_path, factor, verdict):
    found = verdicts(check_only(tmp_path, SHOWN.replace("FACTOR", factor)))
    assert found == {"p['w']": "match", "p['b']": verdict}


LAYERS = (
    DATA
    + """
weights, biases = [rng.normal(size=(3, 4)), rng.normal(size=4)], [np.zeros(4), np.zeros(1)]
for epoch in range(20):
    h = np.tanh(X @ weights[0] + biases[0])
    r = h @ weights[1] + biases[1] - Y
    loss = np.mean(r ** 2)
    g = 2 * r / len(Y)
    back = np.outer(g, weights[1]) * (1 - h ** 2)
    weights[1] = weights[1] - 0.1 * h.T @ g
    biases[1] = biases[1] - 0.1 * g.sum(keepdims=True)
    FIRST
    print(loss)
"""
)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("weights[0] -= 0.1 * X.T @ back; biases[0] -= 0.1 * back.sum(axis=0)", {"match"}),
        ("biases[0] -= 0.1 * back.sum(axis=0)", {"match", "mismatch"}),
    ],
    ids=["moved", "forgotten"],
)
def test_weights_whose_bias_is_moved_are_to_be_moved(tmp_path, first, expected):
    found = verdicts(check_only(tmp_path, LAYERS.replace("FIRST", first)))
    assert set(found.values()) == expected
    assert len(found) == 4
    assert [name for name, verdict in found.items() if verdict == "mismatch"] in ([], ["weights[0]"])


def test_a_layer_that_is_kept_as_it_is_is_not_called_wrong(tmp_path):
    result = check_only(tmp_path, LAYERS.replace("FIRST", "pass"))
    assert verdicts(result) == {"weights[1]": "match", "biases[1]": "match"}
    assert {row.name for row in result.unchecked} == {"weights[0]", "biases[0]"}


SET = (
    DATA
    + """
w, b, v = rng.normal(size=3), 0.5, 0.0
for epoch in range(20):
    r = X @ w + b - Y
    loss = np.mean(r ** 2)
    w += -0.1 * 2 * X.T @ r / len(Y)
    STEP
    print(loss)
"""
)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("b += -0.1 * 2 * r.mean()", {"w": "match", "b": "match"}),
        ("b = -0.1 * 2 * r.mean()", {"w": "match", "b": "mismatch"}),
        ("b = 0.9 * np.cos(epoch)", {"w": "match"}),
    ],
    ids=["added", "set", "something else"],
)
def test_what_is_set_to_its_step_is_wrong(tmp_path, step, expected):
    assert verdicts(check_only(tmp_path, SET.replace("STEP", step))) == expected


APART = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
Y = (X @ [1.0, -2.0, 0.5] > 0).astype(float).reshape(-1, 1)
w, b = rng.normal(size=(3, 1)), np.zeros((1, 1))
slow, quick = 0.05, 0.4
def train(w, b):
    out = 1 / (1 + np.exp(-(X @ w + b)))
    delta = (out - Y) * out * (1 - out)
    push = X.T @ delta
    w -= STEP
    b -= slow * MEAN
    return 0.5 * np.sum((out - Y) ** 2)
for i in range(60):
    cost = train(w, b)
print(cost, len(X))
"""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("quick * push", "the step size of `w` is another, quick = 0.4"),
        ("0.4 * push", "the step size of `w` is another, 0.4"),
        ("(0.9 * push) + slow * push", "the step size of `w` is another, 0.9 + slow = 0.95"),
    ],
    ids=["named", "number", "sum"],
)
def test_a_parameter_may_have_a_step_size_of_its_own(tmp_path, step, said):
    result = check_only(tmp_path, APART.replace("STEP", step).replace("MEAN", "delta.sum()"))
    assert verdicts(result) == {"w": "match", "b": "match"}
    assert any(said in note for note in result.notes)
    wrong = check_only(tmp_path, APART.replace("STEP", step).replace("MEAN", "delta[:20].sum()"))
    assert verdicts(wrong) == {"w": "match", "b": "mismatch"}


@pytest.mark.parametrize("step", ["slow * push / len(X)", "slow * 2 * push", "slow * push * rows"])
def test_what_else_a_step_is_multiplied_by_is_no_step_size(tmp_path, step):
    text = APART.replace("STEP", step).replace("MEAN", "delta.sum()").replace("def train", "rows = 30\ndef train")
    found = verdicts(check_only(tmp_path, text.replace("print(", "print(rows, ")))
    assert sorted(found.values()) == ["match", "mismatch"]


SINGLE = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=20).astype(np.float32)
w, b = rng.normal(size=3).astype(np.float32), np.zeros(1, np.float32)
def train(rate):
    off = X @ w + b - Y
    w[:] -= rate * 2 * X.T @ off / len(Y)
    b[:] -= rate * FACTOR * off.mean()
    return np.mean(off ** 2)
for i in range(50):
    loss = train(np.float32(0.001))
print(loss)
"""


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("2.02", "mismatch")])
def test_small_steps_in_single_precision_are_judged_without_their_rounding(tmp_path, factor, verdict):
    result = check_only(tmp_path, SINGLE.replace("FACTOR", factor))
    assert verdicts(result) == {"w": "match", "b": verdict}


VELOCITY = """
import numpy as np
np.random.seed(3)
def squash(x):
    return 1 / (1 + np.exp(-x))
def train(W1, W2, X, T, rate):
    ONE, TWO = W1, W2
    v1, v2 = np.zeros_like(ONE), np.zeros_like(TWO)
    for turn in range(60):
        error = 0
        for k in range(len(X)):
            x = np.append([1], X[k])
            h = np.append([1], squash(ONE.T @ x))
            out = squash(TWO.T @ h)
            off = T[k] - out
            error += np.sum(off ** 2)
            back = off * out * (1 - out)
            dW2 = rate * np.outer(h, back)
            dW1 = rate * np.outer(x, (TWO[1:] @ back) * SLOPE)
            dW1 += 0.9 * v1
            dW2 += 0.9 * v2
            ONE += dW1
            TWO += dW2
            v1, v2 = dW1, dW2
        rate *= 1.01
        if turn % 20 == 0:
            print(turn, error / len(X))
    return ONE, TWO
W1, W2 = np.random.uniform(-1, 1, (3, 3)), np.random.uniform(-1, 1, (4, 1))
X = np.array([[0.2, 0.1], [0.3, 1.1], [1.2, 0.4], [0.9, 1.3]])
W1, W2 = train(W1, W2, X, np.array([[0.0], [1.0], [1.0], [0.0]]), 0.5)
"""


@pytest.mark.parametrize("names", ["W1 W2", "first second"])
@pytest.mark.parametrize(("slope", "verdict"), [("h[1:] * (1 - h[1:])", "match"), ("h[1:]", "mismatch")])
def test_a_velocity_in_the_place_of_the_gradient_is_told_by_the_steps(tmp_path, names, slope, verdict):
    """The first step is one of the gradient alone; what is left under the name of a gradient is not compared."""
    one, two = names.split()
    text = VELOCITY.replace("ONE", one).replace("TWO", two).replace("SLOPE", slope)
    assert verdicts(check_only(tmp_path, text)) == {one: verdict, two: "match"}


PACES = """
import numpy as np
rng = np.random.default_rng(2)
X, Y = rng.normal(size=(9, 3)).tolist(), rng.normal(size=9).tolist()
def misfit(w):
    return sum((sum(a * b for a, b in zip(w, x)) - y) ** 2 for x, y in zip(X, Y)) / len(X)
def descend(pace):
    old, new = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
    for k in range(6):
        for i in range(3):
            old[i] = new[i]
        for i in range(3):
            slope = 0
            for x, y in zip(X, Y):
                slope += (sum(a * b for a, b in zip(old, x)) - y) * x[i]PLANTED
            new[i] = old[i] - pace * (2 / len(X)) * slope
        print(k, misfit(new))
for pace in (0.1, 0.2):
    descend(pace)
"""


@pytest.mark.parametrize(("planted", "verdict"), [("", "match"), (" * (1 + i)", "mismatch")])
def test_one_of_several_step_sizes_is_told_by_what_it_multiplies(tmp_path, planted, verdict):
    assert verdicts(check_only(tmp_path, PACES.replace("PLANTED", planted))) == {"new": verdict}


OLD_AND_NEW = """
from copy import copy
def cost(x, y, z):
    return 2.0 * x**2 + 2.0 * y**2 + z**2 - 2.0 * x * y - 2.0 * y * z - 2.0 * x + 3.0
def along_x(at):
    return 4.0 * at[0] - 2.0 * at[1] - 2.0
def along_y(at):
    return 4.0 * at[1] SIGN 2.0 * at[0] - 2.0 * at[2]
def along_z(at):
    return 2.0 * at[2] - 2.0 * at[1]
def walk(pace, old, least):
    new = [0.0 for i in range(3)]
    on, rounds = True, 0
    while on and rounds < 60:
        new[0] = float(old[0] - pace * along_x(old))
        new[1] = float(old[1] - pace * along_y(old))
        new[2] = float(old[2] - pace * along_z(old))
        most = 0.0
        for i in range(3):
            gone = abs(new[i] - old[i])
            if gone > most:
                most = gone
        if most < least:
            on = False
        old = COPY
        rounds += 1
    print("lowest", new, cost(new[0], new[1], new[2]))
walk(0.1, [1.5, 0.0, 1.0], 1e-4)
walk(0.1, [0.5, 2.0, 1.5], 1e-5)
"""


@pytest.mark.parametrize("copied", ["new.copy()", "list(new)", "copy(new)", "new[:]"])
@pytest.mark.parametrize(("sign", "verdict"), [("-", "match"), ("+", "mismatch")])
def test_entries_of_new_values_are_computed_from_those_of_the_old(tmp_path, copied, sign, verdict):
    """The loss is taken at the old ones."""
    text = OLD_AND_NEW.replace("COPY", copied).replace("SIGN", sign)
    assert verdicts(check_only(tmp_path, text)) == {"old": verdict}


def test_no_loss_is_inferred_from_the_way_from_old_values_to_new_ones(tmp_path):
    text = OLD_AND_NEW.replace("COPY", "new.copy()").replace("SIGN", "-")
    begin, end = text.index("def cost"), text.index("def along_x")
    text = (text[:begin] + text[end:]).replace(", cost(new[0], new[1], new[2])", "")
    result = check_only(tmp_path, text)
    assert (result.verdict, result.error.slug) == ("error", "no-loss")
